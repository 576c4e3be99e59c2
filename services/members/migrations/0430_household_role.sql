-- What members may do in their household, and how much they may spend of its points; how a household ends.

ALTER TABLE member
    ADD COLUMN household_role text CHECK (household_role IN ('HEAD', 'ADULT', 'CHILD')),
    -- [{"unit_code", "day_value_max", "month_value_max"}], bounds that are not set left out; NULL for none.
    ADD COLUMN household_limits jsonb CHECK (jsonb_typeof(household_limits) = 'array'),
    -- The number of the last change of the limits that was begun: the ledger takes them in this order.
    ADD COLUMN limits_revision bigint NOT NULL DEFAULT 0;

-- Whoever has been in a household longest is its head.
UPDATE member m SET household_role = CASE WHEN EXISTS (
        SELECT 1 FROM member o
        WHERE o.program = m.program AND o.household_id = m.household_id
          AND (o.household_join_time, o.member_id) < (m.household_join_time, m.member_id))
    THEN 'ADULT' ELSE 'HEAD' END
WHERE household_id IS NOT NULL;

ALTER TABLE member
    ADD CONSTRAINT member_household_role CHECK ((household_id IS NULL) = (household_role IS NULL)),
    ADD CONSTRAINT member_household_limits CHECK (household_limits IS NULL OR household_id IS NOT NULL);

-- There is one head.
CREATE UNIQUE INDEX member_household_head ON member (program, household_id) WHERE household_role = 'HEAD';

ALTER TABLE household ADD COLUMN dissolve_time timestamptz;

ALTER TABLE member_change
    DROP CONSTRAINT member_change_kind_check,
    ADD CONSTRAINT member_change_kind_check CHECK (kind IN (
        'STATUS', 'MERGE', 'CREATE_HOUSEHOLD', 'JOIN_HOUSEHOLD', 'LEAVE_HOUSEHOLD', 'HOUSEHOLD_TERMS',
        'DISSOLVE_HOUSEHOLD')),
    -- What whoever joins, or whose terms they are, may do.
    ADD COLUMN household_role text CHECK (household_role IN ('HEAD', 'ADULT', 'CHILD')),
    -- What they may spend from then on, where the ledger is told of it; of a merge the record that stays.
    ADD COLUMN limits jsonb CHECK (jsonb_typeof(limits) = 'array'),
    ADD COLUMN limits_revision bigint CHECK (limits_revision > 0),
    -- What becomes of what a household has.
    ADD COLUMN dissolve_policy text CHECK (dissolve_policy IN ('TO_HEAD', 'EQUAL_SHARES')),
    -- The invitation that is accepted by it.
    ADD COLUMN invitation_id uuid,
    -- Who else takes part: everybody in a household that is dissolved.
    ADD COLUMN also uuid[],
    ADD CONSTRAINT member_change_limits CHECK ((limits IS NULL) = (limits_revision IS NULL)),
    ADD CONSTRAINT member_change_dissolve CHECK (
        (kind = 'DISSOLVE_HOUSEHOLD') = (dissolve_policy IS NOT NULL)
        AND (kind = 'DISSOLVE_HOUSEHOLD') = (also IS NOT NULL));

-- What is under way in a household.
CREATE INDEX member_change_household ON member_change (program, household_id)
    WHERE state = 'OPEN' AND household_id IS NOT NULL;

-- Those from before had the role that their members have now.
UPDATE member_change SET household_role = CASE kind WHEN 'CREATE_HOUSEHOLD' THEN 'HEAD' ELSE 'ADULT' END
WHERE kind IN ('CREATE_HOUSEHOLD', 'JOIN_HOUSEHOLD');
