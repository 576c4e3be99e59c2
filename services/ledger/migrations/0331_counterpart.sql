-- A transfer is two transactions, of two owners, in one commit. Each names the other: in its hash, too (../CHAIN.md).
ALTER TABLE transaction ADD COLUMN counterpart_transaction_id uuid;
ALTER TABLE transaction ADD COLUMN counterpart_owner_id uuid;
-- No scan: no row has either yet.
ALTER TABLE transaction ADD CONSTRAINT transaction_counterpart
    CHECK ((counterpart_transaction_id IS NULL) = (counterpart_owner_id IS NULL)) NOT VALID;
