//! Ends of contracts and legal holds in the database.

use chrono::{DateTime, NaiveDate, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{LegalHold, Retention};

/// Holds of one answer: more than a person is ever party to.
const HOLDS_SHOWN_MAX: i64 = 100;

pub(super) async fn upsert_end_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    (end_date, purgeable_from): (NaiveDate, NaiveDate),
    (actor, now): (&str, DateTime<Utc>),
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO contract_end (program, member_id, end_date, purgeable_from, actor, update_time) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (program, member_id) DO UPDATE SET end_date = excluded.end_date, \
             purgeable_from = excluded.purgeable_from, actor = excluded.actor, update_time = excluded.update_time",
        program_id.as_uuid(),
        member_id.as_uuid(),
        end_date,
        purgeable_from,
        actor,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The last day of a person's contract, by whichever of their records it was said, and from when on they may be erased:
/// the latest of them.
pub(super) async fn find_end_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[Uuid],
) -> Result<Option<(NaiveDate, NaiveDate)>, StorageError> {
    let row = sqlx::query!(
        "SELECT end_date, purgeable_from FROM contract_end WHERE program = $1 AND member_id = ANY($2) \
         ORDER BY purgeable_from DESC LIMIT 1",
        program_id.as_uuid(),
        member_ids,
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| (row.end_date, row.purgeable_from)))
}

pub(super) async fn insert_hold_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    hold: &LegalHold,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO legal_hold (program, legal_hold_id, member_id, case_reference, placed_by, place_time) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        program_id.as_uuid(),
        hold.legal_hold_id,
        hold.member_id.as_uuid(),
        hold.case_reference,
        hold.placed_by,
        hold.place_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Lifts a hold, if it holds.
pub(super) async fn lift_hold_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    legal_hold_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE legal_hold SET lift_time = $3 WHERE program = $1 AND legal_hold_id = $2 AND lift_time IS NULL",
        program_id.as_uuid(),
        legal_hold_id,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn find_hold_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    legal_hold_id: Uuid,
) -> Result<Option<LegalHold>, StorageError> {
    Ok(sqlx::query_as!(
        LegalHold,
        r#"SELECT legal_hold_id, member_id AS "member_id: MemberId", case_reference, placed_by, place_time, lift_time
           FROM legal_hold WHERE program = $1 AND legal_hold_id = $2"#,
        program_id.as_uuid(),
        legal_hold_id,
    )
    .fetch_optional(tx)
    .await?)
}

/// What holds a person's data, by all their records, oldest first.
pub(super) async fn list_holds_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[Uuid],
) -> Result<Vec<LegalHold>, StorageError> {
    Ok(sqlx::query_as!(
        LegalHold,
        r#"SELECT legal_hold_id, member_id AS "member_id: MemberId", case_reference, placed_by, place_time, lift_time
           FROM legal_hold WHERE program = $1 AND member_id = ANY($2) AND lift_time IS NULL
           ORDER BY place_time, legal_hold_id LIMIT $3"#,
        program_id.as_uuid(),
        member_ids,
        HOLDS_SHOWN_MAX,
    )
    .fetch_all(tx)
    .await?)
}

/// Where a list of those who may be erased goes on.
pub(super) type PurgeableAfter = (NaiveDate, MemberId);

/// Records that were not merged into others, whose time has ended and whose data nobody holds.
pub(super) async fn list_purgeable_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    today: NaiveDate,
    after: Option<PurgeableAfter>,
    count_max: i64,
) -> Result<Vec<Retention>, StorageError> {
    let after_id = after.map_or_else(Uuid::nil, |(_, member_id)| member_id.as_uuid());
    let rows = sqlx::query!(
        r#"SELECT e.member_id AS "member_id: MemberId", e.end_date, e.purgeable_from
           FROM contract_end AS e
           JOIN member AS m ON m.program = e.program AND m.member_id = e.member_id
           WHERE e.program = $1 AND e.purgeable_from <= $2 AND m.merged_into_member_id IS NULL
             AND ($3::date IS NULL OR (e.purgeable_from, e.member_id) > ($3, $4))
             AND NOT EXISTS (
                 SELECT FROM legal_hold AS h
                 JOIN member AS r ON r.program = h.program AND r.member_id = h.member_id
                 WHERE h.program = $1 AND h.lift_time IS NULL
                   AND coalesce(r.merged_into_member_id, r.member_id) = e.member_id)
             AND NOT EXISTS (SELECT FROM erasure AS x WHERE x.program = $1 AND x.member_id = e.member_id)
           ORDER BY e.purgeable_from, e.member_id LIMIT $5"#,
        program_id.as_uuid(),
        today,
        after.map(|(date, _)| date),
        after_id,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    let retention = |(member_id, end_date, from)| Retention {
        member_id,
        ended: Some((end_date, from)),
        legal_holds: Vec::new(),
    };
    let rows = rows.into_iter();
    Ok(rows
        .map(|row| retention((row.member_id, row.end_date, row.purgeable_from)))
        .collect())
}
