//! Changes in the database, and what they write.

mod effects;
mod homes;
mod row;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{HouseholdId, InvitationId, MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Change, ChangeKind, Taking};
use crate::households::{LimitRows, limits_of};
use crate::people::parse_status;
use row::{ChangeRow, Columns};

pub(super) use effects::{lock_merging_in_tx, set_merged_in_tx, set_status_in_tx};
pub(super) use homes::{
    confirm_household_in_tx, count_seats_in_tx, dissolve_in_tx, find_open_in_tx, find_terms_in_tx,
    insert_household_in_tx, join_household_in_tx, keep_head_in_tx, leave_household_in_tx, list_seats_in_tx,
    lock_household_in_tx, set_terms_in_tx,
};
pub(crate) use homes::{find_status_in_tx, is_accepting_in_tx};

/// One attempt to have the ledger do its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    /// 1, 2, 3 ... of the change.
    pub number: i64,
    /// Until when another one may still be running; None when none can.
    pub others_until: Option<DateTime<Utc>>,
}

impl Attempt {
    /// That of the call which stored the change.
    pub(super) const FIRST: Self = Self {
        number: 1,
        others_until: None,
    };
}

/// A change that begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewChange<'a> {
    pub change: &'a Change,
    pub actor: &'a str,
    /// Sealed.
    pub reason: Option<&'a [u8]>,
    pub begin_time: DateTime<Utc>,
    /// Until then its first attempt may be running.
    pub finish_after: DateTime<Utc>,
}

/// Keeps everybody else from changing members until the end of the transaction. Those whom the program does not have, or
/// whose enrolment is not finished, are left out.
pub(super) async fn lock_members_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &BTreeSet<MemberId>,
) -> Result<Vec<Taking>, StorageError> {
    let member_ids: Vec<Uuid> = member_ids.iter().map(MemberId::as_uuid).collect();
    // In the order of their ids, so that two changes of the same two wait for each other, and do not lock each other
    // out.
    let rows = sqlx::query!(
        r#"SELECT member_id AS "member_id: MemberId", status, status_revision,
                  household_id AS "household_id: HouseholdId", open_change_id, limits_revision,
                  household_limits AS "household_limits: LimitRows"
           FROM member WHERE program = $1 AND member_id = ANY($2) AND ledger_confirmed
           ORDER BY member_id FOR NO KEY UPDATE"#,
        program_id.as_uuid(),
        &member_ids,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Taking {
                member_id: row.member_id,
                status: parse_status(&row.status)?,
                status_revision: row.status_revision,
                household_id: row.household_id,
                limits: limits_of(row.household_limits),
                limits_revision: row.limits_revision,
                open_change_id: row.open_change_id,
            })
        })
        .collect()
}

/// Stores a change, or begins the refused one of the same id anew.
pub(super) async fn upsert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    new: &NewChange<'_>,
) -> Result<(), StorageError> {
    let columns = Columns::of(new.change);
    sqlx::query!(
        "INSERT INTO member_change AS c \
         (program, change_id, kind, member_id, into_member_id, household_id, status, status_revision, actor, reason, \
          state, attempt, finish_after, begin_time, end_time, household_role, limits, limits_revision, \
          dissolve_policy, invitation_id, also) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'OPEN', $11, $12, $13, NULL, $14, $15, $16, $17, $18, $19) \
         ON CONFLICT (program, change_id) DO UPDATE \
         SET into_member_id = EXCLUDED.into_member_id, household_id = EXCLUDED.household_id, \
             status_revision = EXCLUDED.status_revision, actor = EXCLUDED.actor, reason = EXCLUDED.reason, \
             state = 'OPEN', attempt = EXCLUDED.attempt, finish_after = EXCLUDED.finish_after, \
             begin_time = EXCLUDED.begin_time, end_time = NULL, household_role = EXCLUDED.household_role, \
             limits = EXCLUDED.limits, limits_revision = EXCLUDED.limits_revision, also = EXCLUDED.also \
         WHERE c.state = 'REFUSED'",
        program_id.as_uuid(),
        new.change.change_id,
        columns.kind,
        new.change.member_id.as_uuid(),
        columns.into_member_id,
        columns.household_id,
        columns.status,
        columns.status_revision,
        new.actor,
        new.reason,
        Attempt::FIRST.number,
        new.finish_after,
        new.begin_time,
        columns.household_role,
        columns.limits as Option<LimitRows>,
        columns.limits_revision,
        columns.dissolve_policy,
        columns.invitation_id,
        columns.also.as_deref(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Marks those who take part as being in the middle of the change.
pub(super) async fn occupy_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    change: &Change,
) -> Result<(), StorageError> {
    let member_ids: Vec<Uuid> = change.member_ids().iter().map(MemberId::as_uuid).collect();
    let status_revision = match change.kind {
        ChangeKind::Status { status_revision, .. } => Some(status_revision),
        _ => None,
    };
    sqlx::query!(
        "UPDATE member SET open_change_id = $3, status_revision = coalesce($4, status_revision), \
                limits_revision = CASE WHEN member_id = $5 THEN coalesce($6, limits_revision) ELSE limits_revision END \
         WHERE program = $1 AND member_id = ANY($2)",
        program_id.as_uuid(),
        &member_ids,
        change.change_id,
        status_revision,
        change.limited_member_id().as_uuid(),
        change.limits.as_ref().map(|limits| limits.revision),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Frees those who took part.
pub(super) async fn release_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    change: &Change,
) -> Result<(), StorageError> {
    let member_ids: Vec<Uuid> = change.member_ids().iter().map(MemberId::as_uuid).collect();
    sqlx::query!(
        "UPDATE member SET open_change_id = NULL \
         WHERE program = $1 AND member_id = ANY($2) AND open_change_id = $3",
        program_id.as_uuid(),
        &member_ids,
        change.change_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A change, however far it has come.
pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    change_id: Uuid,
) -> Result<Option<Change>, StorageError> {
    sqlx::query_as!(
        ChangeRow,
        r#"SELECT change_id, kind, member_id AS "member_id: MemberId",
                  into_member_id AS "into_member_id: MemberId", household_id AS "household_id: HouseholdId",
                  status, status_revision, state, household_role, limits AS "limits: LimitRows", limits_revision,
                  dissolve_policy, invitation_id AS "invitation_id: InvitationId", also
           FROM member_change WHERE program = $1 AND change_id = $2"#,
        program_id.as_uuid(),
        change_id,
    )
    .fetch_optional(tx)
    .await?
    .map(Change::try_from)
    .transpose()
}

/// Begins another attempt at an open change; None when it has been ended.
pub(super) async fn begin_attempt_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    change_id: Uuid,
    now: DateTime<Utc>,
    finish_after: DateTime<Utc>,
) -> Result<Option<(Change, Attempt)>, StorageError> {
    let before = sqlx::query!(
        r#"SELECT finish_after AS "finish_after!", attempt FROM member_change
           WHERE program = $1 AND change_id = $2 AND state = 'OPEN' FOR NO KEY UPDATE"#,
        program_id.as_uuid(),
        change_id,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(before) = before else {
        return Ok(None);
    };
    let attempt = Attempt {
        number: before.attempt + 1,
        others_until: Some(before.finish_after).filter(|time| *time > now),
    };
    sqlx::query!(
        "UPDATE member_change SET attempt = $3, finish_after = $4 WHERE program = $1 AND change_id = $2",
        program_id.as_uuid(),
        change_id,
        attempt.number,
        finish_after,
    )
    .execute(&mut *tx)
    .await?;
    let change = find_in_tx(tx, program_id, change_id).await?;
    Ok(change.map(|change| (change, attempt)))
}

/// Begins an attempt at changes that nobody has ended by now, the longest waiting first, and keeps others from them until
/// `finish_after`. Across programs: needs the jobs' role.
///
/// What is locked is materialised: a subselect that locks could be run again, and would then take more than it may.
pub(super) async fn claim_leftovers_in_tx(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    finish_after: DateTime<Utc>,
    count_max: i64,
) -> Result<Vec<(ProgramId, Change, Attempt)>, StorageError> {
    let rows = sqlx::query!(
        r#"WITH left_behind AS MATERIALIZED (
               SELECT program, change_id FROM member_change WHERE state = 'OPEN' AND finish_after <= $1
               ORDER BY finish_after LIMIT $3 FOR UPDATE SKIP LOCKED)
           UPDATE member_change SET attempt = attempt + 1, finish_after = $2
           WHERE (program, change_id) IN (SELECT program, change_id FROM left_behind)
           RETURNING program AS "program: ProgramId", change_id, kind, member_id AS "member_id: MemberId",
                     into_member_id AS "into_member_id: MemberId", household_id AS "household_id: HouseholdId",
                     status, status_revision, state, attempt, household_role, limits AS "limits: LimitRows",
                     limits_revision, dissolve_policy, invitation_id AS "invitation_id: InvitationId", also"#,
        now,
        finish_after,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let attempt = Attempt {
                number: row.attempt,
                others_until: None,
            };
            let change = ChangeRow {
                change_id: row.change_id,
                kind: row.kind,
                member_id: row.member_id,
                into_member_id: row.into_member_id,
                household_id: row.household_id,
                status: row.status,
                status_revision: row.status_revision,
                state: row.state,
                household_role: row.household_role,
                limits: row.limits,
                limits_revision: row.limits_revision,
                dissolve_policy: row.dissolve_policy,
                invitation_id: row.invitation_id,
                also: row.also,
            };
            Ok((row.program, change.try_into()?, attempt))
        })
        .collect()
}

/// Ends an open change as made. False when it has been ended.
pub(super) async fn end_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    change_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let ended = sqlx::query!(
        "UPDATE member_change SET state = 'DONE', finish_after = NULL, end_time = $3 \
         WHERE program = $1 AND change_id = $2 AND state = 'OPEN'",
        program_id.as_uuid(),
        change_id,
        now,
    )
    .execute(tx)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// Ends an attempt that the ledger has refused: it is not running any more, so that only those before it are waited for.
/// Nothing happens if another one has begun.
pub(super) async fn end_attempt_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    change_id: Uuid,
    number: i64,
    others_until: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE member_change SET finish_after = $4 \
         WHERE program = $1 AND change_id = $2 AND state = 'OPEN' AND attempt = $3",
        program_id.as_uuid(),
        change_id,
        number,
        others_until,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends an open change as refused. False when it has been ended, or another attempt at it has begun.
pub(super) async fn refuse_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    change_id: Uuid,
    attempt: Attempt,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let ended = sqlx::query!(
        "UPDATE member_change SET state = 'REFUSED', finish_after = NULL, end_time = $4 \
         WHERE program = $1 AND change_id = $2 AND state = 'OPEN' AND attempt = $3",
        program_id.as_uuid(),
        change_id,
        attempt.number,
        now,
    )
    .execute(tx)
    .await?;
    Ok(ended.rows_affected() == 1)
}
