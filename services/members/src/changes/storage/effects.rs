//! What a change that is made writes: the status, the merge. The caller holds the members' locks.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

use crate::people::domain::MemberStatus;

/// Writes what a member may do.
pub(in crate::changes) async fn set_status_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    status: MemberStatus,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE member SET status = $3, revision = revision + 1, update_time = GREATEST(update_time, $4) \
         WHERE program = $1 AND member_id = $2",
        program_id.as_uuid(),
        member_id.as_uuid(),
        status.as_str(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps everybody whom a merge writes from changes by anybody else: both records, the wards of the one that ends, and the
/// records that ended in it before. In the order of their ids, as whoever locks several members does.
pub(in crate::changes) async fn lock_merging_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    from_member_id: MemberId,
    into_member_id: MemberId,
) -> Result<(), StorageError> {
    // None can come to be one of them any more: both records have been in the middle of this change since it was stored.
    let mut member_ids = sqlx::query_scalar!(
        r#"SELECT member_id AS "member_id!" FROM member WHERE program = $1 AND guardian_member_id = $2
           UNION ALL SELECT member_id FROM member WHERE program = $1 AND merged_into_member_id = $2"#,
        program_id.as_uuid(),
        from_member_id.as_uuid(),
    )
    .fetch_all(&mut *tx)
    .await?;
    member_ids.extend([from_member_id, into_member_id].map(|id| id.as_uuid()));
    sqlx::query_scalar!(
        "SELECT member_id FROM member WHERE program = $1 AND member_id = ANY($2) ORDER BY member_id \
         FOR NO KEY UPDATE",
        program_id.as_uuid(),
        &member_ids,
    )
    .fetch_all(tx)
    .await?;
    Ok(())
}

/// Ends a record in another, and with it the records that had ended in it before: everybody is one step away from who
/// has everything now.
pub(in crate::changes) async fn set_merged_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    from_member_id: MemberId,
    into_member_id: MemberId,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE member SET status = 'MERGED', merged_into_member_id = $3, revision = revision + 1, \
                update_time = GREATEST(update_time, $4) \
         WHERE program = $1 AND (member_id = $2 OR merged_into_member_id = $2)",
        program_id.as_uuid(),
        from_member_id.as_uuid(),
        into_member_id.as_uuid(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    // Who stays answers for whom the other did. For them the other may have, until they came of age: nobody does any more.
    sqlx::query!(
        "UPDATE member SET guardian_member_id = NULLIF($3, member_id), \
                guardian_until = CASE WHEN member_id <> $3 THEN guardian_until END, revision = revision + 1, \
                update_time = GREATEST(update_time, $4) \
         WHERE program = $1 AND guardian_member_id = $2",
        program_id.as_uuid(),
        from_member_id.as_uuid(),
        into_member_id.as_uuid(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE member SET revision = revision + 1, update_time = GREATEST(update_time, $3) \
         WHERE program = $1 AND member_id = $2",
        program_id.as_uuid(),
        into_member_id.as_uuid(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}
