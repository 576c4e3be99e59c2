-- How often each member has redeemed each reward, those redemptions included that are under way. The row is the lock
-- under which a limit per member holds, however many of their redemptions begin at once.
CREATE TABLE member_reward (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    reward_id uuid NOT NULL,
    redemption_count bigint NOT NULL CHECK (redemption_count >= 0),
    PRIMARY KEY (program, member_id, reward_id)
);

ALTER TABLE member_reward ENABLE ROW LEVEL SECURITY;
ALTER TABLE member_reward FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON member_reward TO fealty_rewards
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON member_reward TO fealty_rewards_owner, fealty_rewards_jobs
    USING (true) WITH CHECK (true);

REVOKE DELETE ON member_reward FROM fealty_rewards, fealty_rewards_jobs;
