//! `fealty keys rotate`: another master key for the personal data of members and surveys.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fealty_postgres::{PoolConfig, check_schema, connect};
use fealty_types::{Clock as _, SystemClock};
use fealty_vault::rotation::{Progress, Rotation};
use fealty_vault::{VaultConfig, check_master_key};
use sqlx::migrate::Migrator;

use super::APPLICATION;
use crate::config::Config;
use crate::services::ServiceName;
use crate::tool;

/// Pause before another pass, when somebody was given a key under the old master key meanwhile.
const PASS_PAUSE: Duration = Duration::from_secs(1);

/// Steps between two lines of progress.
const STEPS_TOLD: u64 = 20;

/// Where the master keys are.
#[derive(Debug, clap::Args)]
pub struct RotateArgs {
    /// The config file of the services, with the new `vault.master_key` and the old one among
    /// `vault.previous_master_keys`, as all replicas have them by now.
    #[arg(long, value_name = "FILE", env = "FEALTY_CONFIG")]
    config: Option<PathBuf>,
}

/// A service with personal data.
struct Vaulted<'a> {
    name: ServiceName,
    vault: &'a VaultConfig,
    jobs_url: &'a str,
    migrator: &'static Migrator,
    table: &'static str,
}

pub(super) async fn rotate(args: RotateArgs) -> anyhow::Result<()> {
    let config = Config::load(
        args.config.as_deref(),
        &[ServiceName::Members, ServiceName::Surveys],
    )?;
    let services = [
        Vaulted {
            name: ServiceName::Members,
            vault: &config.members.vault,
            jobs_url: config.members.jobs_database_url.expose(),
            migrator: &fealty_members::MIGRATOR,
            table: "member",
        },
        Vaulted {
            name: ServiceName::Surveys,
            vault: &config.surveys.vault,
            jobs_url: config.surveys.jobs_database_url.expose(),
            migrator: &fealty_surveys::MIGRATOR,
            table: "person_key",
        },
    ];
    for service in services {
        let name = service.name.as_str();
        let wrapped_count = service
            .rotate()
            .await
            .with_context(|| format!("{name}: not done"))?;
        tool::print_line(&format!(
            "{name}: {wrapped_count} keys wrapped anew; the previous master keys can be taken out of the config"
        ))?;
    }
    Ok(())
}

impl Vaulted<'_> {
    async fn rotate(&self) -> anyhow::Result<u64> {
        let lone = PoolConfig {
            size: 1,
            ..PoolConfig::default()
        };
        let pool = connect(self.jobs_url, APPLICATION, &lone).await?;
        check_schema(&pool, self.migrator).await?;
        let vault = self.vault.vault(self.name.database())?;
        let other = check_master_key(&pool, &vault, SystemClock.now()).await?;
        ensure!(
            other.is_none(),
            "{}",
            other.map(|other| other.to_string()).unwrap_or_default()
        );
        let rotation = Rotation::new(pool, vault, self.table);
        let mut progress = rotation.begin().await?;
        let mut steps = 0_u64;
        loop {
            let before = progress;
            progress = rotation.step(progress, SystemClock.now()).await?;
            if progress.done {
                return Ok(progress.wrapped_count);
            }
            steps += 1;
            if steps.is_multiple_of(STEPS_TOLD) {
                eprintln!("{}: {} keys so far", self.name.as_str(), progress.wrapped_count);
            }
            if is_end_of_pass(before, progress) {
                tokio::time::sleep(PASS_PAUSE).await;
            }
        }
    }
}

/// The pass found nothing more, and yet somebody is left: they came while it ran.
fn is_end_of_pass(before: Progress, now: Progress) -> bool {
    before.wrapped_count == now.wrapped_count && !now.done
}
