-- Cards: issued in batches before anybody has them, linked to members, blocked, replaced. Every card number that the
-- program knows has its row here, so that one number cannot be in stock and somebody's at once, and so that what has ended
-- is known to have ended also when it was taken away from the member.
CREATE TABLE card_batch (
    program uuid NOT NULL REFERENCES program (program),
    card_batch_id uuid NOT NULL,
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 200),
    card_count integer NOT NULL CHECK (card_count BETWEEN 1 AND 10000),
    -- Who made it: a staff member or a key.
    actor text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, card_batch_id)
);

ALTER TABLE card_batch ENABLE ROW LEVEL SECURITY;
ALTER TABLE card_batch FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON card_batch TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON card_batch TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
REVOKE UPDATE, DELETE ON card_batch FROM fealty_members, fealty_members_jobs;

CREATE TABLE card (
    program uuid NOT NULL REFERENCES program (program),
    card_id uuid NOT NULL,
    -- Null for one that was not issued here, as is its place.
    card_batch_id uuid,
    -- 1, 2, 3 ... within the batch.
    place integer CHECK (place > 0),
    -- HMAC-SHA-256 over program, kind and number, as in table identifier.
    value_hash bytea NOT NULL CHECK (octet_length(value_hash) = 32),
    -- The number, while it is nobody's. Whose it is keep it sealed, in table identifier.
    card_number text,
    status text NOT NULL CHECK (status IN ('ISSUED', 'LINKED', 'BLOCKED', 'REPLACED')),
    end_reason text
        CHECK (end_reason IN ('LOST', 'STOLEN', 'DAMAGED', 'MISUSED', 'UPGRADED', 'OTHER')),
    status_time timestamptz NOT NULL,
    -- The identifier that it is, while somebody has it.
    identifier_id uuid,
    replaced_by_identifier_id uuid,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, card_id),
    CONSTRAINT card_value UNIQUE (program, value_hash),
    CONSTRAINT card_place UNIQUE (program, card_batch_id, place),
    CONSTRAINT card_in_batch FOREIGN KEY (program, card_batch_id) REFERENCES card_batch (program, card_batch_id),
    CONSTRAINT card_of_batch CHECK ((card_batch_id IS NULL) = (place IS NULL)),
    CONSTRAINT card_issued CHECK (status <> 'ISSUED' OR (card_number IS NOT NULL AND card_batch_id IS NOT NULL)),
    CONSTRAINT card_linked CHECK (status <> 'LINKED' OR identifier_id IS NOT NULL),
    CONSTRAINT card_personal CHECK (identifier_id IS NULL OR card_number IS NULL),
    CONSTRAINT card_ended CHECK ((status IN ('BLOCKED', 'REPLACED')) = (end_reason IS NOT NULL)),
    CONSTRAINT card_replaced CHECK (status <> 'REPLACED' OR replaced_by_identifier_id IS NOT NULL)
);

ALTER TABLE card ENABLE ROW LEVEL SECURITY;
ALTER TABLE card FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON card TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON card TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- The cards that members have already.
INSERT INTO card (program, card_id, value_hash, status, status_time, identifier_id, create_time)
SELECT program, gen_random_uuid(), value_hash, 'LINKED', create_time, identifier_id, create_time
FROM identifier WHERE kind = 'CARD_NUMBER';
