-- Members who share one account. Who belongs to it is told by table member.
CREATE TABLE household (
    program uuid NOT NULL REFERENCES program (program),
    household_id uuid NOT NULL,
    -- Whether the ledger has opened its account and given it to the first member. Before, nobody is told of it.
    ledger_confirmed boolean NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, household_id)
);

ALTER TABLE household ENABLE ROW LEVEL SECURITY;
ALTER TABLE household FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON household TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON household TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- Its account stays in the books.
REVOKE DELETE ON household FROM fealty_members, fealty_members_jobs;

ALTER TABLE member ADD CONSTRAINT member_household FOREIGN KEY (program, household_id)
    REFERENCES household (program, household_id);
