-- Vouchers: what a member shows at a till. A voucher is used at most once, under the lock of its row; it ends by time
-- alone, so nothing is written when it does.
CREATE TABLE voucher (
    program uuid NOT NULL,
    voucher_id uuid NOT NULL,
    redemption_id uuid NOT NULL,
    member_id uuid NOT NULL,
    reward_id uuid NOT NULL,
    -- As it is shown.
    code text COLLATE "C" NOT NULL,
    -- As it is found: without hyphens where the service made it, as it is where the program brought it.
    code_key text COLLATE "C" NOT NULL,
    -- Not good from this instant on; null for ever.
    expire_time timestamptz,
    use_time timestamptz,
    use_source text CHECK (char_length(use_source) BETWEEN 1 AND 100),
    use_receipt_id text CHECK (char_length(use_receipt_id) <= 100),
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, voucher_id),
    -- A redemption is worth one voucher, and a code leads to one.
    CONSTRAINT voucher_redemption UNIQUE (program, redemption_id),
    CONSTRAINT voucher_code_key UNIQUE (program, code_key),
    FOREIGN KEY (program, redemption_id) REFERENCES redemption (program, redemption_id),
    CHECK ((use_time IS NULL) = (use_source IS NULL)),
    CHECK ((use_time IS NULL) = (use_receipt_id IS NULL))
);

-- A member's vouchers, newest first.
CREATE INDEX voucher_member ON voucher (program, member_id, create_time, voucher_id);

ALTER TABLE voucher ENABLE ROW LEVEL SECURITY;
ALTER TABLE voucher FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON voucher TO fealty_rewards
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON voucher TO fealty_rewards_owner, fealty_rewards_jobs
    USING (true) WITH CHECK (true);

REVOKE DELETE ON voucher FROM fealty_rewards, fealty_rewards_jobs;
