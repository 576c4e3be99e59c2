-- What two records of one person have in common: by keyed hashes, as identifiers are found, so that nobody reads who
-- anybody is. Written with the member, and gone where the member no longer has it.
CREATE TABLE member_trait (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    trait text NOT NULL
        CHECK (trait IN ('NAME_AND_BIRTH_DATE', 'NAME_AND_PLACE', 'SIMILAR_EMAIL_ADDRESS', 'REGISTRATION_NUMBER')),
    -- HMAC-SHA-256 over program, trait and value: those of different traits never meet.
    value_hash bytea NOT NULL CHECK (octet_length(value_hash) = 32),
    PRIMARY KEY (program, member_id, value_hash),
    CONSTRAINT member_trait_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id)
);

-- Who has the same lies together.
CREATE INDEX member_trait_value ON member_trait (program, value_hash, member_id);

ALTER TABLE member_trait ENABLE ROW LEVEL SECURITY;
ALTER TABLE member_trait FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON member_trait TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON member_trait TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
