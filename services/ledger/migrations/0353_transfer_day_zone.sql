-- Verification recomputes what an owner has sent on a day, and for that has to know in which time zone days were told
-- apart: a program's may change.
--
-- NULL where no one zone tells all that was counted from what was sent before: the zone changed in these days, or the row
-- is from before this column.
ALTER TABLE transfer_day ADD COLUMN time_zone text;
