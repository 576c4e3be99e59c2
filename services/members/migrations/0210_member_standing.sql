-- What a member may do, in which tier they are, where they belong. Status, household and merge are known to the ledger
-- before they are written here (table member_change).
ALTER TABLE member
    ADD COLUMN status text NOT NULL DEFAULT 'ACTIVE'
        CHECK (status IN ('ACTIVE', 'SUSPENDED', 'CLOSED', 'MERGED')),
    -- The number of the last change of the status that was begun: the ledger takes them in this order.
    ADD COLUMN status_revision bigint NOT NULL DEFAULT 0,
    ADD COLUMN tier_code text CHECK (char_length(tier_code) BETWEEN 1 AND 40),
    ADD COLUMN household_id uuid,
    ADD COLUMN household_join_time timestamptz,
    -- The member who has everything now, however many merges later.
    ADD COLUMN merged_into_member_id uuid,
    -- The change that is under way: there is one at a time, so that what the ledger is told keeps its order.
    ADD COLUMN open_change_id uuid,
    ADD CONSTRAINT member_merged CHECK ((status = 'MERGED') = (merged_into_member_id IS NOT NULL)),
    ADD CONSTRAINT member_merged_into FOREIGN KEY (program, merged_into_member_id)
        REFERENCES member (program, member_id),
    ADD CONSTRAINT member_household_join CHECK ((household_id IS NULL) = (household_join_time IS NULL));

-- Whose records somebody took over.
CREATE INDEX member_merged_into_member_id ON member (program, merged_into_member_id)
    WHERE merged_into_member_id IS NOT NULL;
-- Who belongs to a household, in the order of joining.
CREATE INDEX member_household_id ON member (program, household_id, household_join_time)
    WHERE household_id IS NOT NULL;
