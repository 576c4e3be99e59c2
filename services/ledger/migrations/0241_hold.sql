-- Holds: points that are set aside until somebody spends them or gives them back, or until they end by themselves. They
-- lie under their owner's lock. One that has ended and was not written off yet is still 'open' here: readers and
-- postings go by its time.
CREATE TABLE hold (
    program        uuid        NOT NULL,
    -- Also the id of the transaction that made it.
    hold_id        uuid        NOT NULL,
    owner_id       uuid        NOT NULL,
    unit_code      text        NOT NULL,
    value          bigint      NOT NULL CHECK (value > 0),
    captured_value bigint      NOT NULL CHECK (captured_value BETWEEN 0 AND value),
    status         text        NOT NULL CHECK (status IN ('open', 'captured', 'released', 'expired')),
    -- From this instant on it does not count.
    expire_time    timestamptz NOT NULL,
    create_time    timestamptz NOT NULL,
    -- The system that asked for it.
    source         text        NOT NULL,
    -- [{"lot", "value"}]: what it claims of which lots. Written and read with the hold alone.
    pins           jsonb       NOT NULL,
    CHECK (captured_value = 0 OR status = 'captured'),
    PRIMARY KEY (program, hold_id)
) WITH (fillfactor = 80);

-- What postings and balances read: the open ones only.
CREATE INDEX hold_open ON hold (program, owner_id) WHERE status = 'open';

ALTER TABLE hold ENABLE ROW LEVEL SECURITY;
ALTER TABLE hold FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON hold TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON hold TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
