//! Where Redis is and how long it is waited for.

use std::time::Duration;

use serde::Deserialize;

/// Longest wait for an answer: a read of Postgres takes 1 to 5 ms, so a slower cache helps nobody; a pause of Redis
/// (a fork, a failover) is ridden out with Postgres.
const TIMEOUT_DEFAULT_MS: u64 = 50;

/// Longest life of a value: for so long may `eventual` reads show what was before a write that Redis lost and nobody
/// repaired (`at_least` and `strong` reads are never older than asked for). 10 s are soon over for who looks, and still
/// make one read of Postgres serve all that come while an owner is busy.
const TTL_MAX_DEFAULT_S: u64 = 10;

/// Life of a lease: longer than a transaction may take (2 s), so that an honest reader comes back in time.
const LEASE_TTL_DEFAULT_MS: u64 = 5_000;

/// Failures in a row after which Redis is not asked for a while: one may be chance, five are not.
const FAILURES_MAX_DEFAULT: u32 = 5;

/// How long it is not asked. Then one call tries, and pays with at most one timeout.
const PAUSE_DEFAULT_MS: u64 = 500;

/// Settings of the balance cache.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BalanceCacheConfig {
    /// Where Redis is (`redis://host:6379`, `rediss://..` for TLS). Without it there is no cache.
    pub url: Option<String>,
    /// Longest wait for an answer, in milliseconds.
    pub timeout_ms: u64,
    /// Longest life of a value, in seconds.
    pub ttl_max_s: u64,
    /// Life of a lease, in milliseconds.
    pub lease_ttl_ms: u64,
    /// Failures in a row after which Redis is not asked for a while.
    pub failures_max: u32,
    /// How long it is not asked, in milliseconds.
    pub pause_ms: u64,
}

impl Default for BalanceCacheConfig {
    fn default() -> Self {
        Self {
            url: None,
            timeout_ms: TIMEOUT_DEFAULT_MS,
            ttl_max_s: TTL_MAX_DEFAULT_S,
            lease_ttl_ms: LEASE_TTL_DEFAULT_MS,
            failures_max: FAILURES_MAX_DEFAULT,
            pause_ms: PAUSE_DEFAULT_MS,
        }
    }
}

impl BalanceCacheConfig {
    /// The defaults with a Redis.
    #[must_use]
    pub fn with_url(url: &str) -> Self {
        Self {
            url: Some(url.to_owned()),
            ..Self::default()
        }
    }

    /// What is wrong with the values, each with its field; empty when nothing is.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let fields = [
            ("timeout_ms", self.timeout_ms),
            ("ttl_max_s", self.ttl_max_s),
            ("lease_ttl_ms", self.lease_ttl_ms),
            ("failures_max", u64::from(self.failures_max)),
            ("pause_ms", self.pause_ms),
        ];
        let zeros = fields
            .iter()
            .filter(|(_, value)| *value == 0)
            .map(|(field, _)| format!("{field} must be above 0"));
        let url = self
            .url
            .as_deref()
            .and_then(|url| redis::Client::open(url).err())
            .map(|error| format!("url is not usable: {error}"));
        zeros.chain(url).collect()
    }

    pub(crate) const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(crate) const fn pause(&self) -> Duration {
        Duration::from_millis(self.pause_ms)
    }
}

/// The cache cannot be made from its config.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The URL is none that Redis can be reached by.
    #[error("redis url is not usable: {0}")]
    Url(#[from] redis::RedisError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_config_is_the_default_without_redis() {
        let config: BalanceCacheConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, BalanceCacheConfig::default());
        assert_eq!(config.url, None);
        assert!(config.violations().is_empty());
        assert!(serde_json::from_str::<BalanceCacheConfig>(r#"{"uri": ""}"#).is_err());
    }

    #[test]
    fn all_wrong_values_are_named_at_once() {
        let config = BalanceCacheConfig {
            url: Some("http://127.0.0.1".to_owned()),
            timeout_ms: 0,
            failures_max: 0,
            ..BalanceCacheConfig::default()
        };
        let violations = config.violations();
        assert_eq!(violations.len(), 3, "{violations:?}");
    }
}
