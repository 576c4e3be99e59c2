//! The settings of this service. Every field has a default that works on one machine; unknown fields are refused.

use fealty_postgres::PoolConfig;
use fealty_rpc::server::ServerConfig;
use fealty_runtime::config::{AdminConfig, GrpcListenConfig, Secret};
use fealty_service::config::{DatabaseConfig, PeerConfig, ports, violations_of};
use fealty_vault::VaultConfig;
use serde::Deserialize;

/// Where members listens for calls.
pub const MEMBERS_PORT: u16 = ports::MEMBERS;

/// Where members answers for its health and metrics.
pub const MEMBERS_ADMIN_PORT: u16 = ports::MEMBERS_ADMIN;

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
    /// The ledger that owners are opened in, and whose postings count towards tiers. The key has `SCOPE_OWNERS_WRITE` and
    /// `SCOPE_EVENTS_READ`; nobody can be enrolled before one has been planted. With `SCOPE_LEDGER_WRITE` what referrals give is
    /// credited.
    pub ledger: PeerConfig<{ ports::LEDGER }>,
    /// What personal data is encrypted under.
    pub vault: VaultConfig,
    /// How people are erased.
    pub erasures: ErasuresConfig,
}

/// How people are erased.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ErasuresConfig {
    /// The services that confirm their parts before an erasure is complete, beside members and the ledger: those that the
    /// suite runs. One that is not named here is not waited for.
    pub confirmed_by: Vec<ConfirmingService>,
}

/// A service that confirms what it erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfirmingService {
    /// Redemptions and vouchers.
    Rewards,
    /// What people wrote.
    Surveys,
}

impl ConfirmingService {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rewards => "rewards",
            Self::Surveys => "surveys",
        }
    }
}

impl Default for ErasuresConfig {
    fn default() -> Self {
        Self {
            confirmed_by: vec![ConfirmingService::Rewards, ConfirmingService::Surveys],
        }
    }
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
            ledger: PeerConfig::default(),
            vault: VaultConfig::default(),
            erasures: ErasuresConfig::default(),
        }
    }
}

impl MembersConfig {
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

    pub(crate) const fn database(&self) -> DatabaseConfig<'_> {
        DatabaseConfig {
            url: &self.database_url,
            pool: &self.pool,
            jobs_url: &self.jobs_database_url,
            jobs_pool: &self.jobs_pool,
        }
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
