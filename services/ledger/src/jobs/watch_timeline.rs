//! Notices a failover or a restore, after which what the cache holds may be of versions that never were; and what time it
//! is there.

use std::sync::Arc;
use std::time::Duration;

use fealty_postgres::{StorageError, database_now, database_timeline};
use fealty_redis::BalanceCache;
use sqlx::postgres::PgPool;
use tokio::time::{Instant, sleep};

use crate::clock::RecordClock;

/// How often: how long a balance of before the failover may still be shown.
const INTERVAL: Duration = Duration::from_secs(1);

/// Has the cache speak of this very database, and the clock show its time.
pub(crate) async fn use_timeline(
    pool: &PgPool,
    cache: &BalanceCache,
    clock: &RecordClock,
) -> Result<(), StorageError> {
    cache.use_timeline(&database_timeline(pool).await?.to_string());
    let asked = Instant::now();
    clock.observe(asked, database_now(pool).await?);
    Ok(())
}

/// Watches again and again; ends only by being dropped.
pub(crate) async fn keep_watching_timeline(pool: PgPool, cache: Arc<BalanceCache>, clock: Arc<RecordClock>) {
    loop {
        sleep(INTERVAL).await;
        // While Postgres is away, readiness says so; there is nothing to notice yet.
        drop(use_timeline(&pool, &cache, &clock).await);
    }
}
