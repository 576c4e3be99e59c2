-- Invitations, each of one member to one version of a survey. That one has passed its end is told by the time, not by a
-- status: no job has to come by for it to be true.
CREATE TABLE invitation (
    program uuid NOT NULL,
    invitation_id uuid NOT NULL,
    survey_id uuid NOT NULL,
    survey_version integer NOT NULL,
    member_id uuid NOT NULL,
    -- How the member is to be contacted.
    channel text NOT NULL CHECK (channel IN ('EMAIL', 'SMS', 'MESSENGER', 'PUSH', 'CALL', 'PAPER')),
    -- The purchase that it asks about; null for invitations made by hand.
    purchase_id uuid,
    status text NOT NULL CHECK (status IN ('PLANNED', 'DUE', 'SENT', 'ANSWERED', 'SUPPRESSED')),
    -- The rule that decided about the contact last; null before, and where the survey was closed first.
    contact_rule text CHECK (
        contact_rule IN ('ALLOWED', 'MEMBER_NOT_ACTIVE', 'TOPIC_OPT_OUT', 'FREQUENCY_CAP')
    ),
    due_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    -- While it is planned: from when on a replica may decide about it. Whoever takes it moves the time, so that no other
    -- does the same meanwhile. Null for what is decided, and for what passed its end undecided.
    decide_after timestamptz,
    -- How often the members service said "not yet": each time it is asked again is an attempt of its own.
    postponed_count integer NOT NULL DEFAULT 0 CHECK (postponed_count >= 0),
    -- SHA-256 of the token in the link: whoever reads this table can answer for nobody.
    token_sha256 bytea CHECK (octet_length(token_sha256) = 32),
    answer_id uuid,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, invitation_id),
    CONSTRAINT invitation_version FOREIGN KEY (program, survey_id, survey_version)
        REFERENCES survey_version (program, survey_id, version),
    CONSTRAINT invitation_decide_after CHECK (decide_after IS NULL OR status = 'PLANNED'),
    CONSTRAINT invitation_token CHECK ((token_sha256 IS NOT NULL) = (status IN ('SENT', 'ANSWERED'))),
    CONSTRAINT invitation_answer CHECK ((answer_id IS NOT NULL) = (status = 'ANSWERED')),
    CONSTRAINT invitation_life CHECK (expire_time > due_time)
);

-- A purchase invites once to each survey, however often it is heard of.
CREATE UNIQUE INDEX invitation_purchase ON invitation (program, survey_id, purchase_id) WHERE purchase_id IS NOT NULL;
-- Whoever answers is found by the token.
CREATE UNIQUE INDEX invitation_token_sha256 ON invitation (program, token_sha256) WHERE token_sha256 IS NOT NULL;
-- Lists: of a survey, and of one member in it, newest first.
CREATE INDEX invitation_of_survey ON invitation (program, survey_id, create_time, invitation_id);
CREATE INDEX invitation_of_member ON invitation (program, survey_id, member_id, create_time, invitation_id);
-- The job's question, across programs: who is left to decide about?
CREATE INDEX invitation_decide_after ON invitation (decide_after) WHERE decide_after IS NOT NULL;

ALTER TABLE invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitation FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON invitation TO fealty_surveys
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON invitation TO fealty_surveys_owner, fealty_surveys_jobs
    USING (true) WITH CHECK (true);

-- What was asked of whom is never unasked.
REVOKE DELETE ON invitation FROM fealty_surveys, fealty_surveys_jobs;
