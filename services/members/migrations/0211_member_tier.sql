-- In which tier somebody was from when on: what is judged later is judged by the tier of its own time.
CREATE TABLE member_tier (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    -- 1, 2, 3 ... for the member.
    revision bigint NOT NULL CHECK (revision > 0),
    -- Null for none.
    tier_code text CHECK (char_length(tier_code) BETWEEN 1 AND 40),
    -- Who changed it: a staff member or a key.
    actor text NOT NULL,
    -- Why, if they said: words about a person, under the person's key.
    reason bytea,
    set_time timestamptz NOT NULL,
    PRIMARY KEY (program, member_id, revision),
    CONSTRAINT member_tier_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id)
);

ALTER TABLE member_tier ENABLE ROW LEVEL SECURITY;
ALTER TABLE member_tier FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON member_tier TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON member_tier TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- A history is added to, never changed.
REVOKE UPDATE, DELETE ON member_tier FROM fealty_members, fealty_members_jobs;
