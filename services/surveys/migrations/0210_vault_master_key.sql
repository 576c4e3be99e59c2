-- Which master key this database's personal data lies under. A service that was given another one could read no answer
-- and would seal new ones so that the others cannot: it asks here before it serves, and ends.
CREATE TABLE vault_master_key (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    master_key_id text NOT NULL,
    create_time timestamptz NOT NULL
);

-- A rotation is an operator's work, done by the owner's role.
REVOKE UPDATE, DELETE ON vault_master_key FROM fealty_surveys, fealty_surveys_jobs;
