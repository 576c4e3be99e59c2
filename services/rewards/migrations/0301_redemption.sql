-- Redemptions: each a process that comes to one of two ends. The row says how far it is, and everything that is needed
-- to go on from there, or to go back, whoever does so.
CREATE TABLE redemption (
    program uuid NOT NULL REFERENCES program (program),
    redemption_id uuid NOT NULL,
    member_id uuid NOT NULL,
    reward_id uuid NOT NULL,
    -- The terms that it began with. Price: both null when it costs nothing.
    unit_code text,
    price_value bigint CHECK (price_value > 0),
    code_source text NOT NULL CHECK (code_source IN ('GENERATED', 'POOL')),
    stock_counted boolean NOT NULL,
    voucher_life_days integer NOT NULL,
    -- Forward: BEGUN, HELD, RESERVED, CAPTURING, CAPTURED, REDEEMED. Back: UNDOING, UNDONE.
    step text NOT NULL CHECK (step IN
        ('BEGUN', 'HELD', 'RESERVED', 'CAPTURING', 'CAPTURED', 'REDEEMED', 'UNDOING', 'UNDONE')),
    -- The ledger's; null while none is known to exist.
    hold_id uuid,
    -- Whether one may exist all the same: the ledger may have been asked, and its answer is not written down here.
    hold_unknown boolean NOT NULL,
    -- Whether stock and code are set aside for it.
    reserved boolean NOT NULL,
    -- Why it was or is being undone: the name of an error reason, and what that one documents.
    failure_reason text,
    failure_details jsonb,
    -- Until then whoever works on it is left alone; afterwards anybody may take it over. Null once it has ended.
    lease_time timestamptz,
    voucher_id uuid,
    create_time timestamptz NOT NULL,
    end_time timestamptz,
    PRIMARY KEY (program, redemption_id),
    FOREIGN KEY (program, reward_id) REFERENCES reward (program, reward_id),
    CHECK ((unit_code IS NULL) = (price_value IS NULL)),
    CHECK ((failure_reason IS NULL) = (step NOT IN ('UNDOING', 'UNDONE'))),
    CHECK ((failure_reason IS NULL) = (failure_details IS NULL)),
    CHECK ((lease_time IS NULL) = (step IN ('REDEEMED', 'UNDONE'))),
    CHECK ((end_time IS NULL) = (step NOT IN ('REDEEMED', 'UNDONE'))),
    CHECK ((voucher_id IS NULL) = (step <> 'REDEEMED')),
    CHECK (NOT (hold_unknown AND hold_id IS NOT NULL)),
    -- What goes back has given back first.
    CHECK (NOT reserved OR step IN ('RESERVED', 'CAPTURING', 'CAPTURED', 'REDEEMED'))
);

-- A member's redemptions, newest first.
CREATE INDEX redemption_member ON redemption (program, member_id, create_time, redemption_id);
-- The job's question, across programs: whose work has been left? Nearly always nobody's.
CREATE INDEX redemption_lease_time ON redemption (lease_time) WHERE lease_time IS NOT NULL;

ALTER TABLE redemption ENABLE ROW LEVEL SECURITY;
ALTER TABLE redemption FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON redemption TO fealty_rewards
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON redemption TO fealty_rewards_owner, fealty_rewards_jobs
    USING (true) WITH CHECK (true);

REVOKE DELETE ON redemption FROM fealty_rewards, fealty_rewards_jobs;
