-- What counts towards tiers, of every member and whatever ladders there are, so that a ladder that is published later knows
-- what came before. One row per day and measure; what is too old for any period lies under the day 0001-01-01.
CREATE TABLE qualification_day (
    program uuid NOT NULL,
    -- Who earned it: also one who was merged into another since.
    member_id uuid NOT NULL,
    -- 'earned:' and a unit, 'spend:' and a currency, 'purchases', 'visits' (of the oldest days only).
    measure text NOT NULL CHECK (char_length(measure) BETWEEN 1 AND 60),
    day date NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (program, member_id, measure, day)
);

ALTER TABLE qualification_day ENABLE ROW LEVEL SECURITY;
ALTER TABLE qualification_day FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON qualification_day TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON qualification_day TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- The ledger's transactions that count, so that each counts once, and what takes one back is taken from its own day.
CREATE TABLE qualification_source (
    program uuid NOT NULL,
    transaction_id uuid NOT NULL,
    -- Of a purchase: refunds name it.
    purchase_id uuid,
    -- Under which day it counts.
    day date NOT NULL,
    -- Of a purchase: the money that was not refunded yet, in minor units; null once all of it was.
    left_minor bigint,
    -- Of a purchase: what it earned at once and was not taken back yet, one value for each unit.
    unit_codes text[] NOT NULL,
    left_values bigint[] NOT NULL CHECK (cardinality(unit_codes) = cardinality(left_values)),
    record_time timestamptz NOT NULL,
    PRIMARY KEY (program, transaction_id)
);

CREATE UNIQUE INDEX qualification_source_purchase ON qualification_source (program, purchase_id)
    WHERE purchase_id IS NOT NULL;
-- Forgotten when it is older than anything that is refunded.
CREATE INDEX qualification_source_record_time ON qualification_source (record_time);

ALTER TABLE qualification_source ENABLE ROW LEVEL SECURITY;
ALTER TABLE qualification_source FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON qualification_source TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON qualification_source TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
