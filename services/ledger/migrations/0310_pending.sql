-- Points that are given and not yet the owner's to spend: they wait until a time or until a call, in lots of their own.
ALTER TABLE account ADD COLUMN pending bigint NOT NULL DEFAULT 0 CHECK (pending >= 0);

ALTER TABLE lot
    -- Whether it waits; what is left in it is then part of `pending`, not of `available`.
    ADD COLUMN pending boolean NOT NULL DEFAULT false,
    -- When it begins to count by itself; NULL where only a call begins it, and of what does not wait.
    ADD COLUMN begin_time timestamptz,
    -- Of what waits: the transaction that gave it, which a call names.
    ADD COLUMN credited_by uuid,
    ADD CONSTRAINT lot_pending CHECK (pending = (credited_by IS NOT NULL) AND (pending OR begin_time IS NULL));

-- What has begun, of all programs, the longest ago first: what the job that writes it down looks for.
CREATE INDEX lot_begun ON lot (begin_time) WHERE open AND pending AND begin_time IS NOT NULL;
-- Whose it is by now, when a call comes.
CREATE INDEX lot_credited_by ON lot (program, credited_by) WHERE open AND pending;
