-- The numbers by which a program contacts its members. A program without a row has the defaults, which stand in the code.
CREATE TABLE contact_settings (
    program uuid PRIMARY KEY REFERENCES program (program),
    commercial_count_max integer NOT NULL CHECK (commercial_count_max BETWEEN 0 AND 100),
    commercial_window_days integer NOT NULL CHECK (commercial_window_days BETWEEN 1 AND 90),
    service_quality_count_max integer NOT NULL CHECK (service_quality_count_max BETWEEN 0 AND 100),
    service_quality_window_days integer NOT NULL CHECK (service_quality_window_days BETWEEN 1 AND 365),
    commercial_run_max integer NOT NULL CHECK (commercial_run_max BETWEEN 1 AND 100),
    commercial_run_window_days integer NOT NULL CHECK (commercial_run_window_days BETWEEN 1 AND 365),
    quiet_begin_minute integer NOT NULL CHECK (quiet_begin_minute BETWEEN 0 AND 1439),
    quiet_end_minute integer NOT NULL CHECK (quiet_end_minute BETWEEN 0 AND 1439),
    reservation_minutes integer NOT NULL CHECK (reservation_minutes BETWEEN 1 AND 43200),
    -- Counts the changes: what an etag names.
    revision bigint NOT NULL
);

ALTER TABLE contact_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_settings FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON contact_settings TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON contact_settings TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- Nobody goes back to before the first revision.
REVOKE DELETE ON contact_settings FROM fealty_members, fealty_members_jobs;
