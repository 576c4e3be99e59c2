//! Whether the database is the one that this program was built for and set up for: with its schema, and its personal
//! data under its master key. Until that is known, nobody is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fealty_postgres::{SchemaError, check_schema};
use fealty_types::SharedClock;
use fealty_vault::{MasterKeyCheck, MasterKeyId, check_master_key};
use sqlx::postgres::PgPool;
use tokio::time::sleep;

use crate::MIGRATOR;

/// The first pause before Postgres is asked again; it doubles from there.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause: how late a service may notice that Postgres has come.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Why the gate stays closed for good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateError {
    /// The schema is another one.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The personal data lies under another master key.
    #[error(
        "the personal data of this database is encrypted under the master key {stored}, and vault.master_key is \
         {own}: set the one that this database was begun with"
    )]
    MasterKey {
        /// The database's.
        stored: MasterKeyId,
        /// The one in the settings.
        own: MasterKeyId,
    },
}

async fn check(pool: &PgPool, own: &MasterKeyId, clock: &SharedClock) -> Result<(), GateError> {
    check_schema(pool, &MIGRATOR).await?;
    match check_master_key(pool, own, clock.now()).await {
        Ok(MasterKeyCheck::Same) => Ok(()),
        Ok(MasterKeyCheck::Other(stored)) => Err(GateError::MasterKey {
            stored,
            own: own.clone(),
        }),
        Err(error) => Err(SchemaError::from(error).into()),
    }
}

/// Opens when the database has been checked. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub(crate) struct SchemaGate {
    open: Arc<AtomicBool>,
}

impl SchemaGate {
    /// Whether the schema has been checked.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Asks until Postgres answers, and opens if the database is right. A schema of another version, or another master
    /// key, is an error: waiting does not change it, and whoever sets it right starts the service again.
    pub(crate) async fn open_when_checked(
        &self,
        pool: &PgPool,
        master_key_id: &MasterKeyId,
        clock: &SharedClock,
    ) -> Result<(), GateError> {
        let mut pause = PAUSE_MIN;
        loop {
            match check(pool, master_key_id, clock).await {
                Ok(()) => break,
                Err(GateError::Schema(SchemaError::Storage(error))) => {
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
