//! Which ledger is meant.

use std::path::PathBuf;

use anyhow::Context as _;
use fealty_ledger::{LedgerConfig, MIGRATOR};
use fealty_postgres::{PoolConfig, check_schema, connect};
use sqlx::postgres::PgPool;

use crate::config::Config;
use crate::kept::Kept;

/// What Postgres shows of the connections.
const APPLICATION: &str = "fealty-verify";

/// Questions about a whole program take longer than anything that serves calls.
const STATEMENT_TIMEOUT_MS: u64 = 3_600_000;

/// A page is read without a pause, but the machine may be busy.
const IDLE_IN_TRANSACTION_TIMEOUT_MS: u64 = 60_000;

/// A wait for a connection: there is one for each worker.
const ACQUIRE_TIMEOUT_MS: u64 = 2_000;

/// Where the ledger's database is: of a config, of a URL, or of what `up` runs in a data folder.
#[derive(Debug, clap::Args)]
pub(super) struct Database {
    /// Take `ledger.jobs_database_url` of this config file and of the environment over it, unless one of the two below
    /// says otherwise.
    #[arg(long, value_name = "FILE", env = "FEALTY_CONFIG")]
    config: Option<PathBuf>,
    /// The ledger's database by the role of its jobs.
    #[arg(long = "database-url", value_name = "URL", conflicts_with = "data_dir")]
    url: Option<String>,
    /// The data folder that `fealty up` runs in.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Database {
    /// Connects, and checks that the schema is the one this program knows.
    pub(super) async fn connect(&self, parallel: u32) -> anyhow::Result<PgPool> {
        let config = PoolConfig {
            // One more plans.
            size: parallel + 1,
            acquire_timeout_ms: ACQUIRE_TIMEOUT_MS,
            statement_timeout_ms: STATEMENT_TIMEOUT_MS,
            idle_in_transaction_timeout_ms: IDLE_IN_TRANSACTION_TIMEOUT_MS,
            ..PoolConfig::default()
        };
        let pool = connect(&self.find_url()?, APPLICATION, &config)
            .await
            .with_context(|| self.unreachable())?;
        check_schema(&pool, &MIGRATOR).await?;
        Ok(pool)
    }

    fn find_url(&self) -> anyhow::Result<String> {
        if let Some(url) = &self.url {
            return Ok(url.clone());
        }
        if let Some(folder) = &self.data_dir {
            let kept = Kept::find(folder)?
                .with_context(|| format!("{} is no data folder of `fealty up`", folder.display()))?;
            return Ok(kept.addresses.ledger_jobs_database_url);
        }
        let ledger: LedgerConfig = Config::load(self.config.as_deref(), &[])?.ledger;
        Ok(ledger.jobs_database_url.expose().clone())
    }

    fn unreachable(&self) -> String {
        match &self.data_dir {
            Some(folder) => format!(
                "the ledger's database of {} does not answer: does `fealty up` run there?",
                folder.display()
            ),
            None => "the ledger's database does not answer".to_owned(),
        }
    }
}
