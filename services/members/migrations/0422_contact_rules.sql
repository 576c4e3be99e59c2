-- Contacts are decided by more rules, for more purposes and channels, by companies of the group; and a yes is a reservation
-- that ends by itself.
ALTER TABLE contact_decision
    DROP CONSTRAINT contact_decision_channel_check,
    DROP CONSTRAINT contact_decision_purpose_check,
    DROP CONSTRAINT contact_decision_rule_check,
    DROP CONSTRAINT contact_decision_not_before,
    ADD CONSTRAINT contact_decision_channel_check CHECK (
        channel IN ('EMAIL', 'SMS', 'MESSENGER', 'PUSH', 'CALL', 'PAPER', 'VIBER', 'FAX')),
    ADD CONSTRAINT contact_decision_purpose_check CHECK (
        purpose IN ('SERVICE_QUALITY', 'SERVICE_MESSAGE', 'MARKETING', 'NEW_PRODUCTS', 'PERSONAL_OFFERS',
            'TARIFF_CHANGES', 'PROTECTION')),
    ADD CONSTRAINT contact_decision_rule_check CHECK (
        rule IN ('ALLOWED', 'MEMBER_NOT_ACTIVE', 'TOPIC_OPT_OUT', 'NO_CONSENT', 'POLICY_NOT_ACCEPTED',
            'CHANNEL_NOT_WANTED', 'ADDRESS_MISSING', 'FREQUENCY_CAP', 'MIX', 'QUIET_HOURS')),
    ADD CONSTRAINT contact_decision_not_before CHECK (
        (rule IN ('FREQUENCY_CAP', 'MIX', 'QUIET_HOURS')) = (not_before_time IS NOT NULL)),
    -- Who contacts them; empty for the program itself.
    ADD COLUMN company_code text COLLATE "C" NOT NULL DEFAULT '',
    -- Until when an allowed contact counts while nobody reports on it. Null for those that were allowed before contacts
    -- were reported on: they count.
    ADD COLUMN reserve_until timestamptz,
    ADD CONSTRAINT contact_decision_reserved CHECK (reserve_until IS NULL OR rule = 'ALLOWED');
