-- Budgets: how much a campaign, a partner or the program gives at the most. Postings that a budget pays for lock its row
-- after their owners, so that together they never give more than it has.
CREATE TABLE budget (
    program uuid NOT NULL REFERENCES program (program),
    budget_code text COLLATE "C" NOT NULL CHECK (budget_code ~ '^[a-z][a-z0-9_]{0,31}$'),
    -- What a request id leads to.
    budget_id uuid NOT NULL,
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 200),
    unit_code text NOT NULL,
    value_max bigint NOT NULL CHECK (value_max > 0),
    -- What transactions say that it has given, less what was taken back. The check is the last net under the code.
    value_used bigint NOT NULL CHECK (value_used BETWEEN 0 AND value_max),
    -- The owner who pays; NULL for the program itself.
    partner_id uuid,
    begin_time timestamptz,
    end_time timestamptz CHECK (end_time > begin_time),
    -- Counts the changes by calls: what an etag names.
    revision bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (program, budget_code),
    CONSTRAINT budget_budget_id UNIQUE (program, budget_id)
    -- Each batch that it pays for writes the row again, and no index holds what changes: with room on its page, that
    -- stays there (HOT).
) WITH (fillfactor = 20);

ALTER TABLE budget ENABLE ROW LEVEL SECURITY;
ALTER TABLE budget FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON budget TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON budget TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
