-- People whom members has erased. The row outlives them: it is confirmed to members, and tells what comes late that there
-- is nobody any more.
CREATE TABLE person_erasure (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    erasure_id uuid NOT NULL,
    erase_time timestamptz NOT NULL,
    -- Null while members has not been told.
    confirm_time timestamptz,
    PRIMARY KEY (program, member_id)
);

CREATE INDEX person_erasure_open ON person_erasure (erase_time) WHERE confirm_time IS NULL;

ALTER TABLE person_erasure ENABLE ROW LEVEL SECURITY;
ALTER TABLE person_erasure FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON person_erasure TO fealty_surveys
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON person_erasure TO fealty_surveys_owner, fealty_surveys_jobs
    USING (true) WITH CHECK (true);
REVOKE DELETE ON person_erasure FROM fealty_surveys, fealty_surveys_jobs;

-- Answers do not change; only what an erased person wrote goes.
GRANT UPDATE (follow_up_text) ON answer TO fealty_surveys_jobs;
