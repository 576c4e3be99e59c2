-- Owners transfer points to each other where the program allows it, unit by unit.

-- {"value_min", "value_max", "day_value_max", "day_count_max"}, those without a bound left out; NULL for not at all. One
-- value, because it is always read and written whole, with its unit.
ALTER TABLE unit ADD COLUMN transfer_rules jsonb CHECK (jsonb_typeof(transfer_rules) = 'object');

-- What an owner has sent on the last day on which they sent any: one row for each owner and unit, kept under the owner's
-- lock, so that the bounds of a day are exact and nobody has to add up the day.
CREATE TABLE transfer_day (
    program    uuid   NOT NULL,
    owner_id   uuid   NOT NULL,
    unit_code  text   NOT NULL,
    -- A calendar day in the program's time zone.
    day        date   NOT NULL,
    sent_value bigint NOT NULL CHECK (sent_value > 0),
    sent_count bigint NOT NULL CHECK (sent_count > 0),
    PRIMARY KEY (program, owner_id, unit_code)
);

ALTER TABLE transfer_day ENABLE ROW LEVEL SECURITY;
ALTER TABLE transfer_day FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON transfer_day TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON transfer_day TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
REVOKE DELETE ON transfer_day FROM fealty_ledger, fealty_ledger_jobs;
