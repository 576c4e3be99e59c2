-- Why somebody was given a tier by hand is words about a person: the grants of who is erased go, and the changes of tiers
-- that they made stay.
GRANT DELETE ON tier_grant TO fealty_members;
