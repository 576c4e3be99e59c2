-- A member can be kept out, and let in again: the ledger treats them like one who is closed.
ALTER TABLE member
    DROP CONSTRAINT member_status_check,
    ADD CONSTRAINT member_status_check CHECK (status IN ('ACTIVE', 'SUSPENDED', 'EXCLUDED', 'CLOSED', 'MERGED'));
ALTER TABLE member_change
    DROP CONSTRAINT member_change_status_check,
    ADD CONSTRAINT member_change_status_check CHECK (status IN ('ACTIVE', 'SUSPENDED', 'EXCLUDED', 'CLOSED'));
