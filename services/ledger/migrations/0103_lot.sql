-- Lots: points that were credited on the same terms (unit and end). At most 500 of an owner and unit are open. Emptied
-- ones stay, so that whatever gives points back can find the lot they came from.
CREATE TABLE lot (
    program        uuid        NOT NULL,
    owner_id       uuid        NOT NULL,
    lot_id         uuid        NOT NULL,
    unit_code      text        NOT NULL,
    value_left     bigint      NOT NULL CHECK (value_left BETWEEN 0 AND value_credited),
    value_credited bigint      NOT NULL,
    -- From this instant on it does not count; NULL for never.
    expire_time    timestamptz,
    create_time    timestamptz NOT NULL,
    -- Has a column of its own for the index below: it changes once, so that all other updates stay on their page (HOT).
    open           boolean     NOT NULL GENERATED ALWAYS AS (value_left > 0) STORED,
    PRIMARY KEY (program, owner_id, lot_id)
) WITH (fillfactor = 80);

-- What postings and balances read: the open ones only, however many an owner has emptied.
CREATE INDEX lot_open ON lot (program, owner_id) WHERE open;

ALTER TABLE lot ENABLE ROW LEVEL SECURITY;
ALTER TABLE lot FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON lot TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON lot TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
