-- What kind of party a member is: plain, because lists go by it and it says nothing of who somebody is. The number under
-- which the authorities know a company or a trader is sealed like the rest of the profile.
ALTER TABLE member
    ADD COLUMN party_kind text NOT NULL DEFAULT 'NATURAL_PERSON'
        CHECK (party_kind IN ('NATURAL_PERSON', 'LEGAL_ENTITY', 'SOLE_PROPRIETOR')),
    ADD COLUMN registration_number bytea;
