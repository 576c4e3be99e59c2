-- What an owner may do, and whose account they use. Both are read under the owner's lock by every posting that names the
-- owner, so what was changed holds at once.
ALTER TABLE owner
    ADD COLUMN status text NOT NULL DEFAULT 'active'
        CHECK (status IN ('active', 'suspended', 'closed', 'merged')),
    -- The number of the newest change of the status, given by whoever changes it: an older one changes nothing.
    ADD COLUMN status_revision bigint NOT NULL DEFAULT 0 CHECK (status_revision >= 0),
    -- Whose account this owner earns to and spends from: a household's, or that of the owner it was merged into. NULL for
    -- its own. Never a chain: who is pointed to points to nobody.
    ADD COLUMN account_owner_id uuid,
    -- Who is meant wherever this owner is named; never one who was merged themselves.
    ADD COLUMN merged_into_owner_id uuid,
    ADD CONSTRAINT owner_merged CHECK (
        (status = 'merged') = (merged_into_owner_id IS NOT NULL)
        AND (merged_into_owner_id IS NULL OR account_owner_id IS NOT NULL)
    ),
    ADD CONSTRAINT owner_account CHECK (account_owner_id <> owner_id AND merged_into_owner_id <> owner_id);

-- Who follows when an account goes elsewhere. Few owners point to others, so these are small; and a posting changes
-- neither column, so its updates stay on their page (HOT).
CREATE INDEX owner_of_account ON owner (program, account_owner_id) WHERE account_owner_id IS NOT NULL;
CREATE INDEX owner_merged_into ON owner (program, merged_into_owner_id) WHERE merged_into_owner_id IS NOT NULL;

-- A transaction belongs to the account's owner; here is who was named, where that was another.
ALTER TABLE transaction ADD COLUMN on_behalf_of uuid;

-- A purchase stays with who bought, and its version is that of the account it was earned to: two accounts may give the
-- same owner the same number. The times of an owner's purchases never run backwards, whichever account they were in.
DROP INDEX purchase_of_owner;
CREATE INDEX purchase_of_owner ON purchase (program, owner_id, record_time, version, purchase_id);
