-- Callers' keys. Of the secret only its SHA-256 is here: whoever reads this table can call nobody.
CREATE TABLE api_key (
    -- The nil UUID for a key of the whole suite, which therefore has no row in `program` to refer to.
    program uuid NOT NULL,
    api_key_id uuid NOT NULL,
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 200),
    short_id text NOT NULL,
    secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
    -- Names of fealty.access.v1.Scope, so that a person who reads the table understands it.
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    -- Who holds it; null for a machine's key.
    staff_id uuid,
    expire_time timestamptz,
    revoke_time timestamptz,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, api_key_id),
    CONSTRAINT api_key_staff FOREIGN KEY (program, staff_id) REFERENCES staff (program, staff_id)
);

-- A caller is found by the public part of the key before anybody knows the program.
CREATE UNIQUE INDEX api_key_short_id ON api_key (short_id);
-- Asked when a staff member is looked at.
CREATE INDEX api_key_staff_id ON api_key (program, staff_id) WHERE staff_id IS NOT NULL;

ALTER TABLE api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON api_key TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON api_key TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- Keys are revoked, never deleted: a revocation must reach those who look later, too.
REVOKE DELETE ON api_key FROM fealty_members, fealty_members_jobs;
