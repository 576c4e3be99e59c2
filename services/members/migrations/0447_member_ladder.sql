-- Where members stand on ladders, as far as it was told. It holds until `due_time`, and only while `revision` is the
-- ladder's; past that whoever asks judges anew. Who has no row has no tier.
CREATE TABLE member_ladder (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    ladder_code text NOT NULL,
    revision bigint NOT NULL CHECK (revision > 0),
    -- By what they earned, and with what is granted; null for none.
    earned_tier_code text,
    tier_code text,
    -- The next instant at which time alone may change it.
    due_time timestamptz,
    -- From where their history is judged: set when days are put together that are too old for any period.
    checkpoint_day date,
    checkpoint_version bigint,
    checkpoint_tier_code text,
    checkpoint_below_since date,
    PRIMARY KEY (program, member_id, ladder_code),
    CONSTRAINT member_ladder_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id),
    CONSTRAINT member_ladder_ladder FOREIGN KEY (program, ladder_code) REFERENCES ladder (program, ladder_code),
    CONSTRAINT member_ladder_checkpoint CHECK ((checkpoint_day IS NULL) = (checkpoint_version IS NULL))
);

-- The job's question, across programs: whose time has come?
CREATE INDEX member_ladder_due_time ON member_ladder (due_time) WHERE due_time IS NOT NULL;

ALTER TABLE member_ladder ENABLE ROW LEVEL SECURITY;
ALTER TABLE member_ladder FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON member_ladder TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON member_ladder TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- How a member came into their tiers and out of them.
CREATE TABLE tier_change (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    -- 1, 2, 3 ... for the member.
    revision bigint NOT NULL CHECK (revision > 0),
    ladder_code text NOT NULL,
    ladder_version bigint NOT NULL,
    from_tier_code text,
    to_tier_code text,
    cause text NOT NULL,
    -- Since when it holds, and when it was recorded.
    change_time timestamptz NOT NULL,
    record_time timestamptz NOT NULL,
    PRIMARY KEY (program, member_id, revision),
    CONSTRAINT tier_change_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id)
);

ALTER TABLE tier_change ENABLE ROW LEVEL SECURITY;
ALTER TABLE tier_change FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON tier_change TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON tier_change TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- A history is added to, never changed.
REVOKE UPDATE, DELETE ON tier_change FROM fealty_members, fealty_members_jobs;
