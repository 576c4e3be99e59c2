-- Data about members that was disclosed to somebody outside. To whom and what is sealed under the member's key: it goes
-- with the person, and that, when and on what basis something was disclosed stays.
CREATE TABLE disclosure (
    program uuid NOT NULL,
    disclosure_id uuid NOT NULL,
    member_id uuid NOT NULL,
    basis text NOT NULL CHECK (basis IN ('A', 'B', 'C', 'D', 'E')),
    recipient bytea,
    content bytea,
    disclose_time timestamptz NOT NULL,
    actor text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, disclosure_id),
    CONSTRAINT disclosure_member FOREIGN KEY (program, member_id) REFERENCES member (program, member_id)
);

CREATE INDEX disclosure_member_id ON disclosure (program, member_id, create_time, disclosure_id);

ALTER TABLE disclosure ENABLE ROW LEVEL SECURITY;
ALTER TABLE disclosure FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON disclosure TO fealty_members
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON disclosure TO fealty_members_owner, fealty_members_jobs
    USING (true) WITH CHECK (true);
-- Proof does not change; only what is sealed goes, when the person is erased.
REVOKE UPDATE, DELETE ON disclosure FROM fealty_members, fealty_members_jobs;
GRANT UPDATE (recipient, content) ON disclosure TO fealty_members;
