-- The people who work with a program: whose name stands under what they did, and who may hold keys.
CREATE TABLE staff (
    program uuid NOT NULL REFERENCES program (program),
    staff_id uuid NOT NULL,
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 200),
    -- The program's own number for the person; null where it gave none.
    external_id text CHECK (char_length(external_id) BETWEEN 1 AND 64),
    active boolean NOT NULL,
    -- Counts the changes: what an etag names.
    revision bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (program, staff_id),
    CONSTRAINT staff_external_id UNIQUE (program, external_id)
);

ALTER TABLE staff ENABLE ROW LEVEL SECURITY;
ALTER TABLE staff FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON staff TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON staff TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- Staff are never deleted: their names stand under what they did.
REVOKE DELETE ON staff FROM fealty_members, fealty_members_jobs;
