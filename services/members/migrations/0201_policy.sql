-- The terms that people accept when they join, in versions. What somebody has accepted must stay readable as it was, so
-- nobody who serves calls can change or delete a version.
CREATE TABLE policy (
    program uuid NOT NULL REFERENCES program (program),
    policy_id uuid NOT NULL,
    -- 1, 2, 3 ... within the program.
    version bigint NOT NULL CHECK (version > 0),
    title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    text text NOT NULL CHECK (char_length(text) BETWEEN 1 AND 100000),
    -- Of the text's UTF-8 bytes: what an acceptance proves.
    text_sha256 bytea NOT NULL CHECK (octet_length(text_sha256) = 32),
    -- Never before that of an earlier version: the one in force is the newest whose time has come.
    effective_time timestamptz NOT NULL,
    publish_time timestamptz NOT NULL,
    PRIMARY KEY (program, policy_id),
    CONSTRAINT policy_version UNIQUE (program, version)
);

ALTER TABLE policy ENABLE ROW LEVEL SECURITY;
ALTER TABLE policy FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON policy TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON policy TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

REVOKE UPDATE, DELETE ON policy FROM fealty_members, fealty_members_jobs;
