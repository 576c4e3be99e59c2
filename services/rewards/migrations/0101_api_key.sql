-- The keys of the callers of this service: its copy of what the members service administers. Of the secret only its
-- SHA-256 is here: whoever reads this table can call nobody.
CREATE TABLE api_key (
    -- The nil UUID for a key of the whole suite. No reference to `program`: records arrive in the order of their newest
    -- change, so a key can come before its program.
    program uuid NOT NULL,
    api_key_id uuid NOT NULL,
    short_id text NOT NULL,
    secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
    -- Numbers of fealty.access.v1.Scope: a scope that only a newer build knows keeps its number.
    scopes integer[] NOT NULL,
    -- Who holds it; null for a machine's key.
    staff_id uuid,
    revoke_time timestamptz,
    expire_time timestamptz,
    -- Of two forms of the record, the one with the larger number is the newer.
    sequence bigint NOT NULL,
    PRIMARY KEY (program, api_key_id)
);

-- A caller is found by the public part of the key before anybody knows the program.
CREATE UNIQUE INDEX api_key_short_id ON api_key (short_id);

ALTER TABLE api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON api_key TO fealty_rewards
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON api_key TO fealty_rewards_owner, fealty_rewards_jobs
    USING (true) WITH CHECK (true);
