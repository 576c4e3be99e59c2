-- Changes that the ledger has to know of before they hold: each is stored first, told to the ledger, then made in the
-- tables of this service. What was begun is ended by a retry, by whoever wants the next change, or by a job. They stay
-- as the history of who did what and why.
CREATE TABLE member_change (
    program uuid NOT NULL,
    change_id uuid NOT NULL,
    kind text NOT NULL
        CHECK (kind IN ('STATUS', 'MERGE', 'CREATE_HOUSEHOLD', 'JOIN_HOUSEHOLD', 'LEAVE_HOUSEHOLD')),
    -- Whom it is about; in a merge the record that ends.
    member_id uuid NOT NULL,
    -- In a merge the record that stays.
    into_member_id uuid,
    -- Which household; in a merge the one that the record that ends belongs to.
    household_id uuid,
    status text CHECK (status IN ('ACTIVE', 'SUSPENDED', 'CLOSED')),
    -- Which change of the member's status it is.
    status_revision bigint CHECK (status_revision > 0),
    -- Who asked for it: a staff member or a key.
    actor text NOT NULL,
    -- Why, where that is asked for: words about a person, under the person's key.
    reason bytea,
    -- REFUSED: the ledger said no, and nothing was done. The same request can be tried again.
    state text NOT NULL CHECK (state IN ('OPEN', 'DONE', 'REFUSED')),
    -- How often the ledger was asked. Only the last attempt, and only if no other can still be running, may end the
    -- change as refused: one that comes late could still be taken.
    attempt bigint NOT NULL CHECK (attempt > 0),
    -- Until then an attempt may be running; afterwards the job may make the next one.
    finish_after timestamptz,
    begin_time timestamptz NOT NULL,
    end_time timestamptz,
    PRIMARY KEY (program, change_id),
    CONSTRAINT member_change_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id),
    CONSTRAINT member_change_into_member FOREIGN KEY (program, into_member_id)
        REFERENCES member (program, member_id),
    CONSTRAINT member_change_household FOREIGN KEY (program, household_id)
        REFERENCES household (program, household_id),
    CONSTRAINT member_change_status CHECK (
        (kind = 'STATUS') = (status IS NOT NULL) AND (kind = 'STATUS') = (status_revision IS NOT NULL)),
    CONSTRAINT member_change_into CHECK ((kind = 'MERGE') = (into_member_id IS NOT NULL)),
    CONSTRAINT member_change_open CHECK (
        (state = 'OPEN') = (finish_after IS NOT NULL) AND (state = 'OPEN') = (end_time IS NULL))
);

-- The job's question, across programs: what is left to finish? Nearly always nothing.
CREATE INDEX member_change_finish_after ON member_change (finish_after) WHERE state = 'OPEN';
-- What happened to a member, in order.
CREATE INDEX member_change_member_id ON member_change (program, member_id, begin_time);
-- Who is on the way into a household.
CREATE INDEX member_change_joining ON member_change (program, household_id)
    WHERE state = 'OPEN' AND kind = 'JOIN_HOUSEHOLD';

ALTER TABLE member_change ENABLE ROW LEVEL SECURITY;
ALTER TABLE member_change FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON member_change TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON member_change TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

REVOKE DELETE ON member_change FROM fealty_members, fealty_members_jobs;
