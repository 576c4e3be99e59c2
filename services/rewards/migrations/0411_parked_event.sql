-- Events that could not be applied, and those of the same subject that came after them: the rest of the feed goes on.
CREATE TABLE parked_event (
    program       uuid        NOT NULL,
    consumer      text        NOT NULL,
    subject_id    uuid        NOT NULL,
    version       bigint      NOT NULL,
    -- The fealty.events.v1.Event, encoded.
    event         bytea       NOT NULL,
    -- Of the first of its subject: how often it was tried, and with what outcome. 0 and empty for those behind it.
    attempts      integer     NOT NULL CHECK (attempts >= 0),
    error         text        NOT NULL,
    park_time     timestamptz NOT NULL,
    -- Of the first of its subject only: the others wait for it.
    next_try_time timestamptz,
    PRIMARY KEY (program, consumer, subject_id, version)
);

CREATE INDEX parked_event_due ON parked_event (consumer, next_try_time) WHERE next_try_time IS NOT NULL;

ALTER TABLE parked_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE parked_event FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON parked_event TO fealty_rewards
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON parked_event TO fealty_rewards_owner, fealty_rewards_jobs
    USING (true) WITH CHECK (true);
