-- By which keys values and commands are hashed, wrapped under a master key: written by the first rotation, before which
-- they follow from the master key that the database was begun with. So a rotation changes no hash.
CREATE TABLE vault_hash_key (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    master_key_id text NOT NULL,
    lookup_key bytea NOT NULL,
    command_key bytea NOT NULL
);

-- A rotation is done by an operator's command, by the jobs' role; callers' role only reads.
REVOKE INSERT, UPDATE, DELETE ON vault_hash_key FROM fealty_members;
REVOKE DELETE ON vault_hash_key FROM fealty_members_jobs;
GRANT UPDATE ON vault_master_key TO fealty_members_jobs;
