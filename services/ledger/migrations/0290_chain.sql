-- The hash chain of each owner: what is recorded bears a hash of itself and of what was recorded before it, so that nobody
-- changes, removes, inserts or reorders a row without all later hashes telling. What is hashed: ../CHAIN.md.

-- SHA-256. NULL for remembered refusals and for what found nothing to do, which are no part of the chain, and for what
-- was recorded before there was one.
ALTER TABLE transaction ADD COLUMN chain_hash bytea CHECK (octet_length(chain_hash) = 32);
-- From here on whatever makes a version is in the chain. Not looked for in rows that are there already: they have none.
ALTER TABLE transaction ADD CONSTRAINT transaction_chained
    CHECK ((version IS NULL) = (chain_hash IS NULL)) NOT VALID;

-- The hash of the owner's newest transaction, kept under the owner's lock; NULL before the first that has one.
ALTER TABLE owner ADD COLUMN chain_head bytea CHECK (octet_length(chain_head) = 32);
