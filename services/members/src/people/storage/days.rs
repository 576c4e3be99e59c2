//! Whose days are not noted yet.

use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

/// Members whose days are not noted. Across programs: needs the jobs' role.
pub(in crate::people) async fn list_unnoted_in_tx(
    tx: &mut PgConnection,
    count_max: i64,
) -> Result<Vec<(ProgramId, MemberId)>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT program AS "program_id: ProgramId", member_id AS "member_id: MemberId" FROM member
           WHERE NOT days_noted AND ledger_confirmed ORDER BY program, member_id LIMIT $1"#,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.program_id, row.member_id))
        .collect())
}

/// Remembers that a member's days are noted.
pub(in crate::people) async fn mark_noted_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE member SET days_noted = true WHERE program = $1 AND member_id = $2",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .execute(tx)
    .await?;
    Ok(())
}
