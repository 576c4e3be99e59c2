//! Tiers that were given by hand.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId, TierGrantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ladders::parse_ladder_code;
use crate::ladders::domain::{Grant, LadderCode};
use crate::people::domain::TierCode;

/// A grant as stored: why it was given is a ciphertext.
#[derive(Debug, Clone)]
pub(in crate::ladders) struct SealedGrant {
    pub(in crate::ladders) grant: Grant,
    /// None where the member was erased.
    pub(in crate::ladders) reason: Option<Vec<u8>>,
}

struct GrantRow {
    tier_grant_id: TierGrantId,
    member_id: MemberId,
    ladder_code: String,
    tier_code: String,
    end_time: Option<DateTime<Utc>>,
    actor: String,
    reason: Option<Vec<u8>>,
    create_time: DateTime<Utc>,
    revoke_time: Option<DateTime<Utc>>,
    revoke_actor: Option<String>,
}

impl TryFrom<GrantRow> for SealedGrant {
    type Error = StorageError;

    fn try_from(row: GrantRow) -> Result<Self, StorageError> {
        let tier_code = row.tier_code.parse();
        Ok(Self {
            grant: Grant {
                tier_grant_id: row.tier_grant_id,
                member_id: row.member_id,
                ladder_code: parse_ladder_code(&row.ladder_code)?,
                tier_code: tier_code.map_err(|error| StorageError::corrupt("tier_grant.tier_code", error))?,
                end_time: row.end_time,
                actor: row.actor,
                create_time: row.create_time,
                revoked: row.revoke_time.zip(row.revoke_actor),
            },
            reason: row.reason,
        })
    }
}

/// The grants of these members that had not ended at a time, oldest first.
pub(in crate::ladders) async fn load_grants_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[Uuid],
    since: DateTime<Utc>,
) -> Result<Vec<Grant>, StorageError> {
    let rows = sqlx::query_as!(
        GrantRow,
        r#"SELECT tier_grant_id AS "tier_grant_id: TierGrantId", member_id AS "member_id: MemberId", ladder_code,
                  tier_code, end_time, actor, reason, create_time, revoke_time, revoke_actor
           FROM tier_grant WHERE program = $1 AND member_id = ANY($2) AND coalesce(end_time > $3, true)
             AND coalesce(revoke_time > $3, true)
           ORDER BY tier_grant_id"#,
        program_id.as_uuid(),
        member_ids,
        since,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| Ok(SealedGrant::try_from(row)?.grant))
        .collect()
}

/// A grant.
pub(in crate::ladders) async fn find_grant_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    tier_grant_id: TierGrantId,
) -> Result<Option<SealedGrant>, StorageError> {
    let row = sqlx::query_as!(
        GrantRow,
        r#"SELECT tier_grant_id AS "tier_grant_id: TierGrantId", member_id AS "member_id: MemberId", ladder_code,
                  tier_code, end_time, actor, reason, create_time, revoke_time, revoke_actor
           FROM tier_grant WHERE program = $1 AND tier_grant_id = $2"#,
        program_id.as_uuid(),
        tier_grant_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    row.map(SealedGrant::try_from).transpose()
}

/// A member's grants before one of them, newest first.
pub(in crate::ladders) async fn list_grants_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    before: Option<TierGrantId>,
    count_max: i64,
) -> Result<Vec<SealedGrant>, StorageError> {
    let rows = sqlx::query_as!(
        GrantRow,
        r#"SELECT tier_grant_id AS "tier_grant_id: TierGrantId", member_id AS "member_id: MemberId", ladder_code,
                  tier_code, end_time, actor, reason, create_time, revoke_time, revoke_actor
           FROM tier_grant WHERE program = $1 AND member_id = $2
             AND ($3::uuid IS NULL OR tier_grant_id < $3)
           ORDER BY tier_grant_id DESC LIMIT $4"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        before.map(|id| id.as_uuid()),
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(SealedGrant::try_from).collect()
}

/// Stores a grant.
pub(in crate::ladders) async fn insert_grant_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    sealed: &SealedGrant,
) -> Result<(), StorageError> {
    let grant = &sealed.grant;
    sqlx::query!(
        "INSERT INTO tier_grant (program, tier_grant_id, member_id, ladder_code, tier_code, end_time, actor, reason, \
                                 create_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        program_id.as_uuid(),
        grant.tier_grant_id.as_uuid(),
        grant.member_id.as_uuid(),
        grant.ladder_code.as_str(),
        grant.tier_code.as_str(),
        grant.end_time,
        grant.actor,
        sealed.reason,
        grant.create_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends a grant. One that was revoked stays as it is.
pub(in crate::ladders) async fn revoke_grant_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    tier_grant_id: TierGrantId,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE tier_grant SET revoke_time = $3, revoke_actor = $4 \
         WHERE program = $1 AND tier_grant_id = $2 AND revoke_time IS NULL",
        program_id.as_uuid(),
        tier_grant_id.as_uuid(),
        now,
        actor,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The tiers of a ladder that are granted to these members now, also by way of the records that were merged into theirs.
pub(in crate::ladders) async fn load_granted_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (member_ids, ladder_code): (&[Uuid], &LadderCode),
    now: DateTime<Utc>,
) -> Result<Vec<(MemberId, TierCode)>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(m.merged_into_member_id, m.member_id) AS "member_id!: MemberId", g.tier_code
           FROM tier_grant g JOIN member m ON m.program = g.program AND m.member_id = g.member_id
           WHERE g.program = $1 AND coalesce(m.merged_into_member_id, m.member_id) = ANY($2)
             AND g.ladder_code = $3 AND coalesce(g.end_time > $4, true) AND g.revoke_time IS NULL"#,
        program_id.as_uuid(),
        member_ids,
        ladder_code.as_str(),
        now,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let tier = row.tier_code.parse();
            let tier = tier.map_err(|error| StorageError::corrupt("tier_grant.tier_code", error))?;
            Ok((row.member_id, tier))
        })
        .collect()
}
