-- Who read which personal data: written before the answer, never changed. It names members by their ids and says which
-- fields, never what they were.
CREATE TABLE personal_read (
    program uuid NOT NULL,
    -- Version 7: in the order of the reads.
    read_id uuid NOT NULL,
    actor text NOT NULL,
    read_time timestamptz NOT NULL,
    member_id uuid NOT NULL,
    fields text[] NOT NULL,
    method text NOT NULL,
    PRIMARY KEY (program, read_id)
);

CREATE INDEX personal_read_member ON personal_read (program, member_id, read_id);
CREATE INDEX personal_read_actor ON personal_read (program, actor, read_id);

ALTER TABLE personal_read ENABLE ROW LEVEL SECURITY;
ALTER TABLE personal_read FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON personal_read TO fealty_surveys
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON personal_read TO fealty_surveys_owner, fealty_surveys_jobs
    USING (true) WITH CHECK (true);
REVOKE UPDATE, DELETE ON personal_read FROM fealty_surveys, fealty_surveys_jobs;
