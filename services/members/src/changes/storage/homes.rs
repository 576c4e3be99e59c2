//! What a change of a household writes and reads. The caller holds the locks of the household and of its members.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{HouseholdId, InvitationId, MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::changes::storage::parse_status;
use crate::households::domain::{Limits, Seat, Terms};
use crate::households::{LimitRows, limit_rows, limits_of, parse_role};
use crate::people::domain::MemberStatus;

/// Puts a member who is in no household into one. False when they are in one.
pub(in crate::changes) async fn join_household_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (member_id, household_id): (MemberId, HouseholdId),
    terms: &Terms,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    // There is one head, who may have come first.
    let joined = sqlx::query!(
        "UPDATE member SET household_id = $3, household_join_time = $4, revision = revision + 1, \
                update_time = GREATEST(update_time, $4), household_limits = $6, \
                household_role = CASE WHEN $5 = 'HEAD' AND EXISTS ( \
                    SELECT 1 FROM member h WHERE h.program = $1 AND h.household_id = $3 AND h.household_role = 'HEAD') \
                    THEN 'ADULT' ELSE $5 END \
         WHERE program = $1 AND member_id = $2 AND household_id IS NULL",
        program_id.as_uuid(),
        member_id.as_uuid(),
        household_id.as_uuid(),
        now,
        terms.role.as_str(),
        some_rows(&terms.limits) as Option<LimitRows>,
    )
    .execute(tx)
    .await?;
    Ok(joined.rows_affected() == 1)
}

/// Takes a member out of a household. False when they are not in it.
pub(in crate::changes) async fn leave_household_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    household_id: HouseholdId,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let left = sqlx::query!(
        "UPDATE member SET household_id = NULL, household_join_time = NULL, household_role = NULL, \
                household_limits = NULL, revision = revision + 1, \
                update_time = GREATEST(update_time, $4) \
         WHERE program = $1 AND member_id = $2 AND household_id = $3",
        program_id.as_uuid(),
        member_id.as_uuid(),
        household_id.as_uuid(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(left.rows_affected() == 1)
}

/// Stores a household that nobody is told of yet; one that is there already stays.
pub(in crate::changes) async fn insert_household_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO household (program, household_id, ledger_confirmed, create_time) VALUES ($1, $2, false, $3) \
         ON CONFLICT (program, household_id) DO NOTHING",
        program_id.as_uuid(),
        household_id.as_uuid(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Says that the ledger knows a household.
pub(in crate::changes) async fn confirm_household_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE household SET ledger_confirmed = true WHERE program = $1 AND household_id = $2",
        program_id.as_uuid(),
        household_id.as_uuid(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps others from joining or leaving a household until the end of the transaction. Says whether it is dissolved; None
/// when the program has no such household, or the ledger does not know it yet.
pub(in crate::changes) async fn lock_household_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
) -> Result<Option<bool>, StorageError> {
    let locked = sqlx::query!(
        "SELECT dissolve_time FROM household WHERE program = $1 AND household_id = $2 AND ledger_confirmed \
         FOR NO KEY UPDATE",
        program_id.as_uuid(),
        household_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(locked.map(|row| row.dissolve_time.is_some()))
}

/// How many belong to a household, together with those who are on the way into it.
pub(in crate::changes) async fn count_seats_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
) -> Result<usize, StorageError> {
    let count = sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM member WHERE program = $1 AND household_id = $2)
                + (SELECT count(*) FROM member_change
                   WHERE program = $1 AND household_id = $2 AND state = 'OPEN' AND kind = 'JOIN_HOUSEHOLD')
                  AS "count!""#,
        program_id.as_uuid(),
        household_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// A change of a household that is under way: any, or only its end.
pub(in crate::changes) async fn find_open_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
    any: bool,
) -> Result<Option<Uuid>, StorageError> {
    let open = sqlx::query_scalar!(
        "SELECT change_id FROM member_change \
         WHERE program = $1 AND household_id = $2 AND state = 'OPEN' AND ($3 OR kind = 'DISSOLVE_HOUSEHOLD') LIMIT 1",
        program_id.as_uuid(),
        household_id.as_uuid(),
        any,
    )
    .fetch_optional(tx)
    .await?;
    Ok(open)
}

/// Who belongs to a household, in the order of joining.
pub(in crate::changes) async fn list_seats_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
) -> Result<Vec<Seat>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT m.member_id AS "member_id: MemberId", m.household_role AS "household_role!", m.status,
                  EXISTS (SELECT 1 FROM member_change c
                          WHERE c.program = m.program AND c.change_id = m.open_change_id AND c.state = 'OPEN'
                            AND c.member_id = m.member_id AND c.kind IN ('LEAVE_HOUSEHOLD', 'MERGE')) AS "is_leaving!"
           FROM member m WHERE m.program = $1 AND m.household_id = $2
           ORDER BY m.household_join_time, m.member_id"#,
        program_id.as_uuid(),
        household_id.as_uuid(),
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Seat {
                member_id: row.member_id,
                role: parse_role(&row.household_role)?,
                status: parse_status(&row.status)?,
                is_leaving: row.is_leaving,
            })
        })
        .collect()
}

/// What a member may do in their household, and spend; None for who is in none.
pub(in crate::changes) async fn find_terms_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<Terms>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT household_role, household_limits AS "household_limits: LimitRows"
           FROM member WHERE program = $1 AND member_id = $2"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    let Some(role) = row.household_role else {
        return Ok(None);
    };
    Ok(Some(Terms {
        role: parse_role(&role)?,
        limits: limits_of(row.household_limits),
    }))
}

/// Writes what a member may do in their household, and spend. Who becomes the head takes the place of the head.
pub(in crate::changes) async fn set_terms_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (member_id, household_id): (MemberId, HouseholdId),
    terms: &Terms,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE member SET household_role = 'ADULT', revision = revision + 1, update_time = GREATEST(update_time, $5) \
         WHERE program = $1 AND household_id = $2 AND household_role = 'HEAD' AND member_id <> $3 AND $4 = 'HEAD'",
        program_id.as_uuid(),
        household_id.as_uuid(),
        member_id.as_uuid(),
        terms.role.as_str(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE member SET household_role = $4, household_limits = $5, revision = revision + 1, \
                update_time = GREATEST(update_time, $6) \
         WHERE program = $1 AND household_id = $2 AND member_id = $3",
        program_id.as_uuid(),
        household_id.as_uuid(),
        member_id.as_uuid(),
        terms.role.as_str(),
        some_rows(&terms.limits) as Option<LimitRows>,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Where a household has no head, the adult who has belonged to it longest is the head.
pub(in crate::changes) async fn keep_head_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE member SET household_role = 'HEAD', revision = revision + 1, update_time = GREATEST(update_time, $3) \
         WHERE program = $1 AND member_id = ( \
                   SELECT m.member_id FROM member m \
                   WHERE m.program = $1 AND m.household_id = $2 AND m.household_role = 'ADULT' \
                   ORDER BY m.household_join_time, m.member_id LIMIT 1) \
           AND NOT EXISTS (SELECT 1 FROM member h \
                           WHERE h.program = $1 AND h.household_id = $2 AND h.household_role = 'HEAD')",
        program_id.as_uuid(),
        household_id.as_uuid(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Says that a household is over.
pub(in crate::changes) async fn dissolve_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE household SET dissolve_time = $3 WHERE program = $1 AND household_id = $2",
        program_id.as_uuid(),
        household_id.as_uuid(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Whether somebody is on the way in by an invitation.
pub(crate) async fn is_accepting_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    invitation_id: InvitationId,
) -> Result<bool, StorageError> {
    let accepting = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM household_invitation i
                          JOIN member_change c ON c.program = i.program AND c.household_id = i.household_id
                          WHERE i.program = $1 AND i.invitation_id = $2 AND c.state = 'OPEN'
                            AND c.invitation_id = i.invitation_id) AS "is_accepting!""#,
        program_id.as_uuid(),
        invitation_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    Ok(accepting)
}

/// What a member may do, and where they belong; None where the program has no such member.
pub(crate) async fn find_status_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<(MemberStatus, Option<HouseholdId>)>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT status, household_id AS "household_id: HouseholdId"
           FROM member WHERE program = $1 AND member_id = $2 AND ledger_confirmed"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    row.map(|row| Ok((parse_status(&row.status)?, row.household_id)))
        .transpose()
}

/// No limits are no value.
fn some_rows(limits: &Limits) -> Option<LimitRows> {
    (!limits.is_empty()).then(|| limit_rows(limits))
}
