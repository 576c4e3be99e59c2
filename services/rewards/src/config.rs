//! The settings of this service. Every field has a default that works on one machine; unknown fields are refused.

use fealty_postgres::PoolConfig;
use fealty_rpc::server::ServerConfig;
use fealty_runtime::config::{AdminConfig, GrpcListenConfig, Secret};
use fealty_service::config::{PeerConfig, ports, violations_of};
use serde::Deserialize;

/// Where rewards listens for calls.
pub const REWARDS_PORT: u16 = ports::REWARDS;

/// Where rewards answers for its health and metrics.
pub const REWARDS_ADMIN_PORT: u16 = ports::REWARDS_ADMIN;

/// Settings of the rewards service. How the process ends and what it tells of itself is the process's, not the
/// service's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardsConfig {
    /// Where it listens for calls.
    pub grpc: GrpcListenConfig<REWARDS_PORT>,
    /// Where it answers for its health and metrics.
    pub admin: AdminConfig<REWARDS_ADMIN_PORT>,
    /// Its database, by the role that serves calls and sees one program at a time.
    pub database_url: Secret<String>,
    /// Its database, by the role of what crosses programs.
    pub jobs_database_url: Secret<String>,
    /// The pool of the service's role.
    pub pool: PoolConfig,
    /// The pool of the jobs' role, which also answers who calls.
    pub jobs_pool: PoolConfig,
    /// Limits and deadlines of calls.
    pub server: ServerConfig,
    /// Who members are, and who may call. The key has `SCOPE_ACCESS_FEED` and `SCOPE_MEMBERS_READ`.
    pub members: PeerConfig<{ ports::MEMBERS }>,
    /// Where points are set aside and spent. The key has `SCOPE_LEDGER_READ` and `SCOPE_LEDGER_WRITE`.
    pub ledger: PeerConfig<{ ports::LEDGER }>,
}

impl Default for RewardsConfig {
    fn default() -> Self {
        Self {
            grpc: GrpcListenConfig::default(),
            admin: AdminConfig::default(),
            database_url: Secret::new("postgres://fealty_rewards@127.0.0.1:5432/fealty_rewards".to_owned()),
            jobs_database_url: Secret::new(
                "postgres://fealty_rewards_jobs@127.0.0.1:5432/fealty_rewards".to_owned(),
            ),
            pool: PoolConfig::default(),
            jobs_pool: PoolConfig::default(),
            server: ServerConfig::default(),
            members: PeerConfig::default(),
            ledger: PeerConfig::default(),
        }
    }
}

impl RewardsConfig {
    /// Everything that is wrong with the settings, one sentence each; empty when nothing is.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        violations_of([
            ("pool", self.pool.violations()),
            ("jobs_pool", self.jobs_pool.violations()),
            ("server", self.server.problems()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_an_empty_file_is_them() {
        let config: RewardsConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, RewardsConfig::default());
        assert_eq!(config.violations(), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let error = serde_json::from_str::<RewardsConfig>(r#"{"ledger": {"endpiont": ""}}"#).unwrap_err();
        assert!(error.to_string().contains("endpiont"), "{error}");
    }

    #[test]
    fn every_wrong_section_is_named() {
        let mut config = RewardsConfig::default();
        config.pool.size = 0;
        config.server.connections_max = 0;
        let violations = config.violations();
        assert_eq!(violations.len(), 2);
        assert!(
            violations[0].starts_with("pool.size") && violations[1].starts_with("server.connections_max")
        );
    }
}
