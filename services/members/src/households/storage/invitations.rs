//! Invitations in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{HouseholdId, InvitationId, MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{LimitRows, limit_rows, limits_of, parse_role};
use crate::households::domain::{Invitation, InvitationStatus, Terms};

/// Whose invitations.
#[derive(Debug, Clone, Copy)]
pub(in crate::households) enum InvitationsOf {
    Household(HouseholdId),
    Member(MemberId),
}

struct InvitationRow {
    invitation_id: InvitationId,
    household_id: HouseholdId,
    member_id: MemberId,
    by_member_id: Option<MemberId>,
    role: String,
    limits: Option<LimitRows>,
    status: String,
    expire_time: DateTime<Utc>,
    create_time: DateTime<Utc>,
}

impl TryFrom<InvitationRow> for Invitation {
    type Error = StorageError;

    fn try_from(row: InvitationRow) -> Result<Self, StorageError> {
        let status = InvitationStatus::from_column(&row.status);
        Ok(Self {
            invitation_id: row.invitation_id,
            household_id: row.household_id,
            member_id: row.member_id,
            by: row.by_member_id,
            terms: Terms {
                role: parse_role(&row.role)?,
                limits: limits_of(row.limits),
            },
            status: status
                .ok_or_else(|| StorageError::corrupt("household_invitation.status", &row.status))?,
            expire_time: row.expire_time,
            create_time: row.create_time,
        })
    }
}

pub(in crate::households) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    new: &Invitation,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO household_invitation \
         (program, invitation_id, household_id, member_id, by_member_id, role, limits, status, expire_time, create_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        program_id.as_uuid(),
        new.invitation_id.as_uuid(),
        new.household_id.as_uuid(),
        new.member_id.as_uuid(),
        new.by.as_ref().map(MemberId::as_uuid),
        new.terms.role.as_str(),
        limit_rows(&new.terms.limits) as LimitRows,
        new.status.as_str(),
        new.expire_time,
        new.create_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends what a household has open to a member: another one takes its place. Answers what was withdrawn by that.
pub(in crate::households) async fn close_open_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (household_id, member_id): (HouseholdId, MemberId),
    now: DateTime<Utc>,
) -> Result<Option<InvitationId>, StorageError> {
    let ended = sqlx::query!(
        r#"UPDATE household_invitation SET status = CASE WHEN expire_time <= $4 THEN 'EXPIRED' ELSE 'WITHDRAWN' END
           WHERE program = $1 AND household_id = $2 AND member_id = $3 AND status = 'OPEN'
           RETURNING invitation_id AS "invitation_id: InvitationId", expire_time"#,
        program_id.as_uuid(),
        household_id.as_uuid(),
        member_id.as_uuid(),
        now,
    )
    .fetch_optional(tx)
    .await?;
    Ok(ended
        .filter(|row| row.expire_time > now)
        .map(|row| row.invitation_id))
}

/// How many of a household can be accepted.
pub(in crate::households) async fn count_open_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
    now: DateTime<Utc>,
) -> Result<usize, StorageError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM household_invitation
           WHERE program = $1 AND household_id = $2 AND status = 'OPEN' AND expire_time > $3"#,
        program_id.as_uuid(),
        household_id.as_uuid(),
        now,
    )
    .fetch_one(tx)
    .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Withdraws all that a household has open. Answers to whom.
pub(crate) async fn withdraw_all_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
    now: DateTime<Utc>,
) -> Result<Vec<(InvitationId, MemberId)>, StorageError> {
    let rows = sqlx::query!(
        r#"UPDATE household_invitation SET status = 'WITHDRAWN'
           WHERE program = $1 AND household_id = $2 AND status = 'OPEN' AND expire_time > $3
           RETURNING invitation_id AS "invitation_id: InvitationId", member_id AS "member_id: MemberId""#,
        program_id.as_uuid(),
        household_id.as_uuid(),
        now,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.invitation_id, row.member_id))
        .collect())
}

/// An invitation that nobody else answers until the end of the transaction.
pub(crate) async fn lock_invitation_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    invitation_id: InvitationId,
) -> Result<Option<Invitation>, StorageError> {
    sqlx::query_as!(
        InvitationRow,
        r#"SELECT invitation_id AS "invitation_id: InvitationId", household_id AS "household_id: HouseholdId",
                  member_id AS "member_id: MemberId", by_member_id AS "by_member_id: MemberId", role,
                  limits AS "limits: LimitRows", status, expire_time, create_time
           FROM household_invitation WHERE program = $1 AND invitation_id = $2 FOR NO KEY UPDATE"#,
        program_id.as_uuid(),
        invitation_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Invitation::try_from)
    .transpose()
}

/// The same, to look at.
pub(in crate::households) async fn find_invitation_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    invitation_id: InvitationId,
) -> Result<Option<Invitation>, StorageError> {
    sqlx::query_as!(
        InvitationRow,
        r#"SELECT invitation_id AS "invitation_id: InvitationId", household_id AS "household_id: HouseholdId",
                  member_id AS "member_id: MemberId", by_member_id AS "by_member_id: MemberId", role,
                  limits AS "limits: LimitRows", status, expire_time, create_time
           FROM household_invitation WHERE program = $1 AND invitation_id = $2"#,
        program_id.as_uuid(),
        invitation_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Invitation::try_from)
    .transpose()
}

/// Says what became of an open invitation. False when something had become of it.
pub(crate) async fn set_status_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    invitation_id: InvitationId,
    status: InvitationStatus,
) -> Result<bool, StorageError> {
    let set = sqlx::query!(
        "UPDATE household_invitation SET status = $3 WHERE program = $1 AND invitation_id = $2 AND status = 'OPEN'",
        program_id.as_uuid(),
        invitation_id.as_uuid(),
        status.as_str(),
    )
    .execute(tx)
    .await?;
    Ok(set.rows_affected() == 1)
}

/// Newest first, before one.
pub(in crate::households) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    of: InvitationsOf,
    before: Option<InvitationId>,
    count_max: i64,
) -> Result<Vec<Invitation>, StorageError> {
    let (household_id, member_id): (Option<Uuid>, Option<Uuid>) = match of {
        InvitationsOf::Household(household_id) => (Some(household_id.as_uuid()), None),
        InvitationsOf::Member(member_id) => (None, Some(member_id.as_uuid())),
    };
    let before = before.map_or(Uuid::max(), |before| before.as_uuid());
    // One statement for each, so that each has its index.
    let rows = if household_id.is_some() {
        sqlx::query_as!(
            InvitationRow,
            r#"SELECT invitation_id AS "invitation_id: InvitationId", household_id AS "household_id: HouseholdId",
                      member_id AS "member_id: MemberId", by_member_id AS "by_member_id: MemberId", role,
                      limits AS "limits: LimitRows", status, expire_time, create_time
               FROM household_invitation WHERE program = $1 AND household_id = $2 AND invitation_id < $3
               ORDER BY invitation_id DESC LIMIT $4"#,
            program_id.as_uuid(),
            household_id,
            before,
            count_max,
        )
        .fetch_all(tx)
        .await?
    } else {
        sqlx::query_as!(
            InvitationRow,
            r#"SELECT invitation_id AS "invitation_id: InvitationId", household_id AS "household_id: HouseholdId",
                      member_id AS "member_id: MemberId", by_member_id AS "by_member_id: MemberId", role,
                      limits AS "limits: LimitRows", status, expire_time, create_time
               FROM household_invitation WHERE program = $1 AND member_id = $2 AND invitation_id < $3
               ORDER BY invitation_id DESC LIMIT $4"#,
            program_id.as_uuid(),
            member_id,
            before,
            count_max,
        )
        .fetch_all(tx)
        .await?
    };
    rows.into_iter().map(Invitation::try_from).collect()
}
