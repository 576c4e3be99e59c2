-- Days that are occasions of members: months and days alone, which say when to greet and not who somebody is. The day of
-- joining is that of the program's clock, with its year.
CREATE TABLE occasion_day (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('BIRTHDAY', 'JOINING_ANNIVERSARY', 'MEMBER_DAY')),
    -- Of a member's own day; empty for the others.
    day_code text COLLATE "C" NOT NULL CHECK (char_length(day_code) <= 40),
    -- Month times 100 plus day.
    month_day smallint NOT NULL CHECK (month_day BETWEEN 101 AND 1231),
    year smallint,
    PRIMARY KEY (program, member_id, kind, day_code),
    CONSTRAINT occasion_day_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id),
    CONSTRAINT occasion_day_code CHECK ((kind = 'MEMBER_DAY') = (day_code <> '')),
    CONSTRAINT occasion_day_year CHECK ((kind = 'JOINING_ANNIVERSARY') = (year IS NOT NULL))
);

-- Whose occasion is on a day?
CREATE INDEX occasion_day_due ON occasion_day (program, month_day, member_id, kind, day_code);

ALTER TABLE occasion_day ENABLE ROW LEVEL SECURITY;
ALTER TABLE occasion_day FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON occasion_day TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON occasion_day TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- Days that are everybody's in the program.
CREATE TABLE program_day (
    program uuid NOT NULL REFERENCES program (program),
    day_code text COLLATE "C" NOT NULL CHECK (char_length(day_code) BETWEEN 1 AND 40),
    display_name text NOT NULL,
    month_day smallint NOT NULL CHECK (month_day BETWEEN 101 AND 1231),
    -- Of a day that is only once; null for each year's.
    year smallint,
    PRIMARY KEY (program, day_code)
);

ALTER TABLE program_day ENABLE ROW LEVEL SECURITY;
ALTER TABLE program_day FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON program_day TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON program_day TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
