//! What time has come for, across programs.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ladders::parse_ladder_code;
use crate::ladders::domain::LadderCode;

/// A ladder by which members are to be judged, and how far that has come.
#[derive(Debug, Clone)]
pub(in crate::ladders) struct ToSweep {
    pub(in crate::ladders) program_id: ProgramId,
    pub(in crate::ladders) ladder_code: LadderCode,
    pub(in crate::ladders) revision: i64,
    pub(in crate::ladders) after_member_id: Option<Uuid>,
}

/// Members whose time has come, locked until the end of the transaction; without those whom somebody else has locked.
pub(in crate::ladders) async fn find_due_in_tx(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    count_max: i64,
) -> Result<Vec<(ProgramId, MemberId)>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT m.program AS "program: ProgramId", m.member_id AS "member_id: MemberId"
           FROM member_ladder r JOIN member m ON m.program = r.program AND m.member_id = r.member_id
           WHERE r.due_time <= $1 ORDER BY r.due_time LIMIT $2
           FOR NO KEY UPDATE OF m SKIP LOCKED"#,
        now,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    let mut due: Vec<(ProgramId, MemberId)> =
        rows.into_iter().map(|row| (row.program, row.member_id)).collect();
    due.sort_unstable();
    due.dedup();
    Ok(due)
}

/// Takes a ladder that was changed, if there is one that no other replica has.
pub(in crate::ladders) async fn claim_sweep_in_tx(
    tx: &mut PgConnection,
) -> Result<Option<ToSweep>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT program AS "program: ProgramId", ladder_code, revision, sweep_after_member_id
           FROM ladder WHERE swept_revision < revision ORDER BY program, ladder_code LIMIT 1
           FOR NO KEY UPDATE SKIP LOCKED"#,
    )
    .fetch_optional(tx)
    .await?;
    row.map(|row| {
        Ok(ToSweep {
            program_id: row.program,
            ladder_code: parse_ladder_code(&row.ladder_code)?,
            revision: row.revision,
            after_member_id: row.sweep_after_member_id,
        })
    })
    .transpose()
}

/// The members after one of them, by their ids, each locked until the end of the transaction.
pub(in crate::ladders) async fn lock_members_after_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    after: Option<Uuid>,
    count_max: i64,
) -> Result<Vec<MemberId>, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT member_id AS "member_id: MemberId" FROM member
           WHERE program = $1 AND member_id > coalesce($2, '00000000-0000-0000-0000-000000000000'::uuid)
           ORDER BY member_id LIMIT $3 FOR NO KEY UPDATE"#,
        program_id.as_uuid(),
        after,
        count_max,
    )
    .fetch_all(tx)
    .await?)
}

/// Notes how far a sweep has come: to a member, or to the end.
pub(in crate::ladders) async fn note_swept_in_tx(
    tx: &mut PgConnection,
    sweep: &ToSweep,
    after: Option<MemberId>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE ladder SET sweep_after_member_id = $4, \
                swept_revision = CASE WHEN $4::uuid IS NULL THEN $3 ELSE swept_revision END \
         WHERE program = $1 AND ladder_code = $2 AND revision = $3",
        sweep.program_id.as_uuid(),
        sweep.ladder_code.as_str(),
        sweep.revision,
        after.map(|member_id| member_id.as_uuid()),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets transactions that are older than anything that is refunded.
pub(in crate::ladders) async fn forget_sources_in_tx(
    tx: &mut PgConnection,
    before: DateTime<Utc>,
    count_max: i64,
) -> Result<u64, StorageError> {
    let forgotten = sqlx::query!(
        "DELETE FROM qualification_source WHERE (program, transaction_id) IN \
         (SELECT program, transaction_id FROM qualification_source WHERE record_time < $1 \
          ORDER BY record_time LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        count_max,
    )
    .execute(tx)
    .await?;
    Ok(forgotten.rows_affected())
}
