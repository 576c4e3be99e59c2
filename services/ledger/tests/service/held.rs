//! What Redis holds of a test's ledger, and what somebody else does to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use fealty_ledger::balances::Balances;
use fealty_ledger::balances::check::{Finding, Verdict, counts_of};
use fealty_ledger::clock::RecordClock;
use fealty_ledger::posting::TimeSource;
use fealty_postgres::database_timeline;
use fealty_redis::{BalanceCache, BalanceCacheConfig, Walk};
use fealty_types::SystemClock;
use redis::aio::MultiplexedConnection;

use super::support::Ledger;

/// More rounds than all keys of all tests need.
const ROUNDS_MAX: usize = 5_000;

/// Redis, and the names of what it holds.
pub struct Held {
    pub connection: MultiplexedConnection,
    timeline: String,
    program: String,
}

impl Held {
    pub async fn of(ledger: &Ledger) -> Self {
        let url = ledger.config.cache.url.clone().expect("a Redis");
        Self::at(ledger, &url).await
    }

    pub async fn at(ledger: &Ledger, url: &str) -> Self {
        let client = redis::Client::open(url).expect("a URL");
        let connection = client.get_multiplexed_async_connection().await;
        let timeline = database_timeline(&ledger.database.jobs)
            .await
            .expect("a timeline");
        Self {
            connection: connection.expect("a connection"),
            timeline: timeline.to_string(),
            program: ledger.shop.program.to_string(),
        }
    }

    fn name(&self, owner: &str) -> String {
        format!("fealty:balance:{}:{{{}:{owner}}}", self.timeline, self.program)
    }

    /// What is held of an owner: version, end of its truth, payload.
    pub async fn get(&mut self, owner: &str) -> Option<(String, String, String)> {
        let name = self.name(owner);
        let fields: Vec<Option<String>> = redis::cmd("HMGET")
            .arg(name)
            .arg(&["version", "true_until", "payload"])
            .query_async(&mut self.connection)
            .await
            .expect("fields");
        let fields: Option<Vec<String>> = fields.into_iter().collect();
        fields.map(|fields| (fields[0].clone(), fields[1].clone(), fields[2].clone()))
    }

    /// Writes a field, whatever it says, and keeps the value until somebody replaces it.
    pub async fn forge(&mut self, owner: &str, field: &str, value: &str) {
        let name = self.name(owner);
        redis::pipe()
            .hset(&name, field, value)
            .persist(&name)
            .exec_async(&mut self.connection)
            .await
            .expect("forged");
    }

    pub async fn forget(&mut self, owner: &str) {
        let name = self.name(owner);
        redis::cmd("DEL")
            .arg(name)
            .exec_async(&mut self.connection)
            .await
            .expect("forgotten");
    }

    /// How long it is still held, in milliseconds; below zero for ever or not at all.
    pub async fn left_ms(&mut self, owner: &str) -> i64 {
        let name = self.name(owner);
        redis::cmd("PTTL")
            .arg(name)
            .query_async(&mut self.connection)
            .await
            .expect("a time")
    }
}

/// The check of the cache, as any replica would make it.
pub struct Checker {
    balances: Balances,
}

impl Checker {
    pub async fn of(ledger: &Ledger) -> Self {
        let url = ledger.config.cache.url.clone().expect("a Redis");
        Self::at(ledger, &url).await
    }

    pub async fn at(ledger: &Ledger, url: &str) -> Self {
        let config = BalanceCacheConfig {
            timeout_ms: 5_000,
            ..BalanceCacheConfig::with_url(url)
        };
        let timeline = database_timeline(&ledger.database.jobs)
            .await
            .expect("a timeline");
        let cache = BalanceCache::try_new(&config, &timeline.to_string()).expect("a cache");
        let clock = RecordClock::new(&TimeSource::Postgres, &SystemClock::shared());
        let pool = ledger.database.service.clone();
        Self {
            balances: Balances::new(pool, Arc::new(cache), Arc::new(clock)),
        }
    }

    /// Everything that is held of the ledger's database.
    pub async fn check_all(&self, behind_max: TimeDelta) -> Vec<Finding> {
        let mut walk = Walk::default();
        let mut findings = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let some = self.balances.check_some(&mut walk, 100, behind_max).await;
            findings.extend(some.expect("Postgres").expect("Redis"));
            if walk == Walk::default() {
                return findings;
            }
        }
        panic!("the walk never comes round");
    }

    pub async fn counts(&self, behind_max: TimeDelta) -> BTreeMap<Verdict, u64> {
        counts_of(&self.check_all(behind_max).await)
    }
}
