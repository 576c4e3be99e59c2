-- From which birthday on the program's members answer for themselves.
ALTER TABLE program
    ADD COLUMN majority_age_years smallint NOT NULL DEFAULT 18 CHECK (majority_age_years BETWEEN 1 AND 21);

-- Who answers for a minor, and who gave the consent at enrolment in their stead. The end is the day of majority, which tells
-- the birthday: it is sealed as that is.
ALTER TABLE member
    ADD COLUMN guardian_member_id uuid,
    ADD COLUMN guardian_until bytea,
    ADD COLUMN accepted_by_member_id uuid,
    ADD CONSTRAINT member_guardian FOREIGN KEY (program, guardian_member_id) REFERENCES member (program, member_id),
    ADD CONSTRAINT member_accepted_by FOREIGN KEY (program, accepted_by_member_id)
        REFERENCES member (program, member_id),
    ADD CONSTRAINT member_guardian_until CHECK ((guardian_member_id IS NULL) = (guardian_until IS NULL)),
    ADD CONSTRAINT member_guardian_other CHECK (guardian_member_id <> member_id);

-- For whom somebody answers: read when they are merged into another.
CREATE INDEX member_guardian_member_id ON member (program, guardian_member_id) WHERE guardian_member_id IS NOT NULL;
