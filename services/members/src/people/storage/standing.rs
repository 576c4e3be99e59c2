//! What members may do and where they belong, in the database.

use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

use crate::people::domain::{Member, MemberStatus, TierCode};

/// Why a member came into their tier.
#[derive(Debug, Clone, Copy)]
pub(in crate::people) struct TierChange<'a> {
    /// Counts the changes of the member's tier.
    pub tier_revision: i64,
    /// Who changed it.
    pub actor: &'a str,
    /// Why; sealed.
    pub reason: Option<&'a [u8]>,
}

/// Keeps everybody else from changing a member until the end of the transaction, and says what they may do. None when
/// the program has no such member, or none whose enrolment is finished.
pub(in crate::people) async fn lock_status_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<MemberStatus>, StorageError> {
    sqlx::query_scalar!(
        "SELECT status FROM member WHERE program = $1 AND member_id = $2 AND ledger_confirmed FOR NO KEY UPDATE",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(|status| parse_status(&status))
    .transpose()
}

/// What a member may do. None when the program has no such member, or none whose enrolment is finished.
pub(in crate::people) async fn find_status_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<MemberStatus>, StorageError> {
    sqlx::query_scalar!(
        "SELECT status FROM member WHERE program = $1 AND member_id = $2 AND ledger_confirmed",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(|status| parse_status(&status))
    .transpose()
}

/// Whether the program has a member whose enrolment is finished.
pub(in crate::people) async fn is_enrolled_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<bool, StorageError> {
    let found = sqlx::query_scalar!(
        "SELECT member_id FROM member WHERE program = $1 AND member_id = $2 AND ledger_confirmed",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(found.is_some())
}

/// The number that the next change of a member's tier has. The caller holds the member's lock.
pub(in crate::people) async fn next_tier_revision_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<i64, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(max(revision), 0) + 1 AS "revision!" FROM member_tier
           WHERE program = $1 AND member_id = $2"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?)
}

/// Puts a member into the tier that they are in now, and keeps why.
pub(in crate::people) async fn update_tier_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member: &Member,
    change: TierChange<'_>,
) -> Result<(), StorageError> {
    let tier_code = member.standing.tier_code.as_ref().map(TierCode::as_str);
    sqlx::query!(
        "INSERT INTO member_tier (program, member_id, revision, tier_code, actor, reason, set_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        program_id.as_uuid(),
        member.member_id.as_uuid(),
        change.tier_revision,
        tier_code,
        change.actor,
        change.reason,
        member.update_time,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE member SET tier_code = $3, revision = $4, update_time = $5 WHERE program = $1 AND member_id = $2",
        program_id.as_uuid(),
        member.member_id.as_uuid(),
        tier_code,
        member.revision.get(),
        member.update_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) fn parse_tier_code(text: &str) -> Result<TierCode, StorageError> {
    text.parse()
        .map_err(|error| StorageError::corrupt("member.tier_code", error))
}

/// Reads the column.
pub(crate) fn parse_status(text: &str) -> Result<MemberStatus, StorageError> {
    MemberStatus::from_column(text).ok_or_else(|| StorageError::corrupt("member.status", text))
}
