-- Tiers that were given by hand.
CREATE TABLE tier_grant (
    program uuid NOT NULL,
    tier_grant_id uuid NOT NULL,
    member_id uuid NOT NULL,
    ladder_code text NOT NULL,
    tier_code text NOT NULL,
    -- Null for never.
    end_time timestamptz,
    -- Who gave it: a staff member or a key.
    actor text NOT NULL,
    -- Words about a person, under the person's key.
    reason bytea NOT NULL,
    create_time timestamptz NOT NULL,
    revoke_time timestamptz,
    revoke_actor text,
    PRIMARY KEY (program, tier_grant_id),
    CONSTRAINT tier_grant_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id),
    CONSTRAINT tier_grant_ladder FOREIGN KEY (program, ladder_code) REFERENCES ladder (program, ladder_code),
    CONSTRAINT tier_grant_revoked CHECK ((revoke_time IS NULL) = (revoke_actor IS NULL))
);

CREATE INDEX tier_grant_member_id ON tier_grant (program, member_id, tier_grant_id);

ALTER TABLE tier_grant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tier_grant FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON tier_grant TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON tier_grant TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

REVOKE DELETE ON tier_grant FROM fealty_members, fealty_members_jobs;
