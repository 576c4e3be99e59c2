//! Pools of connections, one per role of a service.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::error::StorageError;

/// Connections of one pool. Two cores do their best with some ten busy connections; a Postgres of default size takes
/// a hundred, which is four processes with two pools each; more replicas need a larger one.
const SIZE_DEFAULT: u32 = 10;

/// Wait for a free connection: longer than that, the caller is better told that there is no room.
const ACQUIRE_TIMEOUT_DEFAULT_MS: u64 = 1_000;

/// How many times longer a connection may take to be made than a caller waits for one.
const CONNECT_FACTOR: u32 = 10;

/// Longest statement. A transaction sets a shorter one for itself; this bounds whatever runs outside of one.
const STATEMENT_TIMEOUT_DEFAULT_MS: u64 = 5_000;

/// Longest wait for a row that another transaction holds: shorter than a transaction's own two seconds, so that the
/// error names the lock.
const LOCK_TIMEOUT_DEFAULT_MS: u64 = 1_500;

/// Longest silence of a client within a transaction: a frozen process loses its locks after that.
const IDLE_IN_TRANSACTION_TIMEOUT_DEFAULT_MS: u64 = 3_000;

/// A connection that has lain idle for longer is asked whether it is alive before it is given out. One that was in use
/// a moment ago is not: that would be a round trip per transaction, and a transaction whose beginning fails runs again.
const IDLE_UNCHECKED_MAX: Duration = Duration::from_secs(1);

/// How long a connection lives: after a failover or a change of certificates all are new within that time.
const CONNECTION_LIFETIME_DEFAULT_S: u64 = 1_800;

/// How a pool is sized and how its connections are bounded. Where Postgres is, as whom, and with which TLS settings
/// (`?sslmode=verify-full&sslrootcert=..`) is in the URL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// Most connections.
    pub size: u32,
    /// Longest wait for a connection, in milliseconds. Making one may take ten times as long, which only its next user
    /// notices.
    pub acquire_timeout_ms: u64,
    /// Longest statement, in milliseconds.
    pub statement_timeout_ms: u64,
    /// Longest wait for a lock, in milliseconds.
    pub lock_timeout_ms: u64,
    /// Longest silence within a transaction, in milliseconds.
    pub idle_in_transaction_timeout_ms: u64,
    /// How long a connection lives, in seconds.
    pub connection_lifetime_s: u64,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            size: SIZE_DEFAULT,
            acquire_timeout_ms: ACQUIRE_TIMEOUT_DEFAULT_MS,
            statement_timeout_ms: STATEMENT_TIMEOUT_DEFAULT_MS,
            lock_timeout_ms: LOCK_TIMEOUT_DEFAULT_MS,
            idle_in_transaction_timeout_ms: IDLE_IN_TRANSACTION_TIMEOUT_DEFAULT_MS,
            connection_lifetime_s: CONNECTION_LIFETIME_DEFAULT_S,
        }
    }
}

impl PoolConfig {
    /// What is wrong with the values, each with its field; empty when nothing is.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let fields = [
            ("size", u64::from(self.size)),
            ("acquire_timeout_ms", self.acquire_timeout_ms),
            ("statement_timeout_ms", self.statement_timeout_ms),
            ("lock_timeout_ms", self.lock_timeout_ms),
            (
                "idle_in_transaction_timeout_ms",
                self.idle_in_transaction_timeout_ms,
            ),
            ("connection_lifetime_s", self.connection_lifetime_s),
        ];
        fields
            .iter()
            .filter(|(_, value)| *value == 0)
            .map(|(field, _)| format!("{field} must be above 0: without it nothing would be bounded"))
            .collect()
    }

    fn pool_options(&self) -> PgPoolOptions {
        PgPoolOptions::new()
            .max_connections(self.size)
            // The driver's limit is for waiting and making together. Who waits has the shorter one: see `acquire`.
            .acquire_timeout(Duration::from_millis(self.acquire_timeout_ms) * CONNECT_FACTOR)
            .max_lifetime(Duration::from_secs(self.connection_lifetime_s))
            .test_before_acquire(false)
            .before_acquire(|connection, metadata| {
                Box::pin(async move {
                    if metadata.idle_for > IDLE_UNCHECKED_MAX {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
    }

    fn connect_options(&self, url: &str, application: &str) -> Result<PgConnectOptions, StorageError> {
        let options = PgConnectOptions::from_str(url)?;
        Ok(options
            .application_name(application)
            .options([("statement_timeout", self.statement_timeout_ms)])
            .options([("lock_timeout", self.lock_timeout_ms)])
            .options([(
                "idle_in_transaction_session_timeout",
                self.idle_in_transaction_timeout_ms,
            )])
            // A fresh database is planned for as if it were full: on small tables Postgres would choose to read all of
            // them, and keep to it while they grow, until the first ANALYZE. Where there is no index it reads them all
            // the same, at a cost on paper that would call the compiler: nothing here is worth compiling.
            .options([("enable_seqscan", "off"), ("jit", "off")]))
    }
}

/// How long a caller waits for a connection of the pool.
pub(crate) fn acquire_wait(pool: &PgPool) -> Duration {
    pool.options().get_acquire_timeout() / CONNECT_FACTOR
}

/// Opens a pool and makes its first connection, so that a wrong URL is told at the start. `application` is what
/// Postgres shows in `pg_stat_activity`.
pub async fn connect(url: &str, application: &str, config: &PoolConfig) -> Result<PgPool, StorageError> {
    let options = config.connect_options(url, application)?;
    Ok(config.pool_options().connect_with(options).await?)
}

/// Opens a pool that makes its first connection when it is first used: the URL is checked, Postgres may be away.
pub fn connect_lazy(url: &str, application: &str, config: &PoolConfig) -> Result<PgPool, StorageError> {
    let options = config.connect_options(url, application)?;
    Ok(config.pool_options().connect_lazy_with(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_config_is_the_default() {
        let config: PoolConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, PoolConfig::default());
        assert!(config.violations().is_empty());
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let error = serde_json::from_str::<PoolConfig>(r#"{"sise": 5}"#).unwrap_err();
        assert!(error.to_string().contains("sise"), "{error}");
    }

    #[test]
    fn all_wrong_values_are_named_at_once() {
        let config = PoolConfig {
            size: 0,
            lock_timeout_ms: 0,
            ..PoolConfig::default()
        };
        let violations = config.violations();
        assert_eq!(violations.len(), 2);
        assert!(violations[0].starts_with("size"));
        assert!(violations[1].starts_with("lock_timeout_ms"));
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_a_server() {
        assert!(connect_lazy("postgres://[", "test", &PoolConfig::default()).is_err());
    }
}
