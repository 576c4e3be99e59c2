-- What became of a member's identifiers is numbered under the member's lock. A time that was read before the lock says nothing
-- of the order, and of two ids of one millisecond either may be the smaller.
ALTER TABLE identifier_history ADD COLUMN sequence bigint CHECK (sequence > 0);
UPDATE identifier_history h SET sequence = numbered.sequence
FROM (
    SELECT program, member_id, entry_id,
           row_number() OVER (PARTITION BY program, member_id ORDER BY change_time, entry_id) AS sequence
    FROM identifier_history) numbered
WHERE (h.program, h.member_id, h.entry_id) = (numbered.program, numbered.member_id, numbered.entry_id);
ALTER TABLE identifier_history
    ALTER COLUMN sequence SET NOT NULL,
    DROP CONSTRAINT identifier_history_pkey,
    DROP COLUMN entry_id,
    ADD PRIMARY KEY (program, member_id, sequence);
