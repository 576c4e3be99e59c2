-- Lists of members by tier, status or kind. What nearly everybody has (active, a person) is in no index of its own: a list
-- of those is nearly the list of all.
CREATE INDEX member_tier_code ON member (program, tier_code, create_time, member_id)
    WHERE ledger_confirmed AND tier_code IS NOT NULL;
CREATE INDEX member_status ON member (program, status, create_time, member_id)
    WHERE ledger_confirmed AND status <> 'ACTIVE';
CREATE INDEX member_party_kind ON member (program, party_kind, create_time, member_id)
    WHERE ledger_confirmed AND party_kind <> 'NATURAL_PERSON';
