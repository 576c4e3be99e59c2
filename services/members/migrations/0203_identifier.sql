-- By what people are recognised. A value can be found only by whoever knows it and holds the keys: the table has its
-- keyed hash to look for and its ciphertext to show.
CREATE TABLE identifier (
    program uuid NOT NULL,
    identifier_id uuid NOT NULL,
    member_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('EXTERNAL_ID', 'CARD_NUMBER', 'PHONE_NUMBER', 'EMAIL_ADDRESS')),
    -- HMAC-SHA-256 over program, kind and value.
    value_hash bytea NOT NULL CHECK (octet_length(value_hash) = 32),
    value bytea NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, identifier_id),
    -- A value belongs to one member of the program.
    CONSTRAINT identifier_value UNIQUE (program, value_hash),
    CONSTRAINT identifier_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id)
);

-- A member's identifiers are read with the member.
CREATE INDEX identifier_member_id ON identifier (program, member_id);
-- The program's own id of a person is one.
CREATE UNIQUE INDEX identifier_external_id ON identifier (program, member_id) WHERE kind = 'EXTERNAL_ID';

ALTER TABLE identifier ENABLE ROW LEVEL SECURITY;
ALTER TABLE identifier FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON identifier TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON identifier TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- An identifier is given and taken away, never changed into another.
REVOKE UPDATE ON identifier FROM fealty_members, fealty_members_jobs;
