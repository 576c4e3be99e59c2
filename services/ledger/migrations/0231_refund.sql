-- What refunds took back, for the sums of their source. The transaction of the same id says the rest.
CREATE TABLE refund (
    program uuid NOT NULL REFERENCES program (program),
    -- Also the id of the transaction that recorded it.
    refund_id uuid NOT NULL,
    -- Null where the shop's system could not name one.
    purchase_id uuid,
    owner_id uuid NOT NULL,
    source text NOT NULL,
    money_minor bigint NOT NULL CHECK (money_minor > 0),
    currency_code text NOT NULL,
    occur_time timestamptz NOT NULL,
    -- One place of each of the four for each unit of which something was taken back.
    unit_codes text[] NOT NULL,
    from_available_values bigint[] NOT NULL,
    as_debt_values bigint[] NOT NULL,
    waived_values bigint[] NOT NULL,
    PRIMARY KEY (program, refund_id),
    CONSTRAINT refund_purchase FOREIGN KEY (program, purchase_id) REFERENCES purchase (program, purchase_id),
    CONSTRAINT refund_taken_back CHECK (
        cardinality(unit_codes) = cardinality(from_available_values)
        AND cardinality(unit_codes) = cardinality(as_debt_values)
        AND cardinality(unit_codes) = cardinality(waived_values)
    )
);

-- What a source sent within a span of time, for its sums.
CREATE INDEX refund_of_source ON refund (program, source, occur_time);

ALTER TABLE refund ENABLE ROW LEVEL SECURITY;
ALTER TABLE refund FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON refund TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON refund TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
