-- The companies of the group that runs a program: consent is given to one of them, or to the group.
CREATE TABLE company (
    program uuid NOT NULL REFERENCES program (program),
    -- In the order of its bytes, whatever the database's language.
    company_code text COLLATE "C" NOT NULL CHECK (char_length(company_code) BETWEEN 1 AND 40),
    company_id uuid NOT NULL,
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 200),
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, company_code),
    -- What a request made is found by its id.
    CONSTRAINT company_id UNIQUE (program, company_id)
);

ALTER TABLE company ENABLE ROW LEVEL SECURITY;
ALTER TABLE company FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON company TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON company TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- Consents name them for ever.
REVOKE UPDATE, DELETE ON company FROM fealty_members, fealty_members_jobs;
