-- The ledger's transactions are its events: a row with a version is one, and stands in the feed at (feed_xid, program,
-- owner_id, version). Why that order loses nobody and keeps each owner's own is told in fealty_postgres::events: a
-- transaction's feed_xid is the id of the database transaction that wrote it, or the owner's last one if that is larger.

-- The feed_xid of the owner's newest transaction, kept under the owner's lock. The default is for owners who are opened;
-- those who are there all get this migration's own number, which keeps their transactions in order by their versions.
ALTER TABLE owner ADD COLUMN feed_xid xid8 NOT NULL DEFAULT pg_current_xact_id();

ALTER TABLE transaction ADD COLUMN feed_xid xid8 DEFAULT pg_current_xact_id();
-- From here on it is always told.
ALTER TABLE transaction ALTER COLUMN feed_xid DROP DEFAULT;
ALTER TABLE transaction ADD CONSTRAINT transaction_feed_xid CHECK (version IS NULL OR feed_xid IS NOT NULL);

-- The feed's order: over all programs, and within one.
CREATE INDEX transaction_feed ON transaction (feed_xid, program, owner_id, version) WHERE version IS NOT NULL;
CREATE INDEX transaction_program_feed ON transaction (program, feed_xid, owner_id, version) WHERE version IS NOT NULL;
