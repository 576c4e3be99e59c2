-- The topics of which somebody wants nothing any more, for ever.
CREATE TABLE topic_opt_out (
    program uuid NOT NULL,
    member_id uuid NOT NULL,
    -- In the order of its bytes, whatever the database's language.
    topic text COLLATE "C" NOT NULL CHECK (char_length(topic) BETWEEN 1 AND 60),
    opt_out_time timestamptz NOT NULL,
    PRIMARY KEY (program, member_id, topic),
    CONSTRAINT topic_opt_out_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id)
);

ALTER TABLE topic_opt_out ENABLE ROW LEVEL SECURITY;
ALTER TABLE topic_opt_out FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON topic_opt_out TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON topic_opt_out TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);

-- For ever is for ever.
REVOKE UPDATE, DELETE ON topic_opt_out FROM fealty_members, fealty_members_jobs;
