-- Reversals: a transaction that takes back what an earlier one did. What they are about stands in the row itself, and what
-- was taken back of a transaction so far in a table of its own, under the lock of the owner who made it.

-- The transaction that a reversal takes back.
ALTER TABLE transaction ADD COLUMN reversed_transaction_id uuid;
-- Not looked for in rows that are there already: there were no reversals.
ALTER TABLE transaction ADD CONSTRAINT transaction_reversed
    CHECK ((reversed_transaction_id IS NOT NULL) = (kind = 'reverse' AND version IS NOT NULL)) NOT VALID;
-- The hold that was captured or released, or that ended. NULL for those that were recorded before it was told.
ALTER TABLE transaction ADD COLUMN hold_id uuid;

-- One row per reversal. Those of one transaction follow each other without a gap: each begins where the one before ended,
-- so that the key is the net under the owner's lock, and no point is taken back twice.
CREATE TABLE reversal (
    program        uuid   NOT NULL,
    -- What was taken back.
    transaction_id uuid   NOT NULL,
    -- How much of it had been taken back before.
    value_before   bigint NOT NULL CHECK (value_before >= 0),
    -- How much more this one takes back.
    value          bigint NOT NULL CHECK (value > 0),
    -- The transaction that did it.
    reversal_id    uuid   NOT NULL,
    PRIMARY KEY (program, transaction_id, value_before)
);

ALTER TABLE reversal ENABLE ROW LEVEL SECURITY;
ALTER TABLE reversal FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON reversal TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON reversal TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
-- Recorded for ever, like the transaction.
REVOKE UPDATE, DELETE ON reversal FROM fealty_ledger, fealty_ledger_jobs;
