-- How members like to be contacted, and where they are reached by channels that no identifier has an address for.
CREATE TABLE contact_preference (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    -- The best first; empty for any.
    channels text[] NOT NULL,
    -- Channels and their addresses, side by side. An address is a ciphertext under the person's key.
    address_channels text[] NOT NULL,
    addresses bytea[] NOT NULL,
    -- Null for the program's.
    time_zone text,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (program, member_id),
    CONSTRAINT contact_preference_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id),
    CONSTRAINT contact_preference_addresses CHECK (cardinality(address_channels) = cardinality(addresses))
);

ALTER TABLE contact_preference ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_preference FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON contact_preference TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON contact_preference TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
