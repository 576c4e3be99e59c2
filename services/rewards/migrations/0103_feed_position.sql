-- How far this service has followed each feed of another service. It moves by compare-and-set in the transaction that
-- applies what was read, so each change takes effect once, however many replicas follow.
CREATE TABLE feed_position (
    feed text PRIMARY KEY,
    -- As the feed gave it; empty before the first.
    resume_token text NOT NULL,
    update_time timestamptz NOT NULL
);
