//! Erasures in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{HouseholdId, MemberId, ProgramId};
use fealty_vault::Signature;
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Cause, Erasure, RECORDS_MAX, Receipt, State};
use crate::people::domain::MemberStatus;

/// A record of the person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub member_id: MemberId,
    pub status: MemberStatus,
    pub household_id: Option<HouseholdId>,
}

/// Keeps everybody else from changing a person's records until the end of the transaction: the one that stayed and those
/// that were merged into it, by whichever of them they are named. One more than there may be, so that too many are seen.
pub(super) async fn lock_person_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    named: MemberId,
) -> Result<Vec<Record>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT m.member_id AS "member_id: MemberId", m.status, m.household_id AS "household_id: HouseholdId"
           FROM member AS m
           WHERE m.program = $1 AND m.ledger_confirmed
             AND coalesce(m.merged_into_member_id, m.member_id) = (
                 SELECT coalesce(n.merged_into_member_id, n.member_id) FROM member AS n
                 WHERE n.program = $1 AND n.member_id = $2)
           ORDER BY m.member_id LIMIT $3 FOR NO KEY UPDATE OF m"#,
        program_id.as_uuid(),
        named.as_uuid(),
        i64::try_from(RECORDS_MAX + 1).unwrap_or(i64::MAX),
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = MemberStatus::from_column(&row.status)
                .ok_or_else(|| StorageError::corrupt("member.status", &row.status))?;
            Ok(Record {
                member_id: row.member_id,
                status,
                household_id: row.household_id,
            })
        })
        .collect()
}

pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    erasure: &Erasure,
    finish_after: DateTime<Utc>,
) -> Result<(), StorageError> {
    let member_ids: Vec<Uuid> = erasure.member_ids.iter().map(MemberId::as_uuid).collect();
    sqlx::query!(
        "INSERT INTO erasure \
         (program, erasure_id, member_id, member_ids, cause, actor, state, waits_for, finish_after, begin_time) \
         VALUES ($1, $2, $3, $4, $5, $6, 'BEGUN', $7, $8, $9)",
        program_id.as_uuid(),
        erasure.erasure_id,
        erasure.member_id.as_uuid(),
        &member_ids,
        erasure.cause.as_str(),
        erasure.actor,
        &erasure.waits_for,
        finish_after,
        erasure.begin_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The id of the erasure of a person.
pub(super) async fn find_id_of_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<Uuid>, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT erasure_id FROM erasure WHERE program = $1 AND member_id = $2",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?)
}

/// Keeps everybody else from an erasure until the end of the transaction. False when there is none.
pub(super) async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    erasure_id: Uuid,
) -> Result<bool, StorageError> {
    let locked = sqlx::query_scalar!(
        "SELECT erasure_id FROM erasure WHERE program = $1 AND erasure_id = $2 FOR NO KEY UPDATE",
        program_id.as_uuid(),
        erasure_id,
    )
    .fetch_optional(tx)
    .await?;
    Ok(locked.is_some())
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    erasure_id: Uuid,
) -> Result<Option<Erasure>, StorageError> {
    let of = Of::One(erasure_id);
    Ok(load_in_tx(tx, program_id, of).await?.pop())
}

/// The erasures after one of them, oldest first.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    after: Option<(DateTime<Utc>, Uuid)>,
    count_max: i64,
) -> Result<Vec<Erasure>, StorageError> {
    load_in_tx(tx, program_id, Of::After(after, count_max)).await
}

/// Which ones are read.
#[derive(Debug, Clone, Copy)]
enum Of {
    One(Uuid),
    After(Option<(DateTime<Utc>, Uuid)>, i64),
}

async fn load_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    of: Of,
) -> Result<Vec<Erasure>, StorageError> {
    let (one, after, count_max) = match of {
        Of::One(erasure_id) => (Some(erasure_id), None, 1),
        Of::After(after, count_max) => (None, after, count_max),
    };
    let (after_time, after_id) = after.unwrap_or((DateTime::UNIX_EPOCH, Uuid::nil()));
    let rows = sqlx::query_as!(
        ErasureRow,
        r#"SELECT erasure_id, member_id AS "member_id: MemberId", member_ids, cause, actor, state, waits_for, begin_time,
                  destroy_time, receipt_text, receipt_signature, receipt_public_key,
                  ARRAY(SELECT p.service FROM erasure_part AS p
                        WHERE p.program = e.program AND p.erasure_id = e.erasure_id ORDER BY p.service) AS "services!",
                  ARRAY(SELECT p.confirm_time FROM erasure_part AS p
                        WHERE p.program = e.program AND p.erasure_id = e.erasure_id ORDER BY p.service) AS "times!"
           FROM erasure AS e
           WHERE program = $1 AND ($2::uuid IS NULL OR erasure_id = $2) AND (begin_time, erasure_id) > ($3, $4)
           ORDER BY begin_time, erasure_id LIMIT $5"#,
        program_id.as_uuid(),
        one,
        after_time,
        after_id,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(Erasure::try_from).collect()
}

/// Notes that the ledger and this service are done. False when that was noted before.
pub(super) async fn set_destroyed_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    erasure_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let set = sqlx::query!(
        "UPDATE erasure SET state = 'DESTROYED', destroy_time = $3, finish_after = NULL \
         WHERE program = $1 AND erasure_id = $2 AND state = 'BEGUN'",
        program_id.as_uuid(),
        erasure_id,
        now,
    )
    .execute(tx)
    .await?;
    Ok(set.rows_affected() == 1)
}

/// Notes what another service said; the first time counts.
pub(super) async fn insert_part_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (erasure_id, service): (Uuid, &str),
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO erasure_part (program, erasure_id, service, confirm_time) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (program, erasure_id, service) DO NOTHING",
        program_id.as_uuid(),
        erasure_id,
        service,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends an erasure with its receipt.
pub(super) async fn complete_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    erasure_id: Uuid,
    (receipt, now): (&Receipt, DateTime<Utc>),
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE erasure SET state = 'COMPLETE', complete_time = $3, receipt_text = $4, receipt_signature = $5, \
                receipt_public_key = $6 \
         WHERE program = $1 AND erasure_id = $2 AND state = 'DESTROYED'",
        program_id.as_uuid(),
        erasure_id,
        now,
        receipt.text,
        receipt.signature.bytes.as_slice(),
        receipt.signature.public_key.as_slice(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes erasures that nobody has gone on with by now, and keeps others from them until `finish_after`. Across programs:
/// needs the jobs' role.
pub(super) async fn claim_leftovers_in_tx(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    finish_after: DateTime<Utc>,
    count_max: i64,
) -> Result<Vec<(ProgramId, Uuid)>, StorageError> {
    let rows = sqlx::query!(
        r#"WITH left_over AS MATERIALIZED (
               SELECT program, erasure_id FROM erasure WHERE state = 'BEGUN' AND finish_after <= $1
               ORDER BY finish_after LIMIT $3 FOR UPDATE SKIP LOCKED)
           UPDATE erasure SET finish_after = $2
           WHERE (program, erasure_id) IN (SELECT program, erasure_id FROM left_over)
           RETURNING program AS "program: ProgramId", erasure_id"#,
        now,
        finish_after,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.program, row.erasure_id))
        .collect())
}

struct ErasureRow {
    erasure_id: Uuid,
    member_id: MemberId,
    member_ids: Vec<Uuid>,
    cause: String,
    actor: String,
    state: String,
    waits_for: Vec<String>,
    begin_time: DateTime<Utc>,
    destroy_time: Option<DateTime<Utc>>,
    receipt_text: Option<String>,
    receipt_signature: Option<Vec<u8>>,
    receipt_public_key: Option<Vec<u8>>,
    services: Vec<String>,
    times: Vec<DateTime<Utc>>,
}

impl TryFrom<ErasureRow> for Erasure {
    type Error = StorageError;

    fn try_from(row: ErasureRow) -> Result<Self, StorageError> {
        let receipt = match (row.receipt_text, row.receipt_signature, row.receipt_public_key) {
            (Some(text), Some(bytes), Some(public_key)) => Some(Receipt {
                text,
                signature: Signature { bytes, public_key },
            }),
            _ => None,
        };
        Ok(Self {
            erasure_id: row.erasure_id,
            member_id: row.member_id,
            member_ids: row
                .member_ids
                .into_iter()
                .map(|id| {
                    MemberId::try_from(id).map_err(|error| StorageError::corrupt("erasure.member_ids", error))
                })
                .collect::<Result<_, _>>()?,
            cause: Cause::from_column(&row.cause)
                .ok_or_else(|| StorageError::corrupt("erasure.cause", &row.cause))?,
            actor: row.actor,
            state: State::from_column(&row.state)
                .ok_or_else(|| StorageError::corrupt("erasure.state", &row.state))?,
            waits_for: row.waits_for,
            begin_time: row.begin_time,
            destroy_time: row.destroy_time,
            confirmed: row.services.into_iter().zip(row.times).collect(),
            receipt,
        })
    }
}
