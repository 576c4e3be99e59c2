//! What became of identifiers, in the database: never what they say.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{IdentifierId, MemberId, ProgramId, uuid_v7};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::cards::domain::EndReason;
use crate::people::domain::{HistoryEntry, IdentifierChange, IdentifierKind, Verification};

/// What became of an identifier, by whom.
#[derive(Debug, Clone, Copy)]
pub(in crate::people) struct Noted<'a> {
    pub identifier_id: IdentifierId,
    pub kind: IdentifierKind,
    pub change: IdentifierChange,
    pub actor: &'a str,
    pub change_time: DateTime<Utc>,
}

/// Keeps what became of a member's identifiers.
pub(in crate::people) async fn insert_history_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    noted: &[Noted<'_>],
) -> Result<(), StorageError> {
    for one in noted {
        sqlx::query!(
            "INSERT INTO identifier_history \
             (program, member_id, entry_id, identifier_id, kind, change, end_reason, replaced_by_identifier_id, actor, \
              change_time) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            program_id.as_uuid(),
            member_id.as_uuid(),
            uuid_v7(one.change_time),
            one.identifier_id.as_uuid(),
            one.kind.as_str(),
            one.change.as_str(),
            one.change.end_reason().map(EndReason::as_str),
            one.change.replaced_by().map(|id| id.as_uuid()),
            one.actor,
            one.change_time,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// The entries of a member's history after one of them, oldest first.
pub(in crate::people) async fn list_history_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    after: Option<Uuid>,
    count_max: i64,
) -> Result<Vec<HistoryEntry>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT entry_id, identifier_id AS "identifier_id: IdentifierId", kind, change, end_reason,
                  replaced_by_identifier_id AS "replaced_by_identifier_id: IdentifierId", actor, change_time
           FROM identifier_history WHERE program = $1 AND member_id = $2 AND entry_id > $3
           ORDER BY entry_id LIMIT $4"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        after.unwrap_or(Uuid::nil()),
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let end_reason = row.end_reason.as_deref().and_then(EndReason::from_column);
            let change =
                IdentifierChange::from_columns(&row.change, end_reason, row.replaced_by_identifier_id);
            Ok(HistoryEntry {
                entry_id: row.entry_id,
                identifier_id: row.identifier_id,
                kind: IdentifierKind::from_column(&row.kind)
                    .ok_or_else(|| StorageError::corrupt("identifier_history.kind", &row.kind))?,
                change: change
                    .ok_or_else(|| StorageError::corrupt("identifier_history.change", &row.change))?,
                actor: row.actor,
                change_time: row.change_time,
            })
        })
        .collect()
}

/// Writes that an identifier is the member's.
pub(in crate::people) async fn verify_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    identifier_id: IdentifierId,
    verification: &Verification,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE identifier SET verify_time = $3, verified_by = $4 WHERE program = $1 AND identifier_id = $2",
        program_id.as_uuid(),
        identifier_id.as_uuid(),
        verification.verify_time,
        verification.verified_by,
    )
    .execute(tx)
    .await?;
    Ok(())
}
