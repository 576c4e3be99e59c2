//! Codes of pools: each is free, or belongs to one redemption.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{ProgramId, RedemptionId, RewardId};
use sqlx::PgConnection;

use crate::catalogue::domain::PoolCode;

/// Stores those codes that the program does not have yet, and answers which these were.
pub(in crate::catalogue) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
    codes: &[PoolCode],
    now: DateTime<Utc>,
) -> Result<HashSet<String>, StorageError> {
    let codes: Vec<String> = codes.iter().map(|code| code.as_str().to_owned()).collect();
    let inserted = sqlx::query_scalar!(
        // In the order of the key, so that two who add the same codes wait for each other, and do not lock each other
        // out.
        r#"INSERT INTO reward_code AS t (program, code, reward_id, create_time)
           SELECT p.program, u.code, $2, $4 FROM program AS p, unnest($3::text[]) AS u (code)
           WHERE p.program = $1 ORDER BY u.code COLLATE "C"
           ON CONFLICT (program, code) DO NOTHING RETURNING t.code"#,
        program_id.as_uuid(),
        reward_id.as_uuid(),
        &codes,
        now,
    )
    .fetch_all(tx)
    .await?;
    Ok(inserted.into_iter().collect())
}

/// Gives a free code to a redemption. Codes that others are taking this moment are passed over.
pub(in crate::catalogue) async fn take_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
    redemption_id: RedemptionId,
) -> Result<bool, StorageError> {
    let taken = sqlx::query!(
        "UPDATE reward_code SET redemption_id = $3 WHERE program = $1 AND code = ( \
             SELECT code FROM reward_code WHERE program = $1 AND reward_id = $2 AND redemption_id IS NULL \
             ORDER BY code LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)",
        program_id.as_uuid(),
        reward_id.as_uuid(),
        redemption_id.as_uuid(),
    )
    .execute(tx)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Frees the code of a redemption.
pub(in crate::catalogue) async fn give_back_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption_id: RedemptionId,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE reward_code SET redemption_id = NULL WHERE program = $1 AND redemption_id = $2",
        program_id.as_uuid(),
        redemption_id.as_uuid(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The code of a redemption.
pub(crate) async fn find_of_redemption_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption_id: RedemptionId,
) -> Result<Option<String>, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT code FROM reward_code WHERE program = $1 AND redemption_id = $2",
        program_id.as_uuid(),
        redemption_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?)
}
