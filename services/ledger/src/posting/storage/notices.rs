//! What was told of points that end soon, and whom there is to tell.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId, TransactionId, UnitCode};
use sqlx::PgConnection;
use uuid::Uuid;

use super::state::uuids;
use super::write::all_written;
use crate::posting::domain::Expiring;

/// An owner with open lots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Whom.
    pub(crate) owner_id: OwnerId,
    /// Whether something of theirs ends soon that was not told.
    pub(crate) is_due: bool,
}

/// What was told.
#[derive(Debug)]
pub(crate) struct NewNotice {
    /// To whom.
    pub(crate) owner_id: OwnerId,
    /// Of what.
    pub(crate) expiring: Expiring,
    /// By which transaction.
    pub(crate) transaction_id: TransactionId,
}

/// The programs that tell of ends ahead. For the jobs' role.
pub(crate) async fn list_telling_programs_in_tx(
    tx: &mut PgConnection,
) -> Result<Vec<ProgramId>, StorageError> {
    let programs = sqlx::query_scalar!(
        r#"SELECT DISTINCT program AS "program: ProgramId" FROM unit WHERE expire_notice_days > 0 ORDER BY program"#
    )
    .fetch_all(tx)
    .await?;
    Ok(programs)
}

/// The next owners of a program with open lots, by id, and whether there is something to tell at `at` (by Postgres's
/// clock, if nobody says). For the jobs' role.
pub(crate) async fn list_holders_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    at: Option<DateTime<Utc>>,
    after: Uuid,
    count_max: i64,
) -> Result<Vec<Holder>, StorageError> {
    // In the order of the index, whatever the tables were like when it was planned.
    sqlx::query!("SET LOCAL enable_bitmapscan = off")
        .execute(&mut *tx)
        .await?;
    let holders = sqlx::query_as!(
        Holder,
        r#"WITH step AS (SELECT DISTINCT owner_id FROM lot WHERE program = $1 AND open AND owner_id > $2
                         ORDER BY owner_id LIMIT $3)
           SELECT s.owner_id AS "owner_id: OwnerId",
                  EXISTS (SELECT FROM lot l JOIN unit u ON u.program = l.program AND u.unit_code = l.unit_code
                          WHERE l.program = $1 AND l.owner_id = s.owner_id AND l.open AND l.value_left > 0 AND NOT l.pending
                            AND u.expire_notice_days > 0
                            AND l.expire_time > COALESCE($4, statement_timestamp())
                            AND l.expire_time <= COALESCE($4, statement_timestamp())
                                                 + make_interval(hours => 24 * u.expire_notice_days)
                            AND NOT EXISTS (SELECT FROM expiry_notice n
                                            WHERE n.program = l.program AND n.owner_id = l.owner_id
                                              AND n.unit_code = l.unit_code AND n.expire_time = l.expire_time))
                      AS "is_due!"
           FROM step s ORDER BY s.owner_id"#,
        program.as_uuid(),
        after,
        count_max,
        at,
    )
    .fetch_all(tx)
    .await?;
    Ok(holders)
}

/// What these owners have been told of ends after `at`.
pub(crate) async fn list_told_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
    at: DateTime<Utc>,
) -> Result<HashSet<(OwnerId, UnitCode, DateTime<Utc>)>, StorageError> {
    let told = sqlx::query!(
        r#"SELECT owner_id AS "owner_id: OwnerId", unit_code AS "unit_code: UnitCode", expire_time
           FROM expiry_notice WHERE program = $1 AND owner_id = ANY($2) AND expire_time > $3"#,
        program.as_uuid(),
        &uuids(owner_ids),
        at,
    )
    .fetch_all(tx)
    .await?;
    Ok(told
        .into_iter()
        .map(|row| (row.owner_id, row.unit_code, row.expire_time))
        .collect())
}

/// Writes down what was told.
pub(crate) async fn insert_notices_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    notices: &[NewNotice],
) -> Result<(), StorageError> {
    if notices.is_empty() {
        return Ok(());
    }
    let owner_ids: Vec<Uuid> = notices.iter().map(|it| it.owner_id.as_uuid()).collect();
    let units: Vec<String> = notices
        .iter()
        .map(|it| it.expiring.unit_code.to_string())
        .collect();
    let ends: Vec<DateTime<Utc>> = notices.iter().map(|it| it.expiring.end).collect();
    let values: Vec<i64> = notices.iter().map(|it| it.expiring.value.get()).collect();
    let transaction_ids: Vec<Uuid> = notices.iter().map(|it| it.transaction_id.as_uuid()).collect();
    let written = sqlx::query!(
        r#"INSERT INTO expiry_notice AS n (program, owner_id, unit_code, expire_time, value, transaction_id)
           SELECT p.program, u.owner_id, u.unit_code, u.expire_time, u.value, u.transaction_id
           FROM program p, unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[], $6::uuid[])
                AS u (owner_id, unit_code, expire_time, value, transaction_id)
           WHERE p.program = $1 ORDER BY u.owner_id, u.unit_code, u.expire_time"#,
        program.as_uuid(),
        &owner_ids,
        &units,
        &ends,
        &values,
        &transaction_ids,
    )
    .execute(tx)
    .await?;
    all_written("expiry_notice", notices.len(), written.rows_affected())
}
