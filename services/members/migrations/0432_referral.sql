-- Who brought whom, by which codes, and what both get for it.

-- How a program handles referrals. A program without a row has the defaults, which stand in the code.
CREATE TABLE referral_settings (
    program uuid PRIMARY KEY REFERENCES program (program),
    same_household  text NOT NULL CHECK (same_household IN ('ALLOW', 'HOLD', 'REFUSE')),
    same_device     text NOT NULL CHECK (same_device IN ('ALLOW', 'HOLD', 'REFUSE')),
    same_person     text NOT NULL CHECK (same_person IN ('ALLOW', 'HOLD', 'REFUSE')),
    same_identifier text NOT NULL CHECK (same_identifier IN ('ALLOW', 'HOLD', 'REFUSE')),
    reward_unit_code text,
    referrer_value bigint NOT NULL CHECK (referrer_value >= 0),
    referred_value bigint NOT NULL CHECK (referred_value >= 0),
    qualify_within_days integer NOT NULL CHECK (qualify_within_days BETWEEN 0 AND 3650),
    link_template text CHECK (char_length(link_template) BETWEEN 1 AND 500)
);

-- Codes by which members bring others.
CREATE TABLE referral_code (
    program uuid NOT NULL,
    -- In capital letters.
    code text NOT NULL CHECK (char_length(code) BETWEEN 4 AND 32),
    -- Version 7: in the order of their making.
    code_id uuid NOT NULL,
    member_id uuid NOT NULL,
    invite_count bigint NOT NULL DEFAULT 0 CHECK (invite_count >= 0),
    create_time timestamptz NOT NULL,
    close_time timestamptz,
    PRIMARY KEY (program, code),
    CONSTRAINT referral_code_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id)
);
CREATE INDEX referral_code_of_member ON referral_code (program, member_id, code_id);

-- Invitations that were told to be sent, each report a row: the window of a factor sums them up.
CREATE TABLE referral_invite (
    program uuid NOT NULL,
    invite_id uuid NOT NULL,
    code text NOT NULL,
    member_id uuid NOT NULL,
    invite_count integer NOT NULL CHECK (invite_count BETWEEN 1 AND 10000),
    report_time timestamptz NOT NULL,
    PRIMARY KEY (program, invite_id)
);
CREATE INDEX referral_invite_time ON referral_invite (program, report_time);

CREATE TABLE referral (
    program uuid NOT NULL,
    -- Version 7: in the order of their recording.
    referral_id uuid NOT NULL,
    -- Who was brought: by one.
    member_id uuid NOT NULL,
    referrer_member_id uuid NOT NULL,
    source text NOT NULL CHECK (source IN ('CODE', 'CARD', 'BY_HAND')),
    code text,
    state text NOT NULL CHECK (state IN ('PENDING', 'HELD', 'REJECTED', 'QUALIFIED')),
    -- What spoke against it.
    checks text[] NOT NULL,
    -- The purchase that it qualified by, or would have while it was held.
    purchase_id uuid,
    record_time timestamptz NOT NULL,
    qualify_time timestamptz,
    PRIMARY KEY (program, referral_id),
    CONSTRAINT referral_of_member UNIQUE (program, member_id),
    CONSTRAINT referral_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id),
    CONSTRAINT referral_referrer FOREIGN KEY (program, referrer_member_id) REFERENCES member (program, member_id),
    CONSTRAINT referral_code_known CHECK ((source = 'CODE') = (code IS NOT NULL)),
    CONSTRAINT referral_qualified CHECK ((state = 'QUALIFIED') = (qualify_time IS NOT NULL)),
    CONSTRAINT referral_self CHECK (member_id <> referrer_member_id)
);
CREATE INDEX referral_by_referrer ON referral (program, referrer_member_id, referral_id);
CREATE INDEX referral_by_state ON referral (program, state, referral_id);
CREATE INDEX referral_by_code ON referral (program, code) WHERE code IS NOT NULL;
CREATE INDEX referral_by_qualify_time ON referral (program, qualify_time) WHERE qualify_time IS NOT NULL;

-- What both sides get. The transaction's id is the request's, so it is credited once, however often that is tried.
CREATE TABLE referral_reward (
    program uuid NOT NULL,
    referral_id uuid NOT NULL,
    side text NOT NULL CHECK (side IN ('REFERRER', 'REFERRED')),
    member_id uuid NOT NULL,
    unit_code text NOT NULL,
    value bigint NOT NULL CHECK (value > 0),
    transaction_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'CREDITED', 'REFUSED')),
    refused_reason text,
    -- From when on the job may try: a replica that takes it moves the time.
    try_after timestamptz,
    PRIMARY KEY (program, referral_id, side),
    CONSTRAINT referral_reward_open CHECK ((state = 'OPEN') = (try_after IS NOT NULL)),
    CONSTRAINT referral_reward_refused CHECK ((state = 'REFUSED') = (refused_reason IS NOT NULL))
);
-- The job's question, across programs.
CREATE INDEX referral_reward_due ON referral_reward (try_after) WHERE state = 'OPEN';

-- Devices that were seen with members, by keyed hash.
CREATE TABLE referral_device (
    program uuid NOT NULL,
    device_hash bytea NOT NULL CHECK (octet_length(device_hash) = 32),
    member_id uuid NOT NULL,
    see_time timestamptz NOT NULL,
    PRIMARY KEY (program, device_hash, member_id)
);

-- Identifiers that members had, by keyed hash: who comes with what was another's is looked at.
CREATE TABLE former_identifier (
    program uuid NOT NULL,
    value_hash bytea NOT NULL CHECK (octet_length(value_hash) = 32),
    member_id uuid NOT NULL,
    PRIMARY KEY (program, value_hash, member_id)
);

ALTER TABLE referral_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE referral_settings FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON referral_settings TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON referral_settings TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
ALTER TABLE referral_code ENABLE ROW LEVEL SECURITY;
ALTER TABLE referral_code FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON referral_code TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON referral_code TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
ALTER TABLE referral_invite ENABLE ROW LEVEL SECURITY;
ALTER TABLE referral_invite FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON referral_invite TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON referral_invite TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
ALTER TABLE referral ENABLE ROW LEVEL SECURITY;
ALTER TABLE referral FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON referral TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON referral TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
ALTER TABLE referral_reward ENABLE ROW LEVEL SECURITY;
ALTER TABLE referral_reward FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON referral_reward TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON referral_reward TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
ALTER TABLE referral_device ENABLE ROW LEVEL SECURITY;
ALTER TABLE referral_device FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON referral_device TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON referral_device TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
ALTER TABLE former_identifier ENABLE ROW LEVEL SECURITY;
ALTER TABLE former_identifier FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON former_identifier TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON former_identifier TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
