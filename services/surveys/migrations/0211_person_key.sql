-- The data key of everybody who has written something: their words lie only as ciphertext under it, and it lies only
-- wrapped under the master key, which is in no database. Without this row a person's words are gone for good, so this is
-- also the one row that an erasure has to delete.
CREATE TABLE person_key (
    program uuid NOT NULL REFERENCES program (program),
    member_id uuid NOT NULL,
    -- Wrapped.
    data_key bytea NOT NULL,
    -- Under which master key: what a rotation goes by.
    master_key_id text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, member_id)
);

ALTER TABLE person_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE person_key FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON person_key TO fealty_surveys
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON person_key TO fealty_surveys_owner, fealty_surveys_jobs
    USING (true) WITH CHECK (true);
