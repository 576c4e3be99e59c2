-- What an owner has of each unit. The sums could be taken from the lots, but debt has no lot, and an account tells that
-- a unit was ever held; so postings and balances read one short row per unit.
CREATE TABLE account (
    program   uuid   NOT NULL,
    owner_id  uuid   NOT NULL,
    unit_code text   NOT NULL,
    -- What is left in the lots, those included that have ended and are not written off yet: readers take these off.
    available bigint NOT NULL CHECK (available >= 0),
    -- What the owner owes; what is earned next pays it off first.
    debt      bigint NOT NULL CHECK (debt >= 0),
    PRIMARY KEY (program, owner_id, unit_code)
) WITH (fillfactor = 80);

ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE account FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON account TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON account TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
