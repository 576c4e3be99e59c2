-- Why a tier was granted goes with the person's key: nothing is left of it in the row of who was erased.
ALTER TABLE tier_grant ALTER COLUMN reason DROP NOT NULL;
