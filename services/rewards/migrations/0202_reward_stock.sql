-- How many of a reward are left: the free codes of its pool, or what is counted. Whoever takes one counts down here, and
-- the row refuses to go below zero; whoever gives one back counts up. One short row, because everybody who wants the
-- reward waits for it.
CREATE TABLE reward_stock (
    program uuid NOT NULL,
    reward_id uuid NOT NULL,
    stock_left bigint NOT NULL CHECK (stock_left >= 0),
    PRIMARY KEY (program, reward_id),
    FOREIGN KEY (program, reward_id) REFERENCES reward (program, reward_id)
    -- It changes with every redemption and no index holds it: updates stay on their page (HOT) as long as there is room.
) WITH (fillfactor = 50);

ALTER TABLE reward_stock ENABLE ROW LEVEL SECURITY;
ALTER TABLE reward_stock FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON reward_stock TO fealty_rewards
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON reward_stock TO fealty_rewards_owner, fealty_rewards_jobs
    USING (true) WITH CHECK (true);

REVOKE DELETE ON reward_stock FROM fealty_rewards, fealty_rewards_jobs;
