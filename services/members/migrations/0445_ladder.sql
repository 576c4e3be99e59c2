-- Ladders of tiers, in versions: where a member stands follows from the versions that were in force, one after the other.
CREATE TABLE ladder (
    program uuid NOT NULL REFERENCES program (program),
    ladder_code text NOT NULL CHECK (char_length(ladder_code) BETWEEN 1 AND 40),
    -- The newest.
    version bigint NOT NULL CHECK (version > 0),
    -- Counts what changes the tiers of many: versions, and the retirement. A member's row that was written by an older one
    -- is not believed.
    revision bigint NOT NULL CHECK (revision > 0),
    retire_time timestamptz,
    -- The revision by which all members are being judged, or have been: how far the job has come (null from the first
    -- member on), and whether it has come to the end.
    swept_revision bigint NOT NULL DEFAULT 0,
    sweep_after_member_id uuid,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, ladder_code)
);

-- The job's question, across programs: is there anything to sweep? Nearly always not.
CREATE INDEX ladder_to_sweep ON ladder (program, ladder_code) WHERE swept_revision < revision;

ALTER TABLE ladder ENABLE ROW LEVEL SECURITY;
ALTER TABLE ladder FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON ladder TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON ladder TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

CREATE TABLE ladder_version (
    program uuid NOT NULL,
    ladder_code text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    -- What a request made.
    publication_id uuid NOT NULL,
    -- Names, thresholds and benefits, as one value: they are only ever read together.
    definition jsonb NOT NULL,
    -- The day of the program's time zone from which on it is in force.
    start_day date NOT NULL,
    -- Who published it: a staff member or a key.
    actor text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, ladder_code, version),
    CONSTRAINT ladder_version_publication UNIQUE (program, publication_id),
    CONSTRAINT ladder_version_ladder FOREIGN KEY (program, ladder_code) REFERENCES ladder (program, ladder_code)
);

ALTER TABLE ladder_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE ladder_version FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON ladder_version TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON ladder_version TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- What was in force is what members were judged by.
REVOKE UPDATE, DELETE ON ladder_version FROM fealty_members, fealty_members_jobs;
