-- The feed's order is (feed_xid, program, owner_id, version), but what one database transaction wrote is a batch, a few
-- hundred rows at the most: sorting these when they are read is cheaper than keeping all of it in two indexes, which
-- every posting writes into. Equal feed_xids share their key in the index.
DROP INDEX transaction_feed;
DROP INDEX transaction_program_feed;
CREATE INDEX transaction_feed ON transaction (feed_xid) WHERE version IS NOT NULL;
CREATE INDEX transaction_program_feed ON transaction (program, feed_xid) WHERE version IS NOT NULL;
