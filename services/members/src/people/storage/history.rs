//! What became of identifiers, in the database: never what they say.

use fealty_postgres::StorageError;
use fealty_types::{IdentifierId, MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::cards::domain::EndReason;
use crate::people::domain::{HistoryEntry, IdentifierChange, IdentifierKind, Verification};
use crate::people::noting::{Done, Noted};

/// Keeps what became of a member's identifiers, in its order after all that was. The caller holds the member's lock.
pub(in crate::people) async fn insert_history_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    noted: &[Noted],
    done: Done<'_>,
) -> Result<(), StorageError> {
    if noted.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = noted.iter().map(|one| one.identifier_id.as_uuid()).collect();
    let text = |text: fn(&Noted) -> &'static str| -> Vec<String> {
        noted.iter().map(|one| text(one).to_owned()).collect()
    };
    let kinds = text(|one| one.kind.as_str());
    let changes = text(|one| one.change.as_str());
    let reason = |one: &Noted| one.change.end_reason().map(|reason| reason.as_str().to_owned());
    let reasons: Vec<Option<String>> = noted.iter().map(reason).collect();
    let by = |one: &Noted| one.change.replaced_by().map(|id| id.as_uuid());
    let replaced_by: Vec<Option<Uuid>> = noted.iter().map(by).collect();
    sqlx::query!(
        "INSERT INTO identifier_history \
         (program, member_id, sequence, identifier_id, kind, change, end_reason, replaced_by_identifier_id, actor, \
          change_time) \
         SELECT p.program, $2, before.sequence + u.place, u.identifier_id, u.kind, u.change, u.end_reason, u.replaced_by, \
                $8, $9 \
         FROM program p, \
              (SELECT coalesce(max(sequence), 0) AS sequence FROM identifier_history \
               WHERE program = $1 AND member_id = $2) before, \
              unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::uuid[]) WITH ORDINALITY \
              AS u (identifier_id, kind, change, end_reason, replaced_by, place) \
         WHERE p.program = $1 ORDER BY u.place",
        program_id.as_uuid(),
        member_id.as_uuid(),
        &ids,
        &kinds,
        &changes,
        &reasons as &[Option<String>],
        &replaced_by as &[Option<Uuid>],
        done.actor,
        done.time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The entries of a member's history after one of them, in the order of what happened.
pub(in crate::people) async fn list_history_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    after: Option<i64>,
    count_max: i64,
) -> Result<Vec<HistoryEntry>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT sequence, identifier_id AS "identifier_id: IdentifierId", kind, change, end_reason,
                  replaced_by_identifier_id AS "replaced_by_identifier_id: IdentifierId", actor, change_time
           FROM identifier_history WHERE program = $1 AND member_id = $2 AND sequence > $3
           ORDER BY sequence LIMIT $4"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        after.unwrap_or(0),
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
                sequence: row.sequence,
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
