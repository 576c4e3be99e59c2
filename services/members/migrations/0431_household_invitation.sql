-- Invitations to households. One that has passed its end is over from that instant on, whatever its row
-- says; it is written down when the next one takes its place.
CREATE TABLE household_invitation (
    program       uuid        NOT NULL,
    invitation_id uuid        NOT NULL,
    household_id  uuid        NOT NULL,
    -- Who is invited.
    member_id     uuid        NOT NULL,
    -- Who invited them; NULL for the program.
    by_member_id  uuid,
    role          text        NOT NULL CHECK (role IN ('ADULT', 'CHILD')),
    limits        jsonb CHECK (jsonb_typeof(limits) = 'array'),
    status        text        NOT NULL CHECK (status IN ('OPEN', 'ACCEPTED', 'DECLINED', 'WITHDRAWN', 'EXPIRED')),
    expire_time   timestamptz NOT NULL,
    create_time   timestamptz NOT NULL,
    PRIMARY KEY (program, invitation_id),
    CONSTRAINT household_invitation_household FOREIGN KEY (program, household_id)
        REFERENCES household (program, household_id),
    CONSTRAINT household_invitation_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id)
);

-- One of a household to a member is open.
CREATE UNIQUE INDEX household_invitation_open ON household_invitation (program, household_id, member_id)
    WHERE status = 'OPEN';
CREATE INDEX household_invitation_of_household ON household_invitation (program, household_id, invitation_id);
CREATE INDEX household_invitation_to_member ON household_invitation (program, member_id, invitation_id);

ALTER TABLE household_invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE household_invitation FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON household_invitation TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON household_invitation TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
REVOKE DELETE ON household_invitation FROM fealty_members, fealty_members_jobs;
