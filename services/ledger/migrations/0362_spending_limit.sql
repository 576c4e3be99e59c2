-- What a member of a household may spend of its one account, per day and month, decided by every posting under the locks
-- that it takes anyway.

-- [{"unit_code", "day_value_max", "month_value_max"}], bounds that are not set left out; NULL for none. In the owner's row,
-- because every posting reads that: whoever has no limits costs no statement more.
ALTER TABLE owner
    ADD COLUMN spending_limits jsonb CHECK (jsonb_typeof(spending_limits) = 'array'),
    -- The number of the newest change of them, given by whoever changes them: an older one changes nothing.
    ADD COLUMN limits_revision bigint NOT NULL DEFAULT 0 CHECK (limits_revision >= 0);

-- What somebody with limits has spent of another's account on the last day on which they spent any, and in the month of
-- that day. Kept under the lock of the account's owner, so that a limit is exact whoever spends at the same time.
CREATE TABLE spending (
    program          uuid   NOT NULL,
    account_owner_id uuid   NOT NULL,
    owner_id         uuid   NOT NULL,
    unit_code        text   NOT NULL,
    -- A calendar day in the program's time zone.
    day              date   NOT NULL,
    day_value        bigint NOT NULL CHECK (day_value >= 0),
    month_value      bigint NOT NULL CHECK (month_value >= day_value),
    PRIMARY KEY (program, account_owner_id, owner_id, unit_code)
);

ALTER TABLE spending ENABLE ROW LEVEL SECURITY;
ALTER TABLE spending FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON spending TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON spending TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
REVOKE DELETE ON spending FROM fealty_ledger, fealty_ledger_jobs;
