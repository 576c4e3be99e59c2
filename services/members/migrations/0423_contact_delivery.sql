-- What became of contacts that were allowed.
CREATE TABLE contact_delivery (
    program uuid NOT NULL,
    decision_id uuid NOT NULL,
    delivered boolean NOT NULL,
    report_time timestamptz NOT NULL,
    PRIMARY KEY (program, decision_id),
    CONSTRAINT contact_delivery_decision FOREIGN KEY (program, decision_id)
        REFERENCES contact_decision (program, decision_id)
);

ALTER TABLE contact_delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON contact_delivery TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON contact_delivery TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- What was reported first stays.
REVOKE UPDATE, DELETE ON contact_delivery FROM fealty_members, fealty_members_jobs;
