-- The people of a program. Personal data is here only as ciphertext under a key of the person's own, and that key only
-- wrapped under the master key, which is in no database: without the wrapped key a person's data is gone for good.
CREATE TABLE member (
    program uuid NOT NULL REFERENCES program (program),
    member_id uuid NOT NULL,
    -- The person's data key, wrapped.
    data_key bytea NOT NULL,
    -- Under which master key: what a rotation goes by.
    master_key_id text NOT NULL,
    given_name bytea,
    family_name bytea,
    display_name bytea,
    birth_date bytea,
    language_code bytea,
    place bytea,
    -- The consent given at enrolment.
    policy_id uuid NOT NULL,
    policy_version bigint NOT NULL,
    policy_text_sha256 bytea NOT NULL CHECK (octet_length(policy_text_sha256) = 32),
    accept_channel text NOT NULL CHECK (char_length(accept_channel) BETWEEN 1 AND 100),
    accept_time timestamptz NOT NULL,
    -- Whether the ledger has opened their account. Before, nobody is told of them.
    ledger_confirmed boolean NOT NULL,
    -- While it has not: from when on the job that finishes enrolments may take this one. A replica that takes it moves
    -- the time, so that no other does the same meanwhile.
    finish_after timestamptz,
    -- Counts the changes: what an etag names.
    revision bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (program, member_id),
    CONSTRAINT member_policy FOREIGN KEY (program, policy_id) REFERENCES policy (program, policy_id),
    CONSTRAINT member_finish_after CHECK (ledger_confirmed = (finish_after IS NULL))
);

-- Lists go by the order of enrolment.
CREATE INDEX member_create_time ON member (program, create_time, member_id) WHERE ledger_confirmed;
-- The job's question, across programs: who is left to finish? Nearly always nobody.
CREATE INDEX member_finish_after ON member (finish_after) WHERE NOT ledger_confirmed;

ALTER TABLE member ENABLE ROW LEVEL SECURITY;
ALTER TABLE member FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON member TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON member TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- The ledger's books refer to them.
REVOKE DELETE ON member FROM fealty_members, fealty_members_jobs;
