-- When the contract with a member ended: how long their data is kept follows from it.
CREATE TABLE contract_end (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    -- The last day.
    end_date date NOT NULL,
    -- The first day on which the data may be erased.
    purgeable_from date NOT NULL,
    actor text NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (program, member_id),
    CONSTRAINT contract_end_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id),
    CONSTRAINT contract_end_kept CHECK (purgeable_from > end_date)
);

CREATE INDEX contract_end_purgeable ON contract_end (program, purgeable_from, member_id);

ALTER TABLE contract_end ENABLE ROW LEVEL SECURITY;
ALTER TABLE contract_end FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON contract_end TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON contract_end TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- Why data is not to be erased, whoever asks.
CREATE TABLE legal_hold (
    program uuid NOT NULL,
    legal_hold_id uuid NOT NULL,
    member_id uuid NOT NULL,
    -- As the program's lawyers number it.
    case_reference text NOT NULL CHECK (char_length(case_reference) BETWEEN 1 AND 100),
    placed_by text NOT NULL,
    place_time timestamptz NOT NULL,
    lift_time timestamptz,
    PRIMARY KEY (program, legal_hold_id),
    CONSTRAINT legal_hold_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id)
);

CREATE INDEX legal_hold_open ON legal_hold (program, member_id, place_time, legal_hold_id) WHERE lift_time IS NULL;

ALTER TABLE legal_hold ENABLE ROW LEVEL SECURITY;
ALTER TABLE legal_hold FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON legal_hold TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON legal_hold TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
REVOKE DELETE ON legal_hold FROM fealty_members, fealty_members_jobs;
