-- Answers. What somebody wrote is personal data, and here only as ciphertext.
CREATE TABLE answer (
    program uuid NOT NULL,
    answer_id uuid NOT NULL,
    invitation_id uuid NOT NULL,
    survey_id uuid NOT NULL,
    survey_version integer NOT NULL,
    member_id uuid NOT NULL,
    score smallint NOT NULL CHECK (score BETWEEN 0 AND 10),
    -- Under the person's own key; null where nothing was written.
    follow_up_text bytea,
    answer_time timestamptz NOT NULL,
    purchase_id uuid,
    PRIMARY KEY (program, answer_id),
    CONSTRAINT answer_invitation FOREIGN KEY (program, invitation_id) REFERENCES invitation (program, invitation_id)
);

-- The net below the lock on the invitation: one answer each.
CREATE UNIQUE INDEX answer_of_invitation ON answer (program, invitation_id);
-- Lists, newest first; and scores, which read nothing but the index.
CREATE INDEX answer_of_survey ON answer (program, survey_id, answer_time, answer_id) INCLUDE (score);

ALTER TABLE answer ENABLE ROW LEVEL SECURITY;
ALTER TABLE answer FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON answer TO fealty_surveys
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON answer TO fealty_surveys_owner, fealty_surveys_jobs
    USING (true) WITH CHECK (true);

-- An answer is given once. (An erasure deletes the key under which its words lie.)
REVOKE UPDATE, DELETE ON answer FROM fealty_surveys, fealty_surveys_jobs;
