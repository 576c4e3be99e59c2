//! Which members database is meant.

use std::path::PathBuf;

use anyhow::Context as _;
use fealty_members::operator::Operator;
use fealty_members::{MIGRATOR, MembersConfig};
use fealty_postgres::{PoolConfig, check_schema, connect};
use fealty_types::SystemClock;

use crate::config::Config;
use crate::kept::Kept;

/// What Postgres shows of the connection.
const APPLICATION: &str = "fealty-keys";

/// Where the members database is: of a config, of a URL, or of what `up` runs in a data folder.
#[derive(Debug, clap::Args)]
pub(super) struct Database {
    /// Take `members.jobs_database_url` of this config file and of the environment over it, unless one of the two below
    /// says otherwise.
    #[arg(long, value_name = "FILE", env = "FEALTY_CONFIG")]
    config: Option<PathBuf>,
    /// The members database by the role of its jobs.
    #[arg(long = "database-url", value_name = "URL", conflicts_with = "data_dir")]
    url: Option<String>,
    /// The data folder that `fealty up` runs in.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Database {
    /// Connects, and checks that the schema is the one this program knows.
    pub(super) async fn operator(&self) -> anyhow::Result<Operator> {
        let url = self.find_url()?;
        let lone = PoolConfig {
            size: 1,
            ..PoolConfig::default()
        };
        let pool = connect(&url, APPLICATION, &lone)
            .await
            .with_context(|| self.unreachable())?;
        check_schema(&pool, &MIGRATOR).await?;
        Ok(Operator::new(pool, SystemClock::shared()))
    }

    fn find_url(&self) -> anyhow::Result<String> {
        if let Some(url) = &self.url {
            return Ok(url.clone());
        }
        if let Some(folder) = &self.data_dir {
            let kept = Kept::find(folder)?
                .with_context(|| format!("{} is no data folder of `fealty up`", folder.display()))?;
            return Ok(kept.addresses.members_jobs_database_url);
        }
        let members: MembersConfig = Config::load(self.config.as_deref(), &[])?.members;
        Ok(members.jobs_database_url.expose().clone())
    }

    fn unreachable(&self) -> String {
        match &self.data_dir {
            Some(folder) => format!(
                "the members database of {} does not answer: does `fealty up` run there?",
                folder.display()
            ),
            None => "the members database does not answer".to_owned(),
        }
    }
}
