//! The feed's rows, and the records they are about.

use fealty_postgres::{FeedPosition, StorageError};
use fealty_types::{ProgramId, StaffId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{AccessRecord, ChangeNote, RecordKind, StaffState};
use crate::{api_keys, programs};

/// Notes that a record has changed, in the change's own transaction and after its row was written: the number is then
/// taken under the row's lock, so that of two changes of one record the newer has the larger number.
///
/// `program` is nil for a key of the whole suite.
pub(crate) async fn note_change_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
    kind: RecordKind,
    record_id: Uuid,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO access_change (program, record_kind, record_id) VALUES ($1, $2, $3) \
         ON CONFLICT (program, record_kind, record_id) \
         DO UPDATE SET transaction_id = DEFAULT, sequence = DEFAULT",
        program,
        kind.as_str(),
        record_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A page of notes.
pub(super) struct NotePage {
    pub(super) notes: Vec<ChangeNote>,
    /// Of the last of them; None when there is none.
    pub(super) last: Option<FeedPosition>,
    pub(super) more: bool,
}

/// Whether there are changes after a position that took effect and may not be handed out yet, because an older
/// transaction still runs.
pub(super) async fn is_held_back_in_tx(
    tx: &mut PgConnection,
    after: FeedPosition,
) -> Result<bool, StorageError> {
    let held_back = sqlx::query_scalar!(
        r#"SELECT EXISTS (
             SELECT FROM access_change
             WHERE (transaction_id, sequence) > ($1::bigint::text::xid8, $2)
               AND transaction_id >= pg_snapshot_xmin(pg_current_snapshot())
           ) AS "held_back!""#,
        after.transaction_id,
        after.sequence,
    )
    .fetch_one(tx)
    .await?;
    Ok(held_back)
}

/// The notes after a position whose transactions are older than every one that still runs.
pub(super) async fn list_notes_in_tx(
    tx: &mut PgConnection,
    after: FeedPosition,
    count_max: usize,
) -> Result<NotePage, StorageError> {
    let mut rows = sqlx::query!(
        r#"SELECT transaction_id::text::bigint AS "transaction_id!", sequence, record_kind, record_id
           FROM access_change
           WHERE (transaction_id, sequence) > ($1::bigint::text::xid8, $2)
             AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
           ORDER BY transaction_id, sequence LIMIT $3"#,
        after.transaction_id,
        after.sequence,
        // One more than asked for tells whether there is more.
        i64::try_from(count_max.saturating_add(1)).unwrap_or(i64::MAX),
    )
    .fetch_all(tx)
    .await?;
    let more = rows.len() > count_max;
    rows.truncate(count_max);
    let last = rows.last().map(|row| FeedPosition {
        transaction_id: row.transaction_id,
        sequence: row.sequence,
    });
    let notes = rows
        .into_iter()
        .map(|row| {
            Ok(ChangeNote {
                sequence: row.sequence,
                kind: RecordKind::parse(&row.record_kind)
                    .ok_or_else(|| StorageError::corrupt("access_change.record_kind", &row.record_kind))?,
                record_id: row.record_id,
            })
        })
        .collect::<Result<_, StorageError>>()?;
    Ok(NotePage { notes, last, more })
}

/// The records that the notes are about, as they are now.
pub(super) async fn load_records_in_tx(
    tx: &mut PgConnection,
    notes: &[ChangeNote],
) -> Result<Vec<AccessRecord>, StorageError> {
    let ids_of = |kind| -> Vec<Uuid> {
        notes
            .iter()
            .filter(|note| note.kind == kind)
            .map(|note| note.record_id)
            .collect()
    };
    let programs = programs::storage::list_by_id_in_tx(&mut *tx, &ids_of(RecordKind::Program)).await?;
    let keys = api_keys::storage::list_by_id_in_tx(&mut *tx, &ids_of(RecordKind::ApiKey)).await?;
    let staff = list_staff_in_tx(tx, &ids_of(RecordKind::Staff)).await?;
    Ok(programs
        .into_iter()
        .map(AccessRecord::Program)
        .chain(keys.into_iter().map(AccessRecord::ApiKey))
        .chain(staff.into_iter().map(AccessRecord::Staff))
        .collect())
}

async fn list_staff_in_tx(
    tx: &mut PgConnection,
    staff_ids: &[Uuid],
) -> Result<Vec<StaffState>, StorageError> {
    let staff = sqlx::query_as!(
        StaffState,
        r#"SELECT staff_id AS "staff_id: StaffId", program AS "program_id: ProgramId", active
           FROM staff WHERE staff_id = ANY($1)"#,
        staff_ids,
    )
    .fetch_all(tx)
    .await?;
    Ok(staff)
}

pub(super) struct KeyRow {
    pub(super) api_key_id: Uuid,
    pub(super) program: Uuid,
    pub(super) staff_id: Option<StaffId>,
    pub(super) staff_active: Option<bool>,
    pub(super) secret_sha256: Vec<u8>,
    pub(super) token_public_key: Option<Vec<u8>>,
    pub(super) scopes: Vec<String>,
    pub(super) revoke_time: Option<chrono::DateTime<chrono::Utc>>,
    pub(super) expire_time: Option<chrono::DateTime<chrono::Utc>>,
}

/// The key with that public part, and whether who holds it is active now.
pub(super) async fn find_key_in_tx(
    tx: &mut PgConnection,
    short_id: &str,
) -> Result<Option<KeyRow>, StorageError> {
    let row = sqlx::query_as!(
        KeyRow,
        r#"SELECT api_key.api_key_id, api_key.program, api_key.staff_id AS "staff_id: StaffId",
                  staff.active AS "staff_active?", secret_sha256, token_public_key, scopes, revoke_time, expire_time
           FROM api_key
           LEFT JOIN staff ON staff.program = api_key.program AND staff.staff_id = api_key.staff_id
           WHERE short_id = $1"#,
        short_id,
    )
    .fetch_optional(tx)
    .await?;
    Ok(row)
}
