-- Owners: whoever holds points. An owner is the aggregate of the ledger: this row carries the lock that every posting
-- of the owner takes, the version that reads and events name, and the owner's newest time. Accounts and lots lie under
-- its lock, so they need none of their own.
--
-- No foreign keys here and in the tables below: rows are inserted by statements that select from the program's row or
-- under the owner's lock, nothing is ever deleted, and each key checked on every posting would cost a lock and a look.
CREATE TABLE owner (
    program     uuid        NOT NULL,
    owner_id    uuid        NOT NULL,
    -- 'member', 'partner' or 'staff'.
    kind        text        NOT NULL,
    -- Number of the newest transaction; 0 before the first.
    version     bigint      NOT NULL CHECK (version >= 0),
    -- record_time of the newest transaction, create_time before the first: an owner's time never runs backwards.
    last_time   timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, owner_id)
    -- The version changes with every posting and no index holds it, so updates stay on their page (HOT) as long as
    -- there is room.
) WITH (fillfactor = 80);

ALTER TABLE owner ENABLE ROW LEVEL SECURITY;
ALTER TABLE owner FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON owner TO fealty_ledger
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON owner TO fealty_ledger_owner, fealty_ledger_jobs
    USING (true) WITH CHECK (true);
