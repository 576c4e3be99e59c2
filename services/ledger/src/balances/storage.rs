//! The record as the check of the cache asks it.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_redis::BalanceKey;
use fealty_types::Version;
use sqlx::PgConnection;

/// When a version of an owner was recorded.
pub(super) async fn find_record_time_in_tx(
    tx: &mut PgConnection,
    key: BalanceKey,
    version: Version,
) -> Result<Option<DateTime<Utc>>, StorageError> {
    let found = sqlx::query_scalar!(
        "SELECT record_time FROM transaction WHERE program = $1 AND owner_id = $2 AND version = $3",
        key.program.as_uuid(),
        key.owner.as_uuid(),
        version.get(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(found)
}
