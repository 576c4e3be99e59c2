//! The settings of this service. Every field has a default that works on one machine; unknown fields are refused.

use fealty_postgres::PoolConfig;
use fealty_rpc::server::ServerConfig;
use fealty_runtime::config::{AdminConfig, GrpcListenConfig, Secret};
use fealty_service::config::{PeerConfig, ports, violations_of};
use fealty_vault::VaultConfig;
use serde::Deserialize;

/// Where surveys listens for calls.
pub const SURVEYS_PORT: u16 = ports::SURVEYS;

/// Where surveys answers for its health and metrics.
pub const SURVEYS_ADMIN_PORT: u16 = ports::SURVEYS_ADMIN;

/// Settings of the surveys service. How the process ends and what it tells of itself is the process's, not the
/// service's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SurveysConfig {
    /// Where it listens for calls.
    pub grpc: GrpcListenConfig<SURVEYS_PORT>,
    /// Where it answers for its health and metrics.
    pub admin: AdminConfig<SURVEYS_ADMIN_PORT>,
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
    /// The members service, whose access records are followed and which is asked whether a member may be contacted. Its
    /// key has `SCOPE_ACCESS_FEED` and `SCOPE_CONTACTS_WRITE`.
    pub members: PeerConfig<{ ports::MEMBERS }>,
    /// The ledger, whose purchases invite. Its key has `SCOPE_EVENTS_READ`. Without one, no purchase invites anybody.
    pub ledger: PeerConfig<{ ports::LEDGER }>,
    /// What the words of answers are encrypted under.
    pub vault: VaultConfig,
}

impl Default for SurveysConfig {
    fn default() -> Self {
        Self {
            grpc: GrpcListenConfig::default(),
            admin: AdminConfig::default(),
            database_url: Secret::new("postgres://fealty_surveys@127.0.0.1:5432/fealty_surveys".to_owned()),
            jobs_database_url: Secret::new(
                "postgres://fealty_surveys_jobs@127.0.0.1:5432/fealty_surveys".to_owned(),
            ),
            pool: PoolConfig::default(),
            jobs_pool: PoolConfig::default(),
            server: ServerConfig::default(),
            members: PeerConfig::default(),
            ledger: PeerConfig::default(),
            vault: VaultConfig::default(),
        }
    }
}

impl SurveysConfig {
    /// Everything that is wrong with the settings, one sentence each; empty when nothing is.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        violations_of([
            ("pool", self.pool.violations()),
            ("jobs_pool", self.jobs_pool.violations()),
            ("server", self.server.problems()),
            ("vault", self.vault.violations()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use fealty_vault::MasterKey;

    use super::*;

    #[test]
    fn the_defaults_lack_nothing_but_the_master_key() {
        let mut config = SurveysConfig::default();
        let violations = config.violations();
        assert_eq!(violations.len(), 1);
        assert!(
            violations[0].starts_with("vault.master_key is required"),
            "{violations:?}"
        );
        config.vault.master_key = Secret::new(MasterKey::generate_text().to_string());
        assert_eq!(config.violations(), Vec::<String>::new());
    }

    #[test]
    fn an_empty_file_is_the_defaults_and_an_unknown_field_is_refused() {
        let config: SurveysConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, SurveysConfig::default());
        let error = serde_json::from_str::<SurveysConfig>(r#"{"members": {"endpiont": ""}}"#).unwrap_err();
        assert!(error.to_string().contains("endpiont"), "{error}");
    }

    #[test]
    fn every_wrong_section_is_named() {
        let mut config = SurveysConfig::default();
        config.vault.master_key = Secret::new(MasterKey::generate_text().to_string());
        config.pool.size = 0;
        config.server.connections_max = 0;
        let violations = config.violations();
        assert_eq!(violations.len(), 2);
        assert!(
            violations[0].starts_with("pool.size") && violations[1].starts_with("server.connections_max")
        );
    }
}
