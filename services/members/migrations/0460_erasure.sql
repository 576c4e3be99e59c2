-- Erasing people. The rows outlive the erased: they are the proof, and the list that is worked off again after a restore.
-- They name records by ids that nothing leads to a person from.
CREATE TABLE erasure (
    program uuid NOT NULL REFERENCES program (program),
    -- The request id that it was asked for with, so that a list kept outside asks for the same one.
    erasure_id uuid NOT NULL,
    -- The record that had stayed, if the person had several.
    member_id uuid NOT NULL,
    -- All of them, that one among them.
    member_ids uuid[] NOT NULL CHECK (cardinality(member_ids) BETWEEN 1 AND 1000),
    cause text NOT NULL CHECK (cause IN ('MEMBER_REQUEST', 'RETENTION_ENDED')),
    actor text NOT NULL,
    state text NOT NULL CHECK (state IN ('BEGUN', 'DESTROYED', 'COMPLETE')),
    -- The services that have to confirm their parts.
    waits_for text[] NOT NULL,
    -- While members has not done its own: from when on the job may go on with it.
    finish_after timestamptz,
    begin_time timestamptz NOT NULL,
    destroy_time timestamptz,
    complete_time timestamptz,
    receipt_text text,
    receipt_signature bytea CHECK (octet_length(receipt_signature) = 64),
    receipt_public_key bytea CHECK (octet_length(receipt_public_key) = 32),
    PRIMARY KEY (program, erasure_id),
    -- A person is erased once.
    CONSTRAINT erasure_member UNIQUE (program, member_id),
    CONSTRAINT erasure_finish CHECK ((state = 'BEGUN') = (finish_after IS NOT NULL)),
    CONSTRAINT erasure_destroyed CHECK ((state = 'BEGUN') = (destroy_time IS NULL)),
    CONSTRAINT erasure_complete CHECK ((state = 'COMPLETE') = (complete_time IS NOT NULL)),
    CONSTRAINT erasure_receipt CHECK (
        (complete_time IS NULL) = (receipt_text IS NULL)
        AND (receipt_text IS NULL) = (receipt_signature IS NULL)
        AND (receipt_text IS NULL) = (receipt_public_key IS NULL))
);

CREATE INDEX erasure_begin_time ON erasure (program, begin_time, erasure_id);
CREATE INDEX erasure_finish_after ON erasure (finish_after) WHERE state = 'BEGUN';

ALTER TABLE erasure ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON erasure TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON erasure TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
REVOKE DELETE ON erasure FROM fealty_members, fealty_members_jobs;

-- What the other services said.
CREATE TABLE erasure_part (
    program uuid NOT NULL,
    erasure_id uuid NOT NULL,
    service text COLLATE "C" NOT NULL CHECK (service IN ('rewards', 'surveys')),
    confirm_time timestamptz NOT NULL,
    PRIMARY KEY (program, erasure_id, service),
    CONSTRAINT erasure_part_erasure FOREIGN KEY (program, erasure_id) REFERENCES erasure (program, erasure_id)
);

ALTER TABLE erasure_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure_part FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON erasure_part TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON erasure_part TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
REVOKE UPDATE, DELETE ON erasure_part FROM fealty_members, fealty_members_jobs;

-- Words in these histories were sealed under the key that is destroyed; the histories stay, the words go.
GRANT UPDATE (reason) ON member_tier TO fealty_members;
-- What somebody is not interested in tells of them, too.
GRANT DELETE ON topic_opt_out TO fealty_members;
