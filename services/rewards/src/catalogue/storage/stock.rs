//! How many of a reward are left.

use fealty_postgres::StorageError;
use fealty_types::{ProgramId, RewardId};
use sqlx::PgConnection;

use crate::catalogue::domain::Reward;

pub(in crate::catalogue) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward: &Reward,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO reward_stock (program, reward_id, stock_left) VALUES ($1, $2, $3)",
        program_id.as_uuid(),
        reward.reward_id.as_uuid(),
        reward.stock_left,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps everybody else from taking and giving until the end of the transaction.
pub(in crate::catalogue) async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
) -> Result<(), StorageError> {
    sqlx::query!(
        "SELECT reward_id FROM reward_stock WHERE program = $1 AND reward_id = $2 FOR NO KEY UPDATE",
        program_id.as_uuid(),
        reward_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(())
}

pub(in crate::catalogue) async fn set_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
    stock_left: i64,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE reward_stock SET stock_left = $3 WHERE program = $1 AND reward_id = $2",
        program_id.as_uuid(),
        reward_id.as_uuid(),
        stock_left,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(in crate::catalogue) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
) -> Result<Option<i64>, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT stock_left FROM reward_stock WHERE program = $1 AND reward_id = $2",
        program_id.as_uuid(),
        reward_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?)
}

/// Takes one, if there is one left: whoever waits for the row sees what the one before left.
pub(in crate::catalogue) async fn take_one_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
) -> Result<bool, StorageError> {
    let taken = sqlx::query!(
        "UPDATE reward_stock SET stock_left = stock_left - 1 \
         WHERE program = $1 AND reward_id = $2 AND stock_left >= 1",
        program_id.as_uuid(),
        reward_id.as_uuid(),
    )
    .execute(tx)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Adds that many.
pub(in crate::catalogue) async fn give_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
    count: i64,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE reward_stock SET stock_left = stock_left + $3 WHERE program = $1 AND reward_id = $2",
        program_id.as_uuid(),
        reward_id.as_uuid(),
        count,
    )
    .execute(tx)
    .await?;
    Ok(())
}
