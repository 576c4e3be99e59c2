-- Whether the people who hold keys are still active: this service's copy of what the members service administers.
CREATE TABLE staff (
    program uuid NOT NULL,
    staff_id uuid NOT NULL,
    active boolean NOT NULL,
    -- Of two forms of the record, the one with the larger number is the newer.
    sequence bigint NOT NULL,
    PRIMARY KEY (program, staff_id)
);

ALTER TABLE staff ENABLE ROW LEVEL SECURITY;
ALTER TABLE staff FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON staff TO fealty_rewards
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON staff TO fealty_rewards_owner, fealty_rewards_jobs
    USING (true) WITH CHECK (true);
