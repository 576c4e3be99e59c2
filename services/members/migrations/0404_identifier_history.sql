-- A phone number or e-mail address that the member showed to be theirs, when, and who says so.
ALTER TABLE identifier
    ADD COLUMN verify_time timestamptz,
    ADD COLUMN verified_by text,
    ADD CONSTRAINT identifier_verified CHECK (
        (verify_time IS NULL) = (verified_by IS NULL)
        AND (verify_time IS NULL OR kind IN ('PHONE_NUMBER', 'EMAIL_ADDRESS')));
GRANT UPDATE (verify_time, verified_by) ON identifier TO fealty_members;

-- What became of identifiers, also of those that are gone: never what they say.
CREATE TABLE identifier_history (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    -- Version 7: in the order of what happened.
    entry_id uuid NOT NULL,
    identifier_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('EXTERNAL_ID', 'CARD_NUMBER', 'PHONE_NUMBER', 'EMAIL_ADDRESS')),
    change text NOT NULL CHECK (change IN ('ADDED', 'REMOVED', 'VERIFIED', 'BLOCKED', 'REPLACED')),
    -- Of a card that ended.
    end_reason text
        CHECK (end_reason IN ('LOST', 'STOLEN', 'DAMAGED', 'MISUSED', 'UPGRADED', 'OTHER')),
    -- Of a card that was replaced: by which.
    replaced_by_identifier_id uuid,
    -- Who did it: a staff member or a key.
    actor text NOT NULL,
    change_time timestamptz NOT NULL,
    PRIMARY KEY (program, member_id, entry_id),
    CONSTRAINT identifier_history_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id)
);

ALTER TABLE identifier_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE identifier_history FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON identifier_history TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON identifier_history TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
REVOKE UPDATE, DELETE ON identifier_history FROM fealty_members, fealty_members_jobs;
