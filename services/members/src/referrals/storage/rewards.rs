//! What both sides get, in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, Points, ProgramId, UnitCode};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::referrals::domain::{Reward, Side};

struct RewardRow {
    referral_id: Uuid,
    side: String,
    member_id: MemberId,
    unit_code: UnitCode,
    value: Points,
    transaction_id: Uuid,
    state: String,
    refused_reason: Option<String>,
}

impl TryFrom<RewardRow> for Reward {
    type Error = StorageError;

    fn try_from(row: RewardRow) -> Result<Self, StorageError> {
        let side = Side::from_column(&row.side);
        Ok(Self {
            referral_id: row.referral_id,
            side: side.ok_or_else(|| StorageError::corrupt("referral_reward.side", &row.side))?,
            member_id: row.member_id,
            unit_code: row.unit_code,
            value: row.value,
            transaction_id: row.transaction_id,
            is_credited: row.state == "CREDITED",
            refused_reason: row.refused_reason,
        })
    }
}

/// Notes what is to be credited, from now on.
pub(in crate::referrals) async fn insert_rewards_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    rewards: &[Reward],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    for reward in rewards {
        sqlx::query!(
            "INSERT INTO referral_reward \
             (program, referral_id, side, member_id, unit_code, value, transaction_id, state, try_after) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'OPEN', $8) ON CONFLICT (program, referral_id, side) DO NOTHING",
            program_id.as_uuid(),
            reward.referral_id,
            reward.side.as_str(),
            reward.member_id.as_uuid(),
            reward.unit_code.as_str(),
            reward.value.get(),
            reward.transaction_id,
            now,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// What both sides of a referral get.
pub(in crate::referrals) async fn list_rewards_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    referral_ids: &[Uuid],
) -> Result<Vec<Reward>, StorageError> {
    let rows = sqlx::query_as!(
        RewardRow,
        r#"SELECT referral_id, side, member_id AS "member_id: MemberId", unit_code AS "unit_code: UnitCode",
                  value AS "value: Points", transaction_id, state, refused_reason
           FROM referral_reward WHERE program = $1 AND referral_id = ANY($2) ORDER BY referral_id, side DESC"#,
        program_id.as_uuid(),
        referral_ids,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(Reward::try_from).collect()
}

/// Takes what is due, the longest waiting first, and keeps others from it until `try_after`. Across programs: needs the
/// jobs' role.
pub(in crate::referrals) async fn claim_due_in_tx(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    try_after: DateTime<Utc>,
    count_max: i64,
) -> Result<Vec<(ProgramId, Reward)>, StorageError> {
    let rows = sqlx::query!(
        r#"WITH due AS MATERIALIZED (
               SELECT program, referral_id, side FROM referral_reward WHERE state = 'OPEN' AND try_after <= $1
               ORDER BY try_after LIMIT $3 FOR UPDATE SKIP LOCKED)
           UPDATE referral_reward SET try_after = $2
           WHERE (program, referral_id, side) IN (SELECT program, referral_id, side FROM due)
           RETURNING program AS "program: ProgramId", referral_id, side, member_id AS "member_id: MemberId",
                     unit_code AS "unit_code: UnitCode", value AS "value: Points", transaction_id, state,
                     refused_reason"#,
        now,
        try_after,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let reward = RewardRow {
                referral_id: row.referral_id,
                side: row.side,
                member_id: row.member_id,
                unit_code: row.unit_code,
                value: row.value,
                transaction_id: row.transaction_id,
                state: row.state,
                refused_reason: row.refused_reason,
            };
            Ok((row.program, reward.try_into()?))
        })
        .collect()
}

/// Says what the ledger answered.
pub(in crate::referrals) async fn end_reward_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward: &Reward,
    refused_reason: Option<&str>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE referral_reward SET state = CASE WHEN $4::text IS NULL THEN 'CREDITED' ELSE 'REFUSED' END, \
                refused_reason = $4, try_after = NULL \
         WHERE program = $1 AND referral_id = $2 AND side = $3 AND state = 'OPEN'",
        program_id.as_uuid(),
        reward.referral_id,
        reward.side.as_str(),
        refused_reason,
    )
    .execute(tx)
    .await?;
    Ok(())
}
