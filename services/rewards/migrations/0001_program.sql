-- The programs that rewards serves: its copy of what the members service administers. Every other table's rows hang
-- on one of these, and inserts select from this table's one row of their program, so that they stay on its shard.
CREATE TABLE program (
    program uuid PRIMARY KEY,
    -- IANA name: month ends and the ends of lots are the program's own.
    time_zone text NOT NULL,
    -- ISO 4217: the money that the program counts in.
    currency_code text NOT NULL,
    -- Calls in an inactive program are refused.
    active boolean NOT NULL,
    -- Of two forms of the record, the one with the larger number is the newer.
    sequence bigint NOT NULL
);

ALTER TABLE program ENABLE ROW LEVEL SECURITY;
ALTER TABLE program FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON program TO fealty_rewards
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON program TO fealty_rewards_owner, fealty_rewards_jobs
    USING (true) WITH CHECK (true);
