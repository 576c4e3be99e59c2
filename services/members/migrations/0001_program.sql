-- A loyalty program is the tenant that everything else belongs to. Its key is called `program` here as in every other
-- table, so that the second fence (row-level security) reads the same everywhere.
CREATE TABLE program (
    program uuid PRIMARY KEY,
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 200),
    time_zone text NOT NULL,
    currency_code text NOT NULL,
    active boolean NOT NULL,
    -- Counts the changes: what an etag names.
    revision bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL
);

ALTER TABLE program ENABLE ROW LEVEL SECURITY;
ALTER TABLE program FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON program TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON program TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- Programs are never deleted here: an inactive one is refused everywhere.
REVOKE DELETE ON program FROM fealty_members, fealty_members_jobs;
