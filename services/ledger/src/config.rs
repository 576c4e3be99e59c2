//! The settings of this service. Every field has a default that works on one machine; unknown fields are refused.

use fealty_postgres::PoolConfig;
use fealty_redis::BalanceCacheConfig;
use fealty_rpc::server::ServerConfig;
use fealty_runtime::config::{AdminConfig, GrpcListenConfig, Secret};
use fealty_service::config::{DatabaseConfig, PeerConfig, ports, violations_of};
use serde::Deserialize;

use crate::jobs::check_cache::CacheCheckConfig;
use crate::jobs::expiry_notice::ExpiryNoticeConfig;
use crate::jobs::write_off::WriteOffConfig;
use crate::posting::config::PostingConfig;

/// Where the ledger listens for calls.
pub const LEDGER_PORT: u16 = ports::LEDGER;

/// Where the ledger answers for its health and metrics.
pub const LEDGER_ADMIN_PORT: u16 = ports::LEDGER_ADMIN;

/// Settings of the ledger. How the process ends and what it tells of itself is the process's, not the service's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerConfig {
    /// Where it listens for calls.
    pub grpc: GrpcListenConfig<LEDGER_PORT>,
    /// Where it answers for its health and metrics.
    pub admin: AdminConfig<LEDGER_ADMIN_PORT>,
    /// Its database, by the role that serves calls and sees one program at a time.
    pub database_url: Secret<String>,
    /// Its database, by the role of what crosses programs.
    pub jobs_database_url: Secret<String>,
    /// The pool of the service's role.
    pub pool: PoolConfig,
    /// The pool of the jobs' role, which also answers who calls.
    pub jobs_pool: PoolConfig,
    /// How calls that change balances are gathered into commits.
    pub posting: PostingConfig,
    /// How what has ended is written off.
    pub write_off: WriteOffConfig,
    /// How owners are told of what ends soon.
    pub expiry_notice: ExpiryNoticeConfig,
    /// Redis in front of the balances. Without a URL every balance is read from Postgres.
    pub cache: BalanceCacheConfig,
    /// How what Redis holds is compared with Postgres.
    pub cache_check: CacheCheckConfig,
    /// Limits and deadlines of calls.
    pub server: ServerConfig,
    /// The members service, whose access records the ledger follows. The key has `SCOPE_ACCESS_FEED`; until one has been
    /// planted, the ledger knows the callers that it knew before.
    pub members: PeerConfig<{ ports::MEMBERS }>,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self {
            grpc: GrpcListenConfig::default(),
            admin: AdminConfig::default(),
            database_url: Secret::new("postgres://fealty_ledger@127.0.0.1:5432/fealty_ledger".to_owned()),
            jobs_database_url: Secret::new(
                "postgres://fealty_ledger_jobs@127.0.0.1:5432/fealty_ledger".to_owned(),
            ),
            pool: PoolConfig::default(),
            jobs_pool: PoolConfig::default(),
            posting: PostingConfig::default(),
            write_off: WriteOffConfig::default(),
            expiry_notice: ExpiryNoticeConfig::default(),
            cache: BalanceCacheConfig::default(),
            cache_check: CacheCheckConfig::default(),
            server: ServerConfig::default(),
            members: PeerConfig::default(),
        }
    }
}

impl LedgerConfig {
    /// Everything that is wrong with the settings, one sentence each; empty when nothing is.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        violations_of([
            ("pool", self.pool.violations()),
            ("jobs_pool", self.jobs_pool.violations()),
            ("posting", self.posting.violations()),
            ("write_off", self.write_off.violations()),
            ("expiry_notice", self.expiry_notice.violations()),
            ("cache", self.cache.violations()),
            ("cache_check", self.cache_check.violations()),
            ("server", self.server.problems()),
        ])
    }

    /// The pool of the lanes: a connection for each, that no other call can take.
    pub(crate) fn lanes_pool(&self) -> PoolConfig {
        PoolConfig {
            size: self.posting.lanes,
            ..self.pool.clone()
        }
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
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_an_empty_file_is_them() {
        let config: LedgerConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, LedgerConfig::default());
        assert_eq!(config.violations(), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let error = serde_json::from_str::<LedgerConfig>(r#"{"members": {"endpiont": ""}}"#).unwrap_err();
        assert!(error.to_string().contains("endpiont"), "{error}");
    }

    #[test]
    fn every_wrong_section_is_named() {
        let mut config = LedgerConfig::default();
        config.pool.size = 0;
        config.server.connections_max = 0;
        let violations = config.violations();
        assert_eq!(violations.len(), 2);
        assert!(
            violations[0].starts_with("pool.size") && violations[1].starts_with("server.connections_max")
        );
    }
}
