-- What senders were told when they asked whether they may contact somebody. A yes is a contact: those of the last days
-- are what the next one is judged by.
CREATE TABLE contact_decision (
    program uuid NOT NULL,
    decision_id uuid NOT NULL,
    member_id uuid NOT NULL,
    channel text NOT NULL CHECK (channel IN ('EMAIL', 'SMS', 'MESSENGER', 'PUSH', 'CALL', 'PAPER')),
    purpose text NOT NULL CHECK (purpose IN ('SERVICE_QUALITY', 'SERVICE_MESSAGE', 'MARKETING')),
    topic text COLLATE "C" NOT NULL CHECK (char_length(topic) BETWEEN 1 AND 60),
    -- The rule that decided. ALLOWED is a yes, FREQUENCY_CAP not yet, the others are a no.
    rule text NOT NULL CHECK (rule IN ('ALLOWED', 'MEMBER_NOT_ACTIVE', 'TOPIC_OPT_OUT', 'FREQUENCY_CAP')),
    not_before_time timestamptz,
    decide_time timestamptz NOT NULL,
    PRIMARY KEY (program, decision_id),
    CONSTRAINT contact_decision_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id),
    CONSTRAINT contact_decision_not_before CHECK ((rule = 'FREQUENCY_CAP') = (not_before_time IS NOT NULL))
);

-- How often was somebody contacted lately?
CREATE INDEX contact_decision_allowed ON contact_decision (program, member_id, purpose, decide_time)
    WHERE rule = 'ALLOWED';

ALTER TABLE contact_decision ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_decision FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON contact_decision TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON contact_decision TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- What was decided stays decided.
REVOKE UPDATE, DELETE ON contact_decision FROM fealty_members, fealty_members_jobs;
