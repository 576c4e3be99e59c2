//! Owners in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId, Version};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Owner, OwnerKind, OwnerStatus, Redirection};

/// Writes a new owner. False when the program has one of that id.
pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner: &Owner,
) -> Result<bool, StorageError> {
    let inserted = sqlx::query!(
        "INSERT INTO owner AS o (program, owner_id, kind, version, last_time, create_time) \
         SELECT p.program, $2, $3, $4, $5, $5 FROM program AS p WHERE p.program = $1 \
         ON CONFLICT (program, owner_id) DO NOTHING",
        program.as_uuid(),
        owner.owner_id.as_uuid(),
        owner.kind.as_str(),
        owner.version.get(),
        owner.create_time,
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<Option<Owner>, StorageError> {
    sqlx::query_as!(
        OwnerRow,
        r#"SELECT owner_id AS "owner_id: OwnerId", kind, version AS "version: Version", create_time, status,
                  status_revision, account_owner_id AS "account_owner_id: OwnerId",
                  merged_into_owner_id AS "merged_into_owner_id: OwnerId"
           FROM owner WHERE program = $1 AND owner_id = $2"#,
        program.as_uuid(),
        owner_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Owner::try_from)
    .transpose()
}

/// Sets the status, unless that revision or a newer one was set before, or the owner was merged into another. Waits for
/// the postings that hold the owner's lock, and those that come after see it.
pub(super) async fn set_status_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
    (status, revision): (OwnerStatus, i64),
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE owner SET status = $3, status_revision = $4 \
         WHERE program = $1 AND owner_id = $2 AND status_revision < $4 AND status <> 'merged'",
        program.as_uuid(),
        owner_id.as_uuid(),
        status.as_str(),
        revision,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Locks owners, whose accounts they use, and who follows when those of `moving` go elsewhere: all in the order of their ids, as
/// postings do, so that nobody waits in a circle. Answers whom it locked. Who came to it while it waited is missing.
pub(super) async fn lock_parties_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
    moving: &[OwnerId],
) -> Result<Vec<OwnerId>, StorageError> {
    let locked = sqlx::query_scalar!(
        r#"SELECT o.owner_id AS "owner_id: OwnerId"
           FROM owner o
           JOIN (SELECT u.owner_id FROM unnest($2::uuid[]) AS u (owner_id)
                 UNION SELECT n.account_owner_id FROM owner n WHERE n.program = $1 AND n.owner_id = ANY($2)
                 UNION SELECT f.owner_id FROM owner f WHERE f.program = $1 AND f.account_owner_id = ANY($3)
                 UNION SELECT f.owner_id FROM owner f WHERE f.program = $1 AND f.merged_into_owner_id = ANY($3))
                AS party (owner_id) ON o.owner_id = party.owner_id
           WHERE o.program = $1 ORDER BY o.owner_id FOR NO KEY UPDATE OF o"#,
        program.as_uuid(),
        &uuids(owner_ids),
        &uuids(moving),
    )
    .fetch_all(tx)
    .await?;
    Ok(locked)
}

/// Reads owners, and who follows when those of `moving` go elsewhere.
pub(super) async fn find_parties_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
    moving: &[OwnerId],
) -> Result<Vec<Owner>, StorageError> {
    sqlx::query_as!(
        OwnerRow,
        r#"SELECT owner_id AS "owner_id: OwnerId", kind, version AS "version: Version", create_time, status,
                  status_revision, account_owner_id AS "account_owner_id: OwnerId",
                  merged_into_owner_id AS "merged_into_owner_id: OwnerId"
           FROM owner
           WHERE program = $1 AND (owner_id = ANY($2) OR account_owner_id = ANY($3) OR merged_into_owner_id = ANY($3))"#,
        program.as_uuid(),
        &uuids(owner_ids),
        &uuids(moving),
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Owner::try_from)
    .collect()
}

/// An owner, and everybody who was merged into them.
pub(super) async fn find_names_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<Vec<OwnerId>, StorageError> {
    let names = sqlx::query_scalar!(
        r#"SELECT owner_id AS "owner_id: OwnerId" FROM owner
           WHERE program = $1 AND (owner_id = $2 OR merged_into_owner_id = $2)"#,
        program.as_uuid(),
        owner_id.as_uuid(),
    )
    .fetch_all(tx)
    .await?;
    Ok(names)
}

/// How many use that owner's account.
pub(super) async fn count_users_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    account_owner_id: OwnerId,
) -> Result<i64, StorageError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM owner WHERE program = $1 AND account_owner_id = $2"#,
        program.as_uuid(),
        account_owner_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    Ok(count)
}

/// Writes whose accounts owners use from now on.
pub(super) async fn redirect_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    redirections: &[Redirection],
) -> Result<(), StorageError> {
    let owner_ids: Vec<Uuid> = redirections.iter().map(|it| it.owner_id.as_uuid()).collect();
    let accounts: Vec<Option<Uuid>> = redirections
        .iter()
        .map(|it| it.account_owner_id.as_ref().map(OwnerId::as_uuid))
        .collect();
    let merged: Vec<Option<Uuid>> = redirections
        .iter()
        .map(|it| it.merged_into_owner_id.as_ref().map(OwnerId::as_uuid))
        .collect();
    let statuses: Vec<String> = redirections.iter().map(|it| it.status.to_string()).collect();
    let updated = sqlx::query!(
        r#"UPDATE owner o
           SET account_owner_id = u.account_owner_id, merged_into_owner_id = u.merged_into_owner_id, status = u.status
           FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[])
                AS u (owner_id, account_owner_id, merged_into_owner_id, status)
           WHERE o.program = $1 AND o.owner_id = u.owner_id"#,
        program.as_uuid(),
        &owner_ids,
        &accounts as &[Option<Uuid>],
        &merged as &[Option<Uuid>],
        &statuses,
    )
    .execute(tx)
    .await?;
    if usize::try_from(updated.rows_affected()) == Ok(redirections.len()) {
        Ok(())
    } else {
        Err(StorageError::corrupt("owner", "a locked row is gone"))
    }
}

fn uuids(owner_ids: &[OwnerId]) -> Vec<Uuid> {
    owner_ids.iter().map(OwnerId::as_uuid).collect()
}

struct OwnerRow {
    owner_id: OwnerId,
    kind: String,
    version: Version,
    create_time: DateTime<Utc>,
    status: String,
    status_revision: i64,
    account_owner_id: Option<OwnerId>,
    merged_into_owner_id: Option<OwnerId>,
}

impl TryFrom<OwnerRow> for Owner {
    type Error = StorageError;

    fn try_from(row: OwnerRow) -> Result<Self, StorageError> {
        Ok(Self {
            owner_id: row.owner_id,
            kind: row
                .kind
                .parse::<OwnerKind>()
                .map_err(|error| StorageError::corrupt("owner.kind", error))?,
            version: row.version,
            create_time: row.create_time,
            status: row
                .status
                .parse::<OwnerStatus>()
                .map_err(|error| StorageError::corrupt("owner.status", error))?,
            status_revision: row.status_revision,
            account_owner_id: row.account_owner_id,
            merged_into_owner_id: row.merged_into_owner_id,
        })
    }
}
