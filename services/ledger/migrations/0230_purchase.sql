-- What tills sent: each purchase with what it earned and what has been refunded of it. The transaction of the same id
-- says what it did to the owner's accounts; here is what the transaction cannot know: which rule gave what, and what
-- later refunds took back. It changes only under its owner's lock.
CREATE TABLE purchase (
    program uuid NOT NULL REFERENCES program (program),
    -- Also the id of the transaction that recorded it.
    purchase_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    -- The owner's version that it made: the order of an owner's purchases.
    version bigint NOT NULL CHECK (version > 0),
    source text NOT NULL,
    receipt_id text NOT NULL,
    money_minor bigint NOT NULL CHECK (money_minor >= 0),
    currency_code text NOT NULL,
    occur_time timestamptz NOT NULL,
    record_time timestamptz NOT NULL,
    -- One place of each of the five for each rule that gave something: arrays instead of rows of their own, because they
    -- are written and read with their purchase alone.
    rule_ids uuid[] NOT NULL,
    unit_codes text[] NOT NULL,
    earned_values bigint[] NOT NULL,
    debt_repaid_values bigint[] NOT NULL,
    taken_back_values bigint[] NOT NULL,
    -- Where it was credited: what a refund takes from first.
    lot_ids uuid[] NOT NULL,
    refunded_minor bigint NOT NULL CHECK (refunded_minor BETWEEN 0 AND money_minor),
    PRIMARY KEY (program, purchase_id),
    CONSTRAINT purchase_earnings CHECK (
        cardinality(rule_ids) = cardinality(unit_codes)
        AND cardinality(rule_ids) = cardinality(earned_values)
        AND cardinality(rule_ids) = cardinality(debt_repaid_values)
        AND cardinality(rule_ids) = cardinality(taken_back_values)
    )
);

-- An owner's purchases, the latest recorded first.
CREATE UNIQUE INDEX purchase_of_owner ON purchase (program, owner_id, version);
-- What a source sent within a span of time, for its sums.
CREATE INDEX purchase_of_source ON purchase (program, source, occur_time);

ALTER TABLE purchase ENABLE ROW LEVEL SECURITY;
ALTER TABLE purchase FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON purchase TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON purchase TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
