-- A request can be accepted and find that there is nothing to do, such as to give back what was given back already. It
-- is remembered like any other, as a row without a version that is no refusal.
ALTER TABLE transaction ADD COLUMN unchanged boolean NOT NULL DEFAULT false
    CHECK (NOT unchanged OR (version IS NULL AND request_id IS NOT NULL));
