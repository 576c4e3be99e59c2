-- The catalogue: what members can get for their points. Terms only; how many are left has a row of its own, so that
-- those who redeem and those who change the terms do not wait for each other.
CREATE TABLE reward (
    program uuid NOT NULL REFERENCES program (program),
    reward_id uuid NOT NULL,
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 200),
    description text NOT NULL CHECK (char_length(description) <= 2000),
    -- Both null for a reward that is free.
    unit_code text,
    price_value bigint CHECK (price_value > 0),
    status text NOT NULL CHECK (status IN ('DRAFT', 'ACTIVE', 'ENDED')),
    start_time timestamptz,
    end_time timestamptz,
    -- Empty for members of every tier and of none.
    tier_codes text[] NOT NULL CHECK (cardinality(tier_codes) <= 20),
    -- 0 for any number.
    per_member_count_max integer NOT NULL CHECK (per_member_count_max >= 0),
    code_source text NOT NULL CHECK (code_source IN ('GENERATED', 'POOL')),
    -- 0 for ever.
    voucher_life_days integer NOT NULL CHECK (voucher_life_days BETWEEN 0 AND 3650),
    -- Whether nothing is counted. Where codes come from a pool nothing else is: its codes are.
    stock_unlimited boolean NOT NULL,
    -- Counts the changes of the terms: what an etag names.
    revision bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (program, reward_id),
    CHECK ((unit_code IS NULL) = (price_value IS NULL)),
    CHECK (start_time < end_time),
    CHECK (stock_unlimited OR code_source = 'GENERATED')
);

-- Lists go by the order in which rewards were added.
CREATE INDEX reward_create_time ON reward (program, create_time, reward_id);

ALTER TABLE reward ENABLE ROW LEVEL SECURITY;
ALTER TABLE reward FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON reward TO fealty_rewards
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON reward TO fealty_rewards_owner, fealty_rewards_jobs
    USING (true) WITH CHECK (true);

-- Redemptions and vouchers refer to them.
REVOKE DELETE ON reward FROM fealty_rewards, fealty_rewards_jobs;
