-- Owners are told before their points end: once for each unit and end, so many days ahead as the unit says.
ALTER TABLE unit ADD COLUMN expire_notice_days integer NOT NULL DEFAULT 0
    CHECK (expire_notice_days BETWEEN 0 AND 365);

-- What was told: written under the owner's lock, with the transaction that tells it. The key is what makes it once.
CREATE TABLE expiry_notice (
    program        uuid        NOT NULL,
    owner_id       uuid        NOT NULL,
    unit_code      text        NOT NULL,
    -- The end that was told.
    expire_time    timestamptz NOT NULL,
    -- How many points there were that end then.
    value          bigint      NOT NULL CHECK (value > 0),
    transaction_id uuid        NOT NULL,
    PRIMARY KEY (program, owner_id, unit_code, expire_time)
);
-- What an event of that transaction says.
CREATE UNIQUE INDEX expiry_notice_transaction ON expiry_notice (program, transaction_id);

ALTER TABLE expiry_notice ENABLE ROW LEVEL SECURITY;
ALTER TABLE expiry_notice FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON expiry_notice TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON expiry_notice TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
-- Recorded for ever, like the transaction.
REVOKE UPDATE, DELETE ON expiry_notice FROM fealty_ledger, fealty_ledger_jobs;
