-- Who is told of occasions, and how far that is: a day in a time zone is told of step by step, each step in the transaction
-- that writes its events, so that a step is made once, on whichever replica.
CREATE TABLE occasion_run (
    program uuid NOT NULL REFERENCES program (program),
    time_zone text COLLATE "C" NOT NULL,
    -- The program's day that it is about; empty for members' own occasions.
    day_code text COLLATE "C" NOT NULL,
    due_date date NOT NULL,
    -- The last that was told of; null at the beginning.
    after_member_id uuid,
    after_kind text,
    after_code text,
    done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (program, time_zone, day_code, due_date)
);

-- The job's question, across programs: what is left?
CREATE INDEX occasion_run_left ON occasion_run (due_date, program) WHERE NOT done;

ALTER TABLE occasion_run ENABLE ROW LEVEL SECURITY;
ALTER TABLE occasion_run FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON occasion_run TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON occasion_run TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- What was told in a year: once, also of those whose birthday or time zone changes meanwhile.
CREATE TABLE occasion_told (
    program uuid NOT NULL,
    year smallint NOT NULL,
    member_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    day_code text COLLATE "C" NOT NULL,
    PRIMARY KEY (program, year, member_id, kind, day_code)
);

ALTER TABLE occasion_told ENABLE ROW LEVEL SECURITY;
ALTER TABLE occasion_told FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON occasion_told TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON occasion_told TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- The time zones that members of a program have named: the job asks for them again and again.
CREATE TABLE occasion_zone (
    program uuid NOT NULL REFERENCES program (program),
    time_zone text COLLATE "C" NOT NULL,
    PRIMARY KEY (program, time_zone)
);

ALTER TABLE occasion_zone ENABLE ROW LEVEL SECURITY;
ALTER TABLE occasion_zone FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON occasion_zone TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON occasion_zone TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

INSERT INTO occasion_zone SELECT DISTINCT program, time_zone FROM contact_preference WHERE time_zone IS NOT NULL;

-- Members who were enrolled before occasions were known: a job notes their days, which it has to unseal.
ALTER TABLE member ADD COLUMN days_noted boolean NOT NULL DEFAULT false;
ALTER TABLE member ALTER COLUMN days_noted SET DEFAULT true;
CREATE INDEX member_days_noted ON member (program, member_id) WHERE NOT days_noted;
