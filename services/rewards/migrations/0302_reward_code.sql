-- Codes that programs bring along, each for one voucher. A code is free, or belongs to one redemption.
CREATE TABLE reward_code (
    program uuid NOT NULL,
    code text COLLATE "C" NOT NULL CHECK (code ~ '^[A-Za-z0-9_-]{4,64}$'),
    reward_id uuid NOT NULL,
    -- Whose it is; null while it is free.
    redemption_id uuid,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, code),
    FOREIGN KEY (program, reward_id) REFERENCES reward (program, reward_id)
);

-- The free ones of a reward.
CREATE INDEX reward_code_free ON reward_code (program, reward_id, code) WHERE redemption_id IS NULL;
-- A redemption has one.
CREATE UNIQUE INDEX reward_code_redemption ON reward_code (program, redemption_id) WHERE redemption_id IS NOT NULL;

ALTER TABLE reward_code ENABLE ROW LEVEL SECURITY;
ALTER TABLE reward_code FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON reward_code TO fealty_rewards
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON reward_code TO fealty_rewards_owner, fealty_rewards_jobs
    USING (true) WITH CHECK (true);

-- A code that was brought once is never taken for a new one.
REVOKE DELETE ON reward_code FROM fealty_rewards, fealty_rewards_jobs;
