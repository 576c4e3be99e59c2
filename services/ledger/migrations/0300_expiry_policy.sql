-- Points end by more ways than some days after they were earned: months, the end of a month, quarter or year, the same
-- day each year, one date, or so long after the owner's last activity.

-- {"kind", ..}, NULL for never. One value, because it is always read and written whole, with its unit; the code knows its
-- forms.
ALTER TABLE unit ADD COLUMN expiry_policy jsonb CHECK (jsonb_typeof(expiry_policy) = 'object');
UPDATE unit SET expiry_policy = jsonb_build_object('kind', 'after_earning', 'life', jsonb_build_object('days', lot_life_days))
WHERE lot_life_days IS NOT NULL;
ALTER TABLE unit DROP COLUMN lot_life_days;

-- Whether the lot's end moves on with the owner's activity.
ALTER TABLE lot ADD COLUMN slides boolean NOT NULL DEFAULT false;

-- The end that all sliding lots of the account share which have not ended: the furthest to which an activity ever moved
-- it, also while there is no such lot. NULL before the first.
ALTER TABLE account ADD COLUMN sliding_end timestamptz;
