//! Balances by owner: a value is only ever replaced by a newer one.
//!
//! - [`put`](BalanceCache::put) after every commit, and again where it did not arrive: writes the value unless a newer
//!   version is there, and kills the lease.
//! - [`get`](BalanceCache::get) answers the value, or hands out a lease.
//! - [`fill`](BalanceCache::fill) after reading Postgres: writes the value only while the lease is there.
//!
//! The lease is what keeps an evicted version from coming back older: a reader that read version 5 and was then
//! overtaken (6 was written, and evicted) finds its lease gone. What is left is a write-through that is itself delayed
//! until after the eviction of its successor: it is shown for the time to live at most, and whoever wrote the newer
//! version asks for it by number.
//!
//! Nothing is deleted: a value that is true no longer ends by its time to live. What a check finds wrong is replaced where
//! it stands ([`put_right`](BalanceCache::put_right)), and only as long as nothing else stands there.

mod metrics;
mod sampling;
mod scripts;

use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{OwnerId, ProgramId, Version};
use redis::ScriptInvocation;
use uuid::Uuid;

use crate::config::{BalanceCacheConfig, ConfigError};
use crate::connection::{Connection, NoAnswer};
use metrics::Answer;
pub use sampling::{Seen, Walk};
use scripts::{Held, Scripts, WriteAnswer};

/// Numbers in Lua are doubles: above this, two versions could look equal.
const VERSION_MAX: i64 = (1 << 53) - 1;

/// "Never ends by itself", in milliseconds: the last instant that a double tells apart, some 285,000 years from now.
const NEVER_MS: i64 = VERSION_MAX;

/// Whose balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BalanceKey {
    /// The program.
    pub program: ProgramId,
    /// The owner within it.
    pub owner: OwnerId,
}

/// What is held per owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedBalances {
    /// The owner's version.
    pub version: Version,
    /// The balances as the ledger writes them; nobody here looks inside.
    pub payload: String,
    /// Until when they are true by themselves: the next end of a lot or hold, the next start of what is pending.
    /// `None`: until the next transaction.
    pub true_until: Option<DateTime<Utc>>,
}

/// The right to fill one owner's value, until somebody writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    keys: RedisKeys,
    token: String,
}

/// What the cache knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheAnswer {
    /// At least the version that was asked for, true now.
    Hit(CachedBalances),
    /// Nothing that serves. Ask Postgres, then [`fill`](BalanceCache::fill).
    Miss(Lease),
    /// Redis is absent, away or slow. Ask Postgres; there is nothing to fill.
    Unavailable,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It is what readers get now.
    Stored,
    /// The same or a newer version is there.
    NotNewer,
    /// Somebody wrote since the lease was given, or it ended.
    LeaseLost,
    /// Redis is absent, away or slow. It may still arrive.
    Unavailable,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct RedisKeys {
    value: String,
    lease: String,
}

impl RedisKeys {
    fn of_value(value: String) -> Self {
        let lease = format!("{value}:lease");
        Self { value, lease }
    }
}

/// The cache. One per process, shared by reference.
pub struct BalanceCache {
    connection: Option<Connection>,
    scripts: Scripts,
    timeline: ArcSwap<String>,
    ttl_max_ms: i64,
    lease_ttl_ms: u64,
}

impl BalanceCache {
    /// A cache for one timeline of the ledger's database. Without a URL in the config it answers
    /// [`CacheAnswer::Unavailable`] to everything. Connects with the first call: neither Redis nor the network has to be
    /// there yet, only a tokio runtime.
    pub fn try_new(config: &BalanceCacheConfig, timeline: &str) -> Result<Self, ConfigError> {
        let connection = config
            .url
            .as_deref()
            .map(|url| Connection::try_new(url, config))
            .transpose()?;
        Ok(Self {
            connection,
            scripts: Scripts::new(),
            timeline: ArcSwap::from_pointee(timeline.to_owned()),
            ttl_max_ms: i64::try_from(config.ttl_max_s.saturating_mul(1_000)).unwrap_or(NEVER_MS),
            lease_ttl_ms: config.lease_ttl_ms,
        })
    }

    /// Whether there is a Redis at all. Without one every answer is [`CacheAnswer::Unavailable`], for ever.
    #[must_use]
    pub const fn has_redis(&self) -> bool {
        self.connection.is_some()
    }

    /// From now on for another timeline: after a failover or a restore, what was held before is not read any more.
    pub fn use_timeline(&self, timeline: &str) {
        self.timeline.store(Arc::new(timeline.to_owned()));
    }

    /// The newest value of an owner that is known, if it is at least `at_least` and still true `now`.
    pub async fn get(&self, key: BalanceKey, at_least: Version, now: DateTime<Utc>) -> CacheAnswer {
        let Some(connection) = &self.connection else {
            return CacheAnswer::Unavailable;
        };
        let keys = self.redis_keys(key);
        let token = Uuid::new_v4().simple().to_string();
        let script = self.scripts.get(
            &keys,
            at_least.get(),
            now.timestamp_millis(),
            (&token, self.lease_ttl_ms),
        );
        let answer = match connection.run::<Held>(&script).await {
            Ok(Held::Value {
                version,
                true_until_ms,
                payload,
            }) => hit(version, true_until_ms, payload).unwrap_or(CacheAnswer::Unavailable),
            Ok(Held::Lease { token }) => CacheAnswer::Miss(Lease { keys, token }),
            Err(no_answer) => {
                trace(&no_answer);
                CacheAnswer::Unavailable
            }
        };
        metrics::read(match &answer {
            CacheAnswer::Hit(_) => Answer::Hit,
            CacheAnswer::Miss(_) => Answer::Miss,
            CacheAnswer::Unavailable => Answer::Unavailable,
        });
        answer
    }

    /// Writes what was just committed, or read from Postgres afterwards, unless a newer version is there.
    ///
    /// # Panics
    /// When the version is 2^53 or more, which no owner reaches.
    pub async fn put(&self, key: BalanceKey, balances: &CachedBalances, now: DateTime<Utc>) -> WriteOutcome {
        self.write(&self.redis_keys(key), balances, now, None).await
    }

    /// The same for many owners, in one round trip: either all have their outcome, or Redis did not answer.
    ///
    /// # Panics
    /// When a version is 2^53 or more, which no owner reaches.
    pub async fn put_all(
        &self,
        balances: &[(BalanceKey, CachedBalances)],
        now: DateTime<Utc>,
    ) -> Vec<WriteOutcome> {
        let unavailable = || vec![WriteOutcome::Unavailable; balances.len()];
        let Some(connection) = &self.connection else {
            return unavailable();
        };
        let runs: Vec<_> = balances
            .iter()
            .map(|(key, balances)| self.writing(&self.redis_keys(*key), balances, now, None))
            .collect();
        let answers = connection.run_all::<WriteAnswer>(self.scripts.write_script(), &runs);
        let outcomes = match answers.await {
            Ok(answers) => answers.into_iter().map(WriteOutcome::from).collect(),
            Err(no_answer) => {
                trace(&no_answer);
                unavailable()
            }
        };
        outcomes.iter().copied().for_each(metrics::written);
        outcomes
    }

    /// Writes what was read from Postgres after a miss, if nobody has written since.
    ///
    /// # Panics
    /// When the version is 2^53 or more, which no owner reaches.
    pub async fn fill(&self, lease: Lease, balances: &CachedBalances, now: DateTime<Utc>) -> WriteOutcome {
        self.write(&lease.keys, balances, now, Some(&lease.token)).await
    }

    async fn write(
        &self,
        keys: &RedisKeys,
        balances: &CachedBalances,
        now: DateTime<Utc>,
        lease: Option<&str>,
    ) -> WriteOutcome {
        let Some(connection) = &self.connection else {
            return WriteOutcome::Unavailable;
        };
        let script = self.writing(keys, balances, now, lease);
        let outcome = match connection.run::<WriteAnswer>(&script).await {
            Ok(answer) => answer.into(),
            Err(no_answer) => {
                trace(&no_answer);
                WriteOutcome::Unavailable
            }
        };
        metrics::written(outcome);
        outcome
    }

    fn writing(
        &self,
        keys: &RedisKeys,
        balances: &CachedBalances,
        now: DateTime<Utc>,
        lease: Option<&str>,
    ) -> ScriptInvocation<'_> {
        assert_comparable(balances.version);
        let ttl_ms = time_to_live_ms(balances.true_until, now, self.ttl_max_ms);
        self.scripts
            .write(keys, balances, ttl_ms, lease.unwrap_or_default())
    }

    fn redis_keys(&self, key: BalanceKey) -> RedisKeys {
        // The braces keep a value and its lease on one node of a cluster, where a script can reach both.
        RedisKeys::of_value(format!("{}{{{}:{}}}", self.prefix(), key.program, key.owner))
    }

    /// What the keys of this timeline begin with.
    fn prefix(&self) -> String {
        format!("fealty:balance:{}:", self.timeline.load())
    }
}

impl std::fmt::Debug for BalanceCache {
    /// The URL may carry a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BalanceCache")
            .field("timeline", &self.timeline.load())
            .field("has_redis", &self.connection.is_some())
            .finish_non_exhaustive()
    }
}

/// Scripts compare versions as doubles.
fn assert_comparable(version: Version) {
    assert!(version.get() <= VERSION_MAX, "versions are compared as doubles");
}

/// A value that breaks our own rules was written by somebody else: as if it were not there, until it ends.
fn hit(version: i64, true_until_ms: i64, payload: String) -> Option<CacheAnswer> {
    let true_until = match true_until_ms {
        NEVER_MS => None,
        ms => Some(DateTime::from_timestamp_millis(ms)?),
    };
    Some(CacheAnswer::Hit(CachedBalances {
        version: Version::try_new(version).ok()?,
        payload,
        true_until,
    }))
}

/// How long the value may stay. At least a millisecond: what is true no longer still has to replace what is older, and
/// then be gone.
fn time_to_live_ms(true_until: Option<DateTime<Utc>>, now: DateTime<Utc>, ttl_max_ms: i64) -> i64 {
    let left_ms = true_until.map_or(ttl_max_ms, |end| {
        (end - now).max(TimeDelta::zero()).num_milliseconds()
    });
    left_ms.min(ttl_max_ms).max(1)
}

/// An outage is told once, by the connection; each call that meets it only to who looks closely.
fn trace(no_answer: &NoAnswer) {
    tracing::trace!(error = %no_answer, "balance cache is not used");
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL_MAX_MS: i64 = 3_600_000;

    fn ttl_ms(left: Option<TimeDelta>) -> i64 {
        let now = DateTime::UNIX_EPOCH;
        time_to_live_ms(left.map(|left| now + left), now, TTL_MAX_MS)
    }

    #[test]
    fn a_value_lives_until_it_is_true_no_longer_but_not_longer_than_the_limit() {
        assert_eq!(ttl_ms(None), TTL_MAX_MS);
        assert_eq!(ttl_ms(Some(TimeDelta::days(1))), TTL_MAX_MS);
        assert_eq!(ttl_ms(Some(TimeDelta::seconds(2))), 2_000);
        assert_eq!(ttl_ms(Some(TimeDelta::zero())), 1);
        assert_eq!(ttl_ms(Some(TimeDelta::seconds(-5))), 1);
    }

    #[tokio::test]
    async fn without_redis_there_is_no_answer_and_no_error() {
        let cache = BalanceCache::try_new(&BalanceCacheConfig::default(), "t").unwrap();
        let now = DateTime::UNIX_EPOCH;
        let key = BalanceKey {
            program: ProgramId::generate_at(now),
            owner: OwnerId::generate_at(now),
        };
        let balances = CachedBalances {
            version: Version::ZERO,
            payload: String::new(),
            true_until: None,
        };
        assert_eq!(cache.get(key, Version::ZERO, now).await, CacheAnswer::Unavailable);
        assert_eq!(cache.put(key, &balances, now).await, WriteOutcome::Unavailable);
    }
}
