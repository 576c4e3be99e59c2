//! Whether the database is the one that this program was built for. Until that is known, nobody is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fealty_postgres::{SchemaError, check_schema, database_timeline};
use fealty_redis::BalanceCache;
use sqlx::postgres::PgPool;
use tokio::time::sleep;

use crate::MIGRATOR;

/// The first pause before Postgres is asked again; it doubles from there.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause: how late a service may notice that Postgres has come.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Opens when the database has been checked. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub(crate) struct SchemaGate {
    open: Arc<AtomicBool>,
}

impl SchemaGate {
    /// Whether the database has been checked.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Asks until Postgres answers, and opens if the schema is right and the cache speaks of this very database. A
    /// schema of another version is an error: waiting does not change it, and whoever migrates starts the service
    /// again.
    pub(crate) async fn open_when_checked(
        &self,
        pool: &PgPool,
        cache: &BalanceCache,
    ) -> Result<(), SchemaError> {
        let mut pause = PAUSE_MIN;
        loop {
            match check(pool, cache).await {
                Ok(()) => break,
                Err(SchemaError::Storage(error)) => {
                    tracing::warn!(%error, retry_in = ?pause, "postgres does not answer");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Err(error) => return Err(error),
            }
        }
        self.open.store(true, Ordering::Release);
        Ok(())
    }
}

async fn check(pool: &PgPool, cache: &BalanceCache) -> Result<(), SchemaError> {
    check_schema(pool, &MIGRATOR).await?;
    cache.use_timeline(&database_timeline(pool).await?.to_string());
    Ok(())
}
