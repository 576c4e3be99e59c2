-- The events of this service: what happened, written in the transaction that made it true, and served as a feed. Order,
-- and why no reader skips an event, are told in fealty_postgres::events.

-- The newest event of each subject: its row is the lock under which the subject's next event gets its number.
CREATE TABLE event_subject (
    program    uuid   NOT NULL,
    subject_id uuid   NOT NULL,
    version    bigint NOT NULL CHECK (version > 0),
    -- Never runs backwards for a subject, although transactions get their ids in another order than the lock.
    feed_xid   xid8   NOT NULL,
    PRIMARY KEY (program, subject_id)
) WITH (fillfactor = 80);

ALTER TABLE event_subject ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_subject FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON event_subject TO fealty_SERVICE
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON event_subject TO fealty_SERVICE_owner, fealty_SERVICE_jobs
    USING (true) WITH CHECK (true);
-- A number that was given is never given again.
REVOKE DELETE ON event_subject FROM fealty_SERVICE, fealty_SERVICE_jobs;

CREATE TABLE event (
    program     uuid        NOT NULL,
    subject_id  uuid        NOT NULL,
    -- 1, 2, 3 ... without gaps.
    version     bigint      NOT NULL CHECK (version > 0),
    -- Where it stands in the feed: not below the id of the transaction that wrote it.
    feed_xid    xid8        NOT NULL,
    event_id    uuid        NOT NULL,
    -- Number of fealty.events.v1.EventType.
    event_type  smallint    NOT NULL CHECK (event_type > 0),
    -- A fealty.events.v1.Event of which only the payload is set.
    payload     bytea       NOT NULL,
    occur_time  timestamptz NOT NULL,
    record_time timestamptz NOT NULL,
    -- Where in which trace it was written (W3C traceparent); null where that was not sampled.
    trace_parent text       CHECK (octet_length(trace_parent) = 55),
    PRIMARY KEY (program, subject_id, version)
);

-- The feed's order: over all programs, and within one.
CREATE INDEX event_feed ON event (feed_xid, program, subject_id, version);
CREATE INDEX event_program_feed ON event (program, feed_xid, subject_id, version);

ALTER TABLE event ENABLE ROW LEVEL SECURITY;
ALTER TABLE event FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON event TO fealty_SERVICE
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON event TO fealty_SERVICE_owner, fealty_SERVICE_jobs
    USING (true) WITH CHECK (true);
-- Recorded for ever.
REVOKE UPDATE, DELETE ON event FROM fealty_SERVICE, fealty_SERVICE_jobs;
