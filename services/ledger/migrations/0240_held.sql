-- What is set aside for open holds, by account and by lot: points that are held have left `available` and `value_left`,
-- and come back to their lots if the hold does not spend them.
ALTER TABLE account ADD COLUMN held bigint NOT NULL DEFAULT 0 CHECK (held >= 0);

ALTER TABLE lot ADD COLUMN value_held bigint NOT NULL DEFAULT 0 CHECK (value_held >= 0);
ALTER TABLE lot ADD CONSTRAINT lot_value_held CHECK (value_left <= value_credited - value_held);

-- A lot that is empty but for what holds claim of it is open: what comes back must find it. An expression cannot be
-- changed, so the column is made again.
DROP INDEX lot_open;
ALTER TABLE lot DROP COLUMN open;
ALTER TABLE lot ADD COLUMN open boolean NOT NULL GENERATED ALWAYS AS (value_left > 0 OR value_held > 0) STORED;
CREATE INDEX lot_open ON lot (program, owner_id) WHERE open;
