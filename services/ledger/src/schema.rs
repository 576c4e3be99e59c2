//! Whether the database is the one that this program was built for. Until that is known, nobody is served.

use std::time::Duration;

use fealty_postgres::{SchemaError, check_schema, database_timeline};
use fealty_redis::BalanceCache;
use sqlx::postgres::PgPool;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::MIGRATOR;

/// The first pause before Postgres is asked again; it doubles from there.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause: how late a service may notice that Postgres has come.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long a probe waits for the gate: a start that goes well opens it within that, and is then ready at once instead
/// of at the next probe. Below the two seconds after which a probe counts as unanswered.
const OPENING_WAIT_MAX: Duration = Duration::from_secs(1);

/// Opens when the database has been checked. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub(crate) struct SchemaGate {
    open: watch::Sender<bool>,
}

impl SchemaGate {
    /// Whether the database has been checked.
    pub(crate) fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Whether the database has been checked, or is within a moment.
    pub(crate) async fn opens_soon(&self) -> bool {
        let mut open = self.open.subscribe();
        timeout(OPENING_WAIT_MAX, open.wait_for(|open| *open))
            .await
            .is_ok_and(|open| open.is_ok())
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
        self.open.send_replace(true);
        Ok(())
    }
}

async fn check(pool: &PgPool, cache: &BalanceCache) -> Result<(), SchemaError> {
    check_schema(pool, &MIGRATOR).await?;
    cache.use_timeline(&database_timeline(pool).await?.to_string());
    Ok(())
}
