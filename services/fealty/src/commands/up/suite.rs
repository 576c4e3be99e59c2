//! The services, in this process, over real gRPC.

use std::time::Duration;

use anyhow::bail;
use fealty_ledger::{LedgerConfig, Times};
use fealty_members::MembersConfig;
use fealty_postgres::ServiceUrls;
use fealty_redis::BalanceCacheConfig;
use fealty_rewards::RewardsConfig;
use fealty_runtime::config::Secret;
use fealty_runtime::{Health, Listeners, Tasks};
use fealty_surveys::SurveysConfig;
use tokio::time::timeout;

use crate::kept::Kept;
use crate::services::{PerService, ServiceName};

/// How long the services may take until they are ready. They need a second or two; a loaded machine takes longer.
const READY_TIMEOUT: Duration = Duration::from_mins(1);

/// The started services.
pub(super) struct Suite(PerService<Health>);

/// What the services are started from.
pub(super) struct Ground<'a> {
    /// Their databases.
    pub urls: &'a PerService<ServiceUrls>,
    /// In front of the balances.
    pub redis_url: &'a str,
    /// Secrets and addresses.
    pub kept: &'a Kept,
    /// What tells the time.
    pub times: &'a Times,
}

/// Starts the services on their sockets.
pub(super) fn start(
    listeners: PerService<Listeners>,
    ground: &Ground<'_>,
    tasks: &Tasks,
) -> anyhow::Result<Suite> {
    let clock = ground.times.clock.clone();
    let [members, ledger, rewards, surveys] = listeners.into_array();
    let members = fealty_members::serve_on(&ground.members(), members, clock.clone(), tasks)?.health;
    let ledger = fealty_ledger::serve_on(&ground.ledger(), ledger, ground.times.clone(), tasks)?.health;
    let rewards = fealty_rewards::serve_on(&ground.rewards(), rewards, clock.clone(), tasks)?.health;
    let surveys = fealty_surveys::serve_on(&ground.surveys(), surveys, clock, tasks)?.health;
    let mut healths = [members, ledger, rewards, surveys].into_iter();
    let healths = PerService::from_fn(|_| healths.next().expect("one for each service"));
    Ok(Suite(healths))
}

impl Ground<'_> {
    fn service_url(&self, service: ServiceName) -> Secret<String> {
        Secret::new(self.urls[service].service.clone())
    }

    fn jobs_url(&self, service: ServiceName) -> Secret<String> {
        Secret::new(self.urls[service].jobs.clone())
    }

    fn key(&self, service: ServiceName) -> Secret<String> {
        Secret::new(self.kept.keys.of(service).to_owned())
    }

    fn address(&self, service: ServiceName) -> String {
        self.kept.addresses.of(service).to_owned()
    }

    fn members(&self) -> MembersConfig {
        let mut config = MembersConfig {
            database_url: self.service_url(ServiceName::Members),
            jobs_database_url: self.jobs_url(ServiceName::Members),
            ..MembersConfig::default()
        };
        config.vault.master_key = Secret::new(self.kept.vault_master_key.clone());
        config.ledger.endpoint = self.address(ServiceName::Ledger);
        config.ledger.service_key = self.key(ServiceName::Members);
        config
    }

    fn ledger(&self) -> LedgerConfig {
        let mut config = LedgerConfig {
            database_url: self.service_url(ServiceName::Ledger),
            jobs_database_url: self.jobs_url(ServiceName::Ledger),
            cache: BalanceCacheConfig::with_url(self.redis_url),
            ..LedgerConfig::default()
        };
        config.members.endpoint = self.address(ServiceName::Members);
        config.members.service_key = self.key(ServiceName::Ledger);
        config
    }

    fn rewards(&self) -> RewardsConfig {
        let mut config = RewardsConfig {
            database_url: self.service_url(ServiceName::Rewards),
            jobs_database_url: self.jobs_url(ServiceName::Rewards),
            ..RewardsConfig::default()
        };
        config.members.endpoint = self.address(ServiceName::Members);
        config.members.service_key = self.key(ServiceName::Rewards);
        config.ledger.endpoint = self.address(ServiceName::Ledger);
        config.ledger.service_key = self.key(ServiceName::Rewards);
        config
    }

    fn surveys(&self) -> SurveysConfig {
        let mut config = SurveysConfig {
            database_url: self.service_url(ServiceName::Surveys),
            jobs_database_url: self.jobs_url(ServiceName::Surveys),
            ..SurveysConfig::default()
        };
        config.vault.master_key = Secret::new(self.kept.surveys_vault_master_key.clone());
        config.members.endpoint = self.address(ServiceName::Members);
        config.members.service_key = self.key(ServiceName::Surveys);
        config.ledger.endpoint = self.address(ServiceName::Ledger);
        config.ledger.service_key = self.key(ServiceName::Surveys);
        config
    }
}

impl Suite {
    /// Waits until all say that they are ready.
    pub(super) async fn wait_until_ready(&self, tasks: &Tasks) -> anyhow::Result<()> {
        let ending = tasks.soft_shutdown();
        for (service, health) in self.0.iter() {
            let name = service.as_str();
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
