//! How far a service has followed each feed of another one. A position moves by compare-and-set in the transaction that
//! applies what was read, so each change takes effect once, however many replicas follow.
//!
//! ```sql
//! CREATE TABLE feed_position (
//!     feed text PRIMARY KEY,
//!     -- As the feed gave it; empty before the first.
//!     resume_token text NOT NULL,
//!     update_time timestamptz NOT NULL
//! );
//! ```

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use sqlx::PgConnection;

/// Where the feed is to be read on from; None if it was never followed, which is its beginning.
pub async fn find_in_tx(tx: &mut PgConnection, feed: &str) -> Result<Option<String>, StorageError> {
    let token = sqlx::query_scalar("SELECT resume_token FROM feed_position WHERE feed = $1");
    Ok(token.bind(feed).fetch_optional(tx).await?)
}

/// Moves a feed's position, if it is where the caller read from: false if another replica has moved it meanwhile, and
/// then nothing of what was read may be applied. A feed that was never followed is at its beginning, the empty token.
pub async fn move_in_tx(
    tx: &mut PgConnection,
    feed: &str,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    if from.is_empty() {
        sqlx::query(
            "INSERT INTO feed_position (feed, resume_token, update_time) VALUES ($1, '', $2) \
             ON CONFLICT (feed) DO NOTHING",
        )
        .bind(feed)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    }
    let moved = sqlx::query(
        "UPDATE feed_position SET resume_token = $3, update_time = $4 WHERE feed = $1 AND resume_token = $2",
    )
    .bind(feed)
    .bind(from)
    .bind(to)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(moved.rows_affected() == 1)
}
