//! Guardians and their wards, in the database.

use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

/// Keeps everybody else from changing these members until the end of the transaction: in the order of their ids, as whoever
/// locks several of them does.
pub(in crate::people) async fn lock_all_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[MemberId],
) -> Result<(), StorageError> {
    let member_ids: Vec<Uuid> = member_ids.iter().map(MemberId::as_uuid).collect();
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

/// Keeps everybody from changing a member until the end of the transaction, and nobody from relying on them as we do. False
/// when the program has no such member, or none whose enrolment is finished.
pub(in crate::people) async fn share_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<bool, StorageError> {
    let locked = sqlx::query_scalar!(
        "SELECT member_id FROM member WHERE program = $1 AND member_id = $2 AND ledger_confirmed FOR SHARE",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(locked.is_some())
}

/// Whether a member's record is about to end in another.
pub(in crate::people) async fn is_ending_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<bool, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM member m
               JOIN member_change c ON c.program = m.program AND c.change_id = m.open_change_id
               WHERE m.program = $1 AND m.member_id = $2 AND c.kind = 'MERGE' AND c.member_id = $2) AS "is_ending!""#,
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?)
}

/// Those who have or had a guardian, after one of them, also before their enrolment is finished.
pub(in crate::people) async fn list_ward_ids_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    guardian_member_id: MemberId,
    after: Option<MemberId>,
    count_max: i64,
) -> Result<Vec<MemberId>, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT member_id AS "member_id: MemberId" FROM member
           WHERE program = $1 AND guardian_member_id = $2 AND member_id > $3 ORDER BY member_id LIMIT $4"#,
        program_id.as_uuid(),
        guardian_member_id.as_uuid(),
        // Nil lies before every id.
        after.map_or(Uuid::nil(), |id| id.as_uuid()),
        count_max,
    )
    .fetch_all(tx)
    .await?)
}
