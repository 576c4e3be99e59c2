//! A cache of one's own on the shared Redis: its timeline is drawn, so nobody else has its keys.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_redis::{BalanceCache, BalanceCacheConfig, BalanceKey, CacheAnswer, CachedBalances, Lease};
use fealty_types::{Clock, OwnerId, ProgramId, SystemClock, Version};

pub struct Shelf {
    pub cache: BalanceCache,
    pub timeline: String,
    pub now: DateTime<Utc>,
}

/// Many tests at once on a small machine: an answer may take longer than a service would wait.
pub const PATIENT_TIMEOUT_MS: u64 = 5_000;

pub async fn redis_url() -> &'static str {
    fealty_testing::servers().await.redis_url()
}

pub async fn shelf() -> Shelf {
    let config = BalanceCacheConfig {
        timeout_ms: PATIENT_TIMEOUT_MS,
        ..BalanceCacheConfig::with_url(redis_url().await)
    };
    shelf_with(&config)
}

pub fn shelf_with(config: &BalanceCacheConfig) -> Shelf {
    let now = SystemClock.now();
    let timeline = ProgramId::generate_at(now).to_string();
    Shelf {
        cache: BalanceCache::try_new(config, &timeline).unwrap(),
        timeline,
        now,
    }
}

pub fn key() -> BalanceKey {
    let now = SystemClock.now();
    BalanceKey {
        program: ProgramId::generate_at(now),
        owner: OwnerId::generate_at(now),
    }
}

pub fn version(number: i64) -> Version {
    Version::try_new(number).unwrap()
}

pub fn balances(number: i64) -> CachedBalances {
    CachedBalances {
        version: version(number),
        payload: format!("balances of version {number}"),
        true_until: None,
    }
}

impl Shelf {
    /// The version that a reader who asks for nothing in particular gets.
    pub async fn seen(&self, key: BalanceKey) -> Option<i64> {
        match self.cache.get(key, Version::ZERO, self.now).await {
            CacheAnswer::Hit(balances) => Some(balances.version.get()),
            CacheAnswer::Miss(_) => None,
            CacheAnswer::Unavailable => panic!("redis is there"),
        }
    }

    pub async fn lease(&self, key: BalanceKey) -> Lease {
        match self.cache.get(key, Version::ZERO, self.now).await {
            CacheAnswer::Miss(lease) => lease,
            other => panic!("a miss was expected: {other:?}"),
        }
    }

    /// What Redis does when it runs out of memory.
    pub async fn evict(&self, key: BalanceKey) {
        let name = format!(
            "fealty:balance:{}:{{{}:{}}}",
            self.timeline, key.program, key.owner
        );
        let evicted: i64 = redis::cmd("DEL")
            .arg(name)
            .query_async(&mut connection().await)
            .await
            .unwrap();
        assert_eq!(evicted, 1);
    }

    pub fn after(&self, delta: TimeDelta) -> DateTime<Utc> {
        self.now + delta
    }
}

pub async fn connection() -> redis::aio::MultiplexedConnection {
    redis::Client::open(redis_url().await)
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap()
}
