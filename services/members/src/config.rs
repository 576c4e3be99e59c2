//! The settings of this service. Every field has a default that works on one machine; unknown fields are refused.

use std::path::PathBuf;

use fealty_postgres::PoolConfig;
use fealty_rpc::server::ServerConfig;
use fealty_runtime::config::{AdminConfig, GrpcListenConfig, Secret};
use fealty_vault::VaultConfig;
use serde::Deserialize;

/// Where members listens for calls.
pub const MEMBERS_PORT: u16 = 7101;

/// Where members answers for its health and metrics.
pub const MEMBERS_ADMIN_PORT: u16 = 9101;

/// Settings of the members service. How the process ends and what it tells of itself is the process's, not the
/// service's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MembersConfig {
    /// Where it listens for calls.
    pub grpc: GrpcListenConfig<MEMBERS_PORT>,
    /// Where it answers for its health and metrics.
    pub admin: AdminConfig<MEMBERS_ADMIN_PORT>,
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
    /// The ledger that owners are opened in.
    pub ledger: LedgerConfig,
    /// What personal data is encrypted under.
    pub vault: VaultConfig,
}

/// How to reach the ledger.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerConfig {
    /// `http://host:port`, or `https://host:port` for TLS.
    pub endpoint: String,
    /// This service's own key: one of the whole suite with `SCOPE_OWNERS_WRITE`. Empty until one has been planted
    /// (`fealty keys create`); nobody can be enrolled before.
    pub service_key: Secret<String>,
    /// PEM file of the authority that signed the ledger's certificate, when it is none of the system's.
    pub certificate_authority_file: Option<PathBuf>,
}

impl Default for MembersConfig {
    fn default() -> Self {
        Self {
            grpc: GrpcListenConfig::default(),
            admin: AdminConfig::default(),
            database_url: Secret::new("postgres://fealty_members@127.0.0.1:5432/fealty_members".to_owned()),
            jobs_database_url: Secret::new(
                "postgres://fealty_members_jobs@127.0.0.1:5432/fealty_members".to_owned(),
            ),
            pool: PoolConfig::default(),
            jobs_pool: PoolConfig::default(),
            server: ServerConfig::default(),
            ledger: LedgerConfig::default(),
            vault: VaultConfig::default(),
        }
    }
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self {
            endpoint: "http://127.0.0.1:7102".to_owned(),
            service_key: Secret::default(),
            certificate_authority_file: None,
        }
    }
}

impl MembersConfig {
    /// Everything that is wrong with the settings, one sentence each; empty when nothing is.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let sections = [
            ("pool", self.pool.violations()),
            ("jobs_pool", self.jobs_pool.violations()),
            ("server", self.server.problems()),
            ("vault", self.vault.violations()),
        ];
        sections
            .into_iter()
            .flat_map(|(section, problems)| {
                problems
                    .into_iter()
                    .map(move |problem| format!("{section}.{problem}"))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use fealty_vault::MasterKey;

    use super::*;

    fn config() -> MembersConfig {
        let mut config = MembersConfig::default();
        config.vault.master_key = Secret::new(MasterKey::generate_text().to_string());
        config
    }

    #[test]
    fn the_defaults_lack_nothing_but_the_master_key() {
        assert_eq!(config().violations(), Vec::<String>::new());
        let violations = MembersConfig::default().violations();
        assert_eq!(violations.len(), 1);
        assert!(
            violations[0].starts_with("vault.master_key is required"),
            "{violations:?}"
        );
    }

    #[test]
    fn an_empty_file_is_the_defaults_and_an_unknown_field_is_refused() {
        let config: MembersConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, MembersConfig::default());
        let error = serde_json::from_str::<MembersConfig>(r#"{"ledger": {"endpiont": ""}}"#).unwrap_err();
        assert!(error.to_string().contains("endpiont"), "{error}");
    }

    #[test]
    fn every_wrong_section_is_named() {
        let mut config = config();
        config.pool.size = 0;
        config.server.connections_max = 0;
        let violations = config.violations();
        assert_eq!(violations.len(), 2);
        assert!(
            violations[0].starts_with("pool.size") && violations[1].starts_with("server.connections_max")
        );
    }
}
