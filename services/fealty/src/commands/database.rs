//! Which database a command that operates a service means.

use std::path::PathBuf;

use anyhow::Context as _;
use fealty_postgres::{PoolConfig, check_schema, connect};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPool;

use crate::config::Config;
use crate::kept::Kept;

/// Where the database is: of a config, of a URL, or of what `up` runs in a data folder.
#[derive(Debug, clap::Args)]
pub(super) struct Database {
    /// Take the service's `jobs_database_url` of this config file and of the environment over it, unless one of the two
    /// below says otherwise.
    #[arg(long, value_name = "FILE", env = "FEALTY_CONFIG")]
    config: Option<PathBuf>,
    /// The service's database by the role of its jobs.
    #[arg(long = "database-url", value_name = "URL", conflicts_with = "data_dir")]
    url: Option<String>,
    /// The data folder that `fealty up` runs in.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Whose database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Members,
    Ledger,
}

impl Of {
    const fn name(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Ledger => "ledger",
        }
    }

    fn migrator(self) -> &'static Migrator {
        match self {
            Self::Members => &fealty_members::MIGRATOR,
            Self::Ledger => &fealty_ledger::MIGRATOR,
        }
    }

    fn url_of_folder(self, kept: Kept) -> String {
        match self {
            Self::Members => kept.addresses.members_jobs_database_url,
            Self::Ledger => kept.addresses.ledger_jobs_database_url,
        }
    }

    fn url_of_config(self, config: &Config) -> String {
        match self {
            Self::Members => config.members.jobs_database_url.expose().clone(),
            Self::Ledger => config.ledger.jobs_database_url.expose().clone(),
        }
    }
}

impl Database {
    /// Connects, and checks that the schema is the one this program knows. `application` is what Postgres shows of the
    /// connections.
    pub(super) async fn connect(
        &self,
        of: Of,
        application: &str,
        config: &PoolConfig,
    ) -> anyhow::Result<PgPool> {
        let pool = connect(&self.find_url(of)?, application, config)
            .await
            .with_context(|| self.unreachable(of))?;
        check_schema(&pool, of.migrator()).await?;
        Ok(pool)
    }

    fn find_url(&self, of: Of) -> anyhow::Result<String> {
        if let Some(url) = &self.url {
            return Ok(url.clone());
        }
        if let Some(folder) = &self.data_dir {
            let kept = Kept::find(folder)?
                .with_context(|| format!("{} is no data folder of `fealty up`", folder.display()))?;
            return Ok(of.url_of_folder(kept));
        }
        Ok(of.url_of_config(&Config::load(self.config.as_deref(), &[])?))
    }

    fn unreachable(&self, of: Of) -> String {
        let name = of.name();
        match &self.data_dir {
            Some(folder) => format!(
                "the {name} database of {} does not answer: does `fealty up` run there?",
                folder.display()
            ),
            None => format!(
                "the {name} database does not answer: say which one is meant by --data-dir (where `fealty up` runs), \
                 --database-url or --config"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_no_database_is_told_how_to() {
        let unnamed = Database {
            config: None,
            url: None,
            data_dir: None,
        };
        assert!(unnamed.unreachable(Of::Ledger).contains("--data-dir"));
    }
}
