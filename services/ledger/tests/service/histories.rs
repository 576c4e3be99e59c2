//! Histories of the cache: two replicas write and read while Redis is slow, hangs, loses answers, is emptied, and comes
//! back with what it held long ago. No read is older than asked for, what is shown at a version is what the record says of
//! it, and afterwards the cache says what the record says.
//!
//! What happens to whom is drawn from fixed seeds; how the tasks meet is the machine's.

mod restored;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use fealty_ledger::LedgerConfig;
use fealty_ledger::balances::check::Verdict;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::Amount;
use fealty_proto::types::v1::consistency::Requirement::{self, AtLeastVersion, Strong};
use fealty_testing::own_redis::RedisDump;
use fealty_testing::{OwnRedis, Proxy};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

use super::harness::{new_id, until};
use super::held::{Checker, Held};
use super::support::{Ledger, Redis, Setting, credit, spend};
use super::verify::assert_verified;

const OWNERS_COUNT: usize = 5;
const WRITERS_COUNT: u64 = 4;
const READERS_COUNT: u64 = 6;

/// What happens to Redis in one history.
const FAULTS_COUNT: usize = 36;

/// Longer than a history: nothing is well again only because values end.
const TTL_S: u64 = 600;

/// A write that waits longer than that is given up by who made it.
const SLOW: Duration = Duration::from_millis(80);

/// What somebody was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    owner: usize,
    version: i64,
    available: i64,
    held: i64,
}

/// Two replicas, what they told, and whether it is over.
pub struct History {
    ledger: Ledger,
    replicas: Vec<Ledger>,
    owners: Vec<String>,
    /// By owner, the newest version that a writer was told of.
    acknowledged: Vec<AtomicI64>,
    shown: Mutex<Vec<Shown>>,
    is_over: AtomicBool,
}

/// A replica's settings, by its way to Redis.
pub fn replica_config(ledger: &Ledger, redis_url: &str) -> LedgerConfig {
    let mut config = ledger.config.clone();
    config.cache.url = Some(redis_url.to_owned());
    config.cache.ttl_max_s = TTL_S;
    config.cache.pause_ms = 100;
    config.cache_check.enabled = true;
    config.cache_check.behind_max_ms = 1_000;
    config
}

impl History {
    async fn begin(ledger: Ledger, redis_urls: &[String]) -> Self {
        let mut replicas = Vec::new();
        for url in redis_urls {
            replicas.push(ledger.replica_on(replica_config(&ledger, url)).await);
        }
        let mut owners = Vec::new();
        for _ in 0..OWNERS_COUNT {
            owners.push(ledger.open_owner().await);
        }
        Self {
            acknowledged: owners.iter().map(|_| AtomicI64::new(0)).collect(),
            ledger,
            replicas,
            owners,
            shown: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Writes and reads until `meanwhile` is over.
    async fn play<T>(&self, seed: u64, meanwhile: impl Future<Output = T>) -> T {
        self.is_over.store(false, Ordering::SeqCst);
        let writers = (0..WRITERS_COUNT).map(|number| self.write(seed * 100 + number));
        let readers = (0..READERS_COUNT).map(|number| self.read(seed * 100 + 50 + number));
        let meanwhile = async {
            let done = meanwhile.await;
            self.is_over.store(true, Ordering::SeqCst);
            done
        };
        let (_, _, done) = tokio::join!(join_all(writers), join_all(readers), meanwhile);
        done
    }

    async fn write(&self, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        while !self.is_over.load(Ordering::SeqCst) {
            let owner = random.random_range(0..self.owners.len());
            let replica = &self.replicas[random.random_range(0..self.replicas.len())];
            let value = random.random_range(1..50);
            let version = write(replica, &self.owners[owner], random.random_range(0..5), value).await;
            if let Some(version) = version {
                self.acknowledged[owner].fetch_max(version, Ordering::SeqCst);
            }
            sleep(Duration::from_millis(random.random_range(0..12))).await;
        }
    }

    async fn read(&self, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        while !self.is_over.load(Ordering::SeqCst) {
            let owner = random.random_range(0..self.owners.len());
            let replica = &self.replicas[random.random_range(0..self.replicas.len())];
            let acknowledged = self.acknowledged[owner].load(Ordering::SeqCst);
            let (requirement, at_least) = match random.random_range(0..4) {
                0 => (None, 0),
                1 => (Some(Strong(true)), acknowledged),
                _ => {
                    let asked = (acknowledged - random.random_range(0..3)).max(0);
                    (Some(AtLeastVersion(asked)), asked)
                }
            };
            let shown = self.show(replica, owner, requirement).await;
            assert!(
                shown.version >= at_least,
                "{shown:?} is older than {at_least}, asked for by {requirement:?}"
            );
            sleep(Duration::from_millis(random.random_range(0..8))).await;
        }
    }

    /// What a replica shows, kept to be compared with the record.
    async fn show(&self, replica: &Ledger, owner: usize, requirement: Option<Requirement>) -> Shown {
        let balance = replica.balance(&self.owners[owner], requirement).await;
        let balance = balance.expect("Postgres is there, and so is what is asked for");
        let points = balance.balances.iter().find(|unit| unit.unit_code == "points");
        let shown = Shown {
            owner,
            version: balance.version,
            available: points.map_or(0, |points| points.available),
            held: points.map_or(0, |points| points.held),
        };
        self.shown.lock().expect("nobody panics").push(shown);
        shown
    }

    /// Compares all that was shown with the record, as a role sees it that calls nobody; what was shown before is forgotten.
    async fn assert_shown_is_recorded(&self) {
        let mut record = BTreeMap::new();
        for (owner, owner_id) in self.owners.iter().enumerate() {
            let statement = "
                SELECT t.version,
                       (sum(v.available) OVER (ORDER BY t.version))::bigint, (sum(v.held) OVER (ORDER BY t.version))::bigint
                FROM transaction t,
                     LATERAL (SELECT coalesce(sum((e->>'value')::bigint) FILTER (WHERE e->>'account' = 'owner_available'), 0) AS available,
                                     coalesce(sum((e->>'value')::bigint) FILTER (WHERE e->>'account' = 'owner_held'), 0) AS held
                              FROM jsonb_array_elements(t.entries) e) v
                WHERE t.owner_id::text = $1 AND t.version IS NOT NULL";
            let rows: Vec<(i64, i64, i64)> = sqlx::query_as(statement)
                .bind(owner_id)
                .fetch_all(&self.ledger.database.owner)
                .await
                .expect("the record");
            record.insert((owner, 0), (0, 0));
            for (version, available, held) in rows {
                record.insert((owner, version), (available, held));
            }
        }
        let shown = std::mem::take(&mut *self.shown.lock().expect("nobody panics"));
        assert!(!shown.is_empty(), "somebody looked");
        for shown in shown {
            assert_eq!(
                record.get(&(shown.owner, shown.version)),
                Some(&(shown.available, shown.held)),
                "{shown:?}"
            );
        }
    }

    /// Everybody is shown the newest by themselves, and then nothing is left to be found.
    async fn assert_converges(&self, redis_url: &str) {
        self.assert_converges_of(redis_url, self.owners.len()).await;
    }

    /// The newest versions of all owners.
    async fn newest(&self) -> Vec<i64> {
        let mut newest = Vec::new();
        for owner in 0..self.owners.len() {
            let shown = self.show(&self.replicas[0], owner, Some(Strong(true))).await;
            newest.push(shown.version);
        }
        newest
    }

    /// From now on these are the newest that anybody was told of.
    fn acknowledge(&self, versions: &[i64]) {
        for (acknowledged, version) in self.acknowledged.iter().zip(versions) {
            acknowledged.store(*version, Ordering::SeqCst);
        }
    }

    /// The same, where values of so many owners may be held.
    async fn assert_converges_of(&self, redis_url: &str, held_max: usize) {
        let mut held = Held::at(&self.ledger, redis_url).await;
        for (owner, owner_id) in self.owners.iter().enumerate() {
            for replica in &self.replicas {
                until("the cache converges", async || {
                    let newest = self.show(replica, owner, Some(Strong(true))).await;
                    let is_shown = self.show(replica, owner, None).await == newest;
                    // And not because Redis is not asked.
                    let value = held.get(owner_id).await;
                    is_shown && value.is_some_and(|value| value.0 == newest.version.to_string())
                })
                .await;
            }
        }
        let counts = Checker::at(&self.ledger, redis_url)
            .await
            .counts(TimeDelta::zero())
            .await;
        let right = counts.get(&Verdict::Right).copied().unwrap_or_default();
        let held = self.owners.len()..=held_max;
        assert!(
            held.contains(&usize::try_from(right).expect("a few")),
            "{counts:?}"
        );
        assert_eq!(counts.len(), 1, "{counts:?}");
    }
}

/// Does one thing or another; the version that it made, where it did.
async fn write(ledger: &Ledger, owner: &str, what: u32, value: i64) -> Option<i64> {
    let balance = match what {
        0 | 1 => {
            ledger
                .credit(credit(owner, "points", value))
                .await
                .ok()?
                .into_inner()
                .balance
        }
        2 => {
            ledger
                .spend(spend(owner, "points", value))
                .await
                .ok()?
                .into_inner()
                .balance
        }
        _ => {
            let request = pb::HoldPointsRequest {
                request_id: new_id(),
                owner_id: owner.to_owned(),
                amount: Some(Amount {
                    unit_code: "points".to_owned(),
                    value,
                }),
                ..pb::HoldPointsRequest::default()
            };
            let held = ledger
                .holds()
                .hold_points(ledger.call(request))
                .await
                .ok()?
                .into_inner();
            let hold_id = held.hold.expect("a hold").hold_id;
            let capture = pb::CaptureHoldRequest {
                request_id: new_id(),
                hold_id,
                value: value / 2,
                reason: String::new(),
            };
            let captured = ledger.holds().capture_hold(ledger.call(capture)).await;
            captured.expect("the hold is open").into_inner().balance
        }
    };
    Some(balance.expect("a balance").version)
}

/// Something happens to Redis, or to the way there.
async fn disturb(random: &mut StdRng, redis: &mut OwnRedis, proxies: &[Proxy], dump: &mut Option<RedisDump>) {
    let proxy = &proxies[random.random_range(0..proxies.len())];
    match random.random_range(0..11) {
        0 => proxy.cut(),
        1 => proxy.freeze(),
        2 => proxy.slow_down(SLOW),
        3 => proxy.lose_answer_to(b"EVALSHA"),
        4 => redis.flush().await,
        5 | 6 => *dump = Some(redis.dump().await),
        7 => redis.restart(None).await,
        8 => redis.restart(dump.as_ref()).await,
        _ => proxies.iter().for_each(Proxy::restore),
    }
}

async fn play(seed: u64) {
    let mut redis = OwnRedis::start().await;
    let ledger = Ledger::start_in(Setting {
        redis: Redis::At(redis.url().to_owned()),
        ..Setting::default()
    })
    .await;
    let (mut proxies, mut urls) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let (proxy, url) = Proxy::in_front_of(redis.url()).await;
        proxies.push(proxy);
        urls.push(url);
    }
    let history = History::begin(ledger, &urls).await;
    let faults = async {
        let mut random = StdRng::seed_from_u64(seed);
        let mut dump = None;
        for _ in 0..FAULTS_COUNT {
            sleep(Duration::from_millis(random.random_range(10..120))).await;
            disturb(&mut random, &mut redis, &proxies, &mut dump).await;
        }
        proxies.iter().for_each(Proxy::restore);
    };
    Box::pin(history.play(seed, faults)).await;
    history.assert_converges(redis.url()).await;
    history.assert_shown_is_recorded().await;
    // As long as nobody disturbs, it stays so.
    history.play(seed + 1, sleep(Duration::from_millis(500))).await;
    history.assert_converges(redis.url()).await;
    history.assert_shown_is_recorded().await;
    assert_verified(&history.ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_is_older_than_asked_for_whatever_happens_to_redis() {
    Box::pin(play(11)).await;
    Box::pin(play(12)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_ends_as_well() {
    Box::pin(play(13)).await;
    Box::pin(play(14)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_held_long_ago_is_found_out_and_put_right() {
    let mut redis = OwnRedis::start().await;
    let ledger = Ledger::start_in(Setting {
        redis: Redis::At(redis.url().to_owned()),
        ..Setting::default()
    })
    .await;
    let history = History::begin(ledger, &[redis.url().to_owned()]).await;
    let replica = &history.replicas[0];
    for owner in &history.owners {
        replica.give(owner, 10).await;
    }
    history.assert_converges(redis.url()).await;
    let dump = redis.dump().await;
    for owner in &history.owners {
        replica.give(owner, 10).await;
    }
    history.assert_converges(redis.url()).await;
    redis.restart(Some(&dump)).await;
    // What is old is shown to who asks for nothing in particular, for as long as nobody has found out.
    for owner in 0..history.owners.len() {
        let newest = history.show(replica, owner, Some(AtLeastVersion(2))).await;
        assert_eq!((newest.version, newest.available), (2, 20));
    }
    history.assert_converges(redis.url()).await;
    for _ in 0..10 {
        for owner in 0..history.owners.len() {
            history.show(replica, owner, None).await;
        }
    }
    history.assert_shown_is_recorded().await;
}
