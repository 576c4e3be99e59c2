-- Members decides about contacts by more rules and channels, and is told what became of those that it allowed.
ALTER TABLE invitation
    DROP CONSTRAINT invitation_channel_check,
    DROP CONSTRAINT invitation_contact_rule_check,
    ADD CONSTRAINT invitation_channel_check CHECK (
        channel IN ('EMAIL', 'SMS', 'MESSENGER', 'PUSH', 'CALL', 'PAPER', 'VIBER', 'FAX')),
    ADD CONSTRAINT invitation_contact_rule_check CHECK (
        contact_rule IN ('ALLOWED', 'MEMBER_NOT_ACTIVE', 'TOPIC_OPT_OUT', 'NO_CONSENT', 'POLICY_NOT_ACCEPTED',
            'CHANNEL_NOT_WANTED', 'ADDRESS_MISSING', 'FREQUENCY_CAP', 'MIX', 'QUIET_HOURS'));

-- The contact that members reserved for an invitation.
CREATE TABLE invitation_contact (
    program uuid NOT NULL,
    invitation_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    PRIMARY KEY (program, invitation_id),
    CONSTRAINT invitation_contact_invitation FOREIGN KEY (program, invitation_id)
        REFERENCES invitation (program, invitation_id)
);

ALTER TABLE invitation_contact ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitation_contact FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON invitation_contact TO fealty_surveys
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON invitation_contact TO fealty_surveys_owner, fealty_surveys_jobs
    USING (true) WITH CHECK (true);

-- An invitation is decided once.
REVOKE UPDATE, DELETE ON invitation_contact FROM fealty_surveys, fealty_surveys_jobs;
