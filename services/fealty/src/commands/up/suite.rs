//! The services, in this process, over real gRPC.

use std::time::Duration;

use anyhow::bail;
use fealty_ledger::{LedgerConfig, Times};
use fealty_members::MembersConfig;
use fealty_redis::BalanceCacheConfig;
use fealty_runtime::config::Secret;
use fealty_runtime::{Health, Tasks};
use fealty_types::SystemClock;
use tokio::time::timeout;

use super::databases::Urls;
use super::ports::Sockets;
use crate::kept::Kept;

/// How long the services may take until they are ready. They need a second or two; a loaded machine takes longer.
const READY_TIMEOUT: Duration = Duration::from_mins(1);

/// The started services.
pub(super) struct Suite {
    members: Health,
    ledger: Health,
}

/// Starts both services on their sockets.
pub(super) fn start(
    sockets: Sockets,
    (urls, redis_url): (&Urls, &str),
    kept: &Kept,
    tasks: &Tasks,
) -> anyhow::Result<Suite> {
    let clock = SystemClock::shared();
    let members = fealty_members::serve_on(
        &members_config(urls, kept),
        sockets.members.listeners,
        clock.clone(),
        tasks,
    )?;
    let ledger = fealty_ledger::serve_on(
        &ledger_config(urls, redis_url, kept),
        sockets.ledger.listeners,
        Times::real(clock),
        tasks,
    )?;
    Ok(Suite {
        members: members.health,
        ledger: ledger.health,
    })
}

fn members_config(urls: &Urls, kept: &Kept) -> MembersConfig {
    let mut config = MembersConfig {
        database_url: Secret::new(urls.members.service.clone()),
        jobs_database_url: Secret::new(urls.members.jobs.clone()),
        ..MembersConfig::default()
    };
    config.vault.master_key = Secret::new(kept.vault_master_key.clone());
    config.ledger.endpoint.clone_from(&kept.addresses.ledger);
    config.ledger.service_key = Secret::new(kept.keys.members_service.clone());
    config
}

fn ledger_config(urls: &Urls, redis_url: &str, kept: &Kept) -> LedgerConfig {
    let mut config = LedgerConfig {
        database_url: Secret::new(urls.ledger.service.clone()),
        jobs_database_url: Secret::new(urls.ledger.jobs.clone()),
        cache: BalanceCacheConfig::with_url(redis_url),
        ..LedgerConfig::default()
    };
    config.members.endpoint.clone_from(&kept.addresses.members);
    config.members.service_key = Secret::new(kept.keys.ledger_service.clone());
    config
}

impl Suite {
    /// Waits until both say that they are ready.
    pub(super) async fn wait_until_ready(&self, tasks: &Tasks) -> anyhow::Result<()> {
        let ending = tasks.soft_shutdown();
        for (name, health) in [("members", &self.members), ("the ledger", &self.ledger)] {
            let ready = tokio::select! {
                ready = timeout(READY_TIMEOUT, health.wait_until_ready()) => ready,
                () = ending.cancelled() => bail!("{name} ended before it was ready"),
            };
            if matches!(ready, Ok(true)) {
                continue;
            }
            let failing: Vec<String> = health
                .readiness()
                .failing
                .iter()
                .map(|check| format!("{}: {}", check.name, check.reason))
                .collect();
            bail!("{name} did not become ready: {}", failing.join("; "));
        }
        Ok(())
    }
}
