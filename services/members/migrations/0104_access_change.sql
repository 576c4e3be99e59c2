-- Where each access record (program, key, staff member) stands in the feed that the other services read: at its newest
-- change, written in that change's own transaction. One row per record, not per change: the feed hands out records
-- whole, so an older change of the same record has nothing left to say, and the feed never outgrows its records.
CREATE TABLE access_change (
    program uuid NOT NULL,
    record_kind text NOT NULL CHECK (record_kind IN ('PROGRAM', 'API_KEY', 'STAFF')),
    record_id uuid NOT NULL,
    -- Readers see what lies below the oldest transaction still running, so that one which took its number early and
    -- commits late is never skipped.
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- Taken under the record's own lock: of two changes of one record the newer has the larger number.
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (program, record_kind, record_id)
);

-- The feed's order.
CREATE UNIQUE INDEX access_change_position ON access_change (transaction_id, sequence);

ALTER TABLE access_change ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_change FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON access_change TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON access_change TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- A record that goes would be one that the other services keep.
REVOKE DELETE ON access_change FROM fealty_members, fealty_members_jobs;
