-- Surveys: of whom something is asked, and when. What is asked is in their versions.
CREATE TABLE survey (
    program uuid NOT NULL REFERENCES program (program),
    survey_id uuid NOT NULL,
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 200),
    -- Under which members are asked, and from which they can opt out.
    topic text NOT NULL CHECK (topic ~ '^[a-z0-9_-]{1,60}$'),
    -- The newest version; 0 before the first.
    current_version integer NOT NULL CHECK (current_version >= 0),
    -- When the first version was published: purchases from before it ask nobody.
    open_time timestamptz,
    close_time timestamptz,
    -- How long after a purchase; null for surveys that invite nobody by themselves.
    trigger_delay_seconds integer CHECK (trigger_delay_seconds BETWEEN 0 AND 2592000),
    -- Purchases below it invite nobody.
    trigger_amount_minor_min bigint CHECK (trigger_amount_minor_min >= 0),
    invitation_life_days integer NOT NULL CHECK (invitation_life_days BETWEEN 1 AND 365),
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, survey_id),
    CONSTRAINT survey_open CHECK ((open_time IS NULL) = (current_version = 0)),
    CONSTRAINT survey_trigger CHECK ((trigger_delay_seconds IS NULL) = (trigger_amount_minor_min IS NULL))
);

-- Lists go by the order in which they were made.
CREATE INDEX survey_create_time ON survey (program, create_time, survey_id);
-- Asked for each purchase: which surveys does it concern? Also bounds how many may be open.
CREATE INDEX survey_not_closed ON survey (program) WHERE close_time IS NULL;

ALTER TABLE survey ENABLE ROW LEVEL SECURITY;
ALTER TABLE survey FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON survey TO fealty_surveys
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON survey TO fealty_surveys_owner, fealty_surveys_jobs
    USING (true) WITH CHECK (true);

-- Answers refer to them.
REVOKE DELETE ON survey FROM fealty_surveys, fealty_surveys_jobs;
