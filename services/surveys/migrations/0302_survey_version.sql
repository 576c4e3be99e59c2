-- What a survey asks, in versions. Whoever was invited is asked what the version of their invitation asks, and an answer
-- means something only beside its question: so nobody who serves calls can change or delete a version.
CREATE TABLE survey_version (
    program uuid NOT NULL,
    survey_id uuid NOT NULL,
    -- 1, 2, 3 ... within the survey.
    version integer NOT NULL CHECK (version > 0),
    score_question text NOT NULL CHECK (char_length(score_question) BETWEEN 1 AND 500),
    -- One place of each of the three for each follow-up, in their order: arrays, because they are read with their version
    -- alone.
    follow_up_groups text[] NOT NULL,
    follow_up_questions text[] NOT NULL,
    follow_up_required boolean[] NOT NULL,
    publish_time timestamptz NOT NULL,
    PRIMARY KEY (program, survey_id, version),
    CONSTRAINT survey_version_survey FOREIGN KEY (program, survey_id) REFERENCES survey (program, survey_id),
    CONSTRAINT survey_version_follow_ups CHECK (
        cardinality(follow_up_groups) <= 3
        AND cardinality(follow_up_groups) = cardinality(follow_up_questions)
        AND cardinality(follow_up_groups) = cardinality(follow_up_required)
    )
);

ALTER TABLE survey_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE survey_version FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON survey_version TO fealty_surveys
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON survey_version TO fealty_surveys_owner, fealty_surveys_jobs
    USING (true) WITH CHECK (true);

REVOKE UPDATE, DELETE ON survey_version FROM fealty_surveys, fealty_surveys_jobs;
