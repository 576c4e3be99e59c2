-- What a program counts: points, stamps, bonus roubles.
CREATE TABLE unit (
    program uuid NOT NULL REFERENCES program (program),
    unit_code text COLLATE "C" NOT NULL CHECK (unit_code ~ '^[a-z][a-z0-9_]{0,31}$'),
    -- What a request id leads to.
    unit_id uuid NOT NULL,
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 200),
    -- Decimals.
    scale integer NOT NULL CHECK (scale BETWEEN 0 AND 6),
    -- Null for lots that never end by themselves.
    lot_life_days integer CHECK (lot_life_days BETWEEN 1 AND 36500),
    shortfall_policy text NOT NULL CHECK (shortfall_policy IN ('DEBT', 'WAIVE')),
    debt_max bigint NOT NULL CHECK (debt_max >= 0),
    -- Counts the changes: what an etag names.
    revision bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (program, unit_code),
    CONSTRAINT unit_unit_id UNIQUE (program, unit_id)
);

ALTER TABLE unit ENABLE ROW LEVEL SECURITY;
ALTER TABLE unit FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON unit TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON unit TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
