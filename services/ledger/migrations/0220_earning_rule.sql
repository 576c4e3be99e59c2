-- What purchases of a span of time earn in one unit.
CREATE TABLE earning_rule (
    program uuid NOT NULL REFERENCES program (program),
    rule_id uuid NOT NULL,
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 200),
    unit_code text NOT NULL,
    -- Cashback: units for one whole unit of currency, an exact decimal in plain digits.
    rate text NOT NULL CHECK (rate ~ '^[0-9]{1,7}(\.[0-9]{1,9})?$'),
    rounding text NOT NULL CHECK (rounding IN ('DOWN', 'HALF_EVEN', 'HALF_UP')),
    -- Purchases at or after this time; null for always.
    start_time timestamptz,
    -- Purchases before this time; null for ever. Equal to the start for a rule that was ended before it began.
    end_time timestamptz,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, rule_id),
    CONSTRAINT earning_rule_unit FOREIGN KEY (program, unit_code) REFERENCES unit (program, unit_code),
    CONSTRAINT earning_rule_span CHECK (start_time <= end_time)
);

-- Rules of one unit must not overlap: asked whenever one is made.
CREATE INDEX earning_rule_by_unit ON earning_rule (program, unit_code, start_time);

ALTER TABLE earning_rule ENABLE ROW LEVEL SECURITY;
ALTER TABLE earning_rule FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON earning_rule TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON earning_rule TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
