-- What each request id was used for, kept for 30 days: a retry finds what the first attempt made instead of making it
-- again. A redemption's request id leads to the redemption, which goes on from wherever it was.
CREATE TABLE request (
    program uuid NOT NULL,
    request_id uuid NOT NULL,
    -- The path of the method, such as "/fealty.rewards.v1.RewardService/CreateReward".
    method text NOT NULL,
    -- SHA-256 of the command: the same id with another command is refused.
    command_hash bytea NOT NULL CHECK (octet_length(command_hash) = 32),
    resource_id uuid NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, request_id)
);

-- The purge goes by age, across programs.
CREATE INDEX request_create_time ON request (create_time);

ALTER TABLE request ENABLE ROW LEVEL SECURITY;
ALTER TABLE request FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON request TO fealty_rewards
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON request TO fealty_rewards_owner, fealty_rewards_jobs
    USING (true) WITH CHECK (true);

-- Only the purge, which crosses programs, forgets.
REVOKE UPDATE, DELETE ON request FROM fealty_rewards;
