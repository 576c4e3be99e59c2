-- What members allow. Every act is a receipt, which is the proof and never changes; beside them stands the newest word for
-- each purpose, channel and company, which is what a contact is decided by.
CREATE TABLE consent_receipt (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    receipt_id uuid NOT NULL,
    change text NOT NULL CHECK (change IN ('GRANTED', 'WITHDRAWN', 'POLICY_ACCEPTED')),
    -- The pairs of purpose and channel that it is about, side by side.
    purposes text[] NOT NULL,
    channels text[] NOT NULL,
    for_group boolean,
    -- Empty for the program itself.
    company_code text COLLATE "C" NOT NULL,
    giver text NOT NULL CHECK (giver IN ('MEMBER', 'GUARDIAN', 'STAFF')),
    guardian_member_id uuid,
    source text NOT NULL CHECK (char_length(source) BETWEEN 1 AND 100),
    -- Null for what was said on enrolment.
    actor text,
    policy_version bigint,
    policy_text_sha256 bytea CHECK (octet_length(policy_text_sha256) = 32),
    consent_time timestamptz NOT NULL,
    record_time timestamptz NOT NULL,
    PRIMARY KEY (program, receipt_id),
    CONSTRAINT consent_receipt_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id),
    CONSTRAINT consent_receipt_guardian FOREIGN KEY (program, guardian_member_id)
        REFERENCES member (program, member_id),
    CONSTRAINT consent_receipt_policy FOREIGN KEY (program, policy_version) REFERENCES policy (program, version),
    CONSTRAINT consent_receipt_items CHECK (cardinality(purposes) = cardinality(channels)),
    CONSTRAINT consent_receipt_scope CHECK ((change = 'POLICY_ACCEPTED') = (for_group IS NULL)),
    CONSTRAINT consent_receipt_by CHECK ((giver = 'GUARDIAN') = (guardian_member_id IS NOT NULL)),
    CONSTRAINT consent_receipt_text CHECK (
        (change = 'WITHDRAWN') = (policy_version IS NULL)
        AND (policy_version IS NULL) = (policy_text_sha256 IS NULL))
);

-- A member's history, newest first.
CREATE INDEX consent_receipt_member_id ON consent_receipt (program, member_id, record_time DESC, receipt_id DESC);

ALTER TABLE consent_receipt ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent_receipt FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON consent_receipt TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON consent_receipt TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- A proof stays a proof.
REVOKE UPDATE, DELETE ON consent_receipt FROM fealty_members, fealty_members_jobs;

CREATE TABLE consent (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('SERVICE_QUALITY', 'NEW_PRODUCTS', 'PERSONAL_OFFERS', 'TARIFF_CHANGES',
        'MARKETING', 'PROTECTION', 'DEVICE_TRACKING')),
    -- Empty for DEVICE_TRACKING, which has none.
    channel text NOT NULL,
    -- The company that it concerns: empty for the program itself, '*' for all of the group.
    concerns text COLLATE "C" NOT NULL,
    -- To whom it was said.
    company_code text COLLATE "C" NOT NULL,
    granted boolean NOT NULL,
    -- When it was said: a later word outweighs it, an earlier one does not.
    word_time timestamptz NOT NULL,
    -- Under which policy; null for a withdrawal.
    policy_version bigint,
    receipt_id uuid NOT NULL,
    PRIMARY KEY (program, member_id, purpose, channel, concerns),
    CONSTRAINT consent_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id),
    CONSTRAINT consent_receipt FOREIGN KEY (program, receipt_id) REFERENCES consent_receipt (program, receipt_id),
    CONSTRAINT consent_policy CHECK (granted = (policy_version IS NOT NULL))
);

ALTER TABLE consent ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON consent TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON consent TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- Withdrawn is another thing than never said.
REVOKE DELETE ON consent FROM fealty_members, fealty_members_jobs;

-- What those accepted who are enrolled already.
INSERT INTO consent_receipt
    (program, member_id, receipt_id, change, purposes, channels, company_code, giver, source, policy_version,
     policy_text_sha256, consent_time, record_time)
SELECT program, member_id, gen_random_uuid(), 'POLICY_ACCEPTED', '{}', '{}', '', 'MEMBER', accept_channel, policy_version,
       policy_text_sha256, accept_time, create_time
FROM member;
