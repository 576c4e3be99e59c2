//! Redis away, frozen, emptied or never there: answers stay quick, nothing fails, and all is well again by itself.

use std::time::Duration;

use fealty_redis::{BalanceCacheConfig, BalanceKey, CacheAnswer, WriteOutcome};
use fealty_testing::{OwnRedis, Proxy};
use fealty_types::Version;
use tokio::time::Instant;

use crate::shelf::{PATIENT_TIMEOUT_MS, Shelf, balances, connection, key, redis_url, shelf, shelf_with};

const PAUSE_MS: u64 = 200;
const TIMEOUT_MS: u64 = 100;

/// The longest that one call may take: its timeout, and what a busy machine adds.
const CALL_MAX: Duration = Duration::from_millis(TIMEOUT_MS * 5);

/// The longest until all is well again: a few pauses and an attempt to connect.
const RECOVERY_MAX: Duration = Duration::from_secs(10);

async fn behind_proxy() -> (Proxy, Shelf) {
    let (proxy, url) = Proxy::in_front_of(redis_url().await).await;
    let shelf = shelf_with(&BalanceCacheConfig {
        pause_ms: PAUSE_MS,
        timeout_ms: TIMEOUT_MS,
        ..BalanceCacheConfig::with_url(&url)
    });
    (proxy, shelf)
}

/// Asks until there is an answer.
async fn recovers(shelf: &Shelf, key: BalanceKey) -> CacheAnswer {
    let started = Instant::now();
    loop {
        let answer = shelf.cache.get(key, Version::ZERO, shelf.now).await;
        if answer != CacheAnswer::Unavailable {
            return answer;
        }
        assert!(
            started.elapsed() < RECOVERY_MAX,
            "redis is back, the cache is not"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Makes many calls and checks that none is slow, and that all together hardly wait.
async fn calls_are_quick_and_unavailable(shelf: &Shelf, key: BalanceKey) {
    const CALLS_COUNT: u32 = 200;
    let started = Instant::now();
    for _ in 0..CALLS_COUNT {
        let call_started = Instant::now();
        let answer = shelf.cache.get(key, Version::ZERO, shelf.now).await;
        assert_eq!(answer, CacheAnswer::Unavailable);
        assert!(call_started.elapsed() < CALL_MAX, "{:?}", call_started.elapsed());
    }
    // Five calls find out, then one in each pause; without the pauses it would be 200 timeouts.
    let all_at_most = Duration::from_millis(TIMEOUT_MS) * (CALLS_COUNT / 4);
    assert!(started.elapsed() < all_at_most, "{:?}", started.elapsed());
    let put = shelf.cache.put(key, &balances(9), shelf.now).await;
    assert_eq!(put, WriteOutcome::Unavailable);
}

#[tokio::test]
async fn a_redis_that_dies_and_comes_back_is_used_again() {
    let (proxy, shelf) = behind_proxy().await;
    let key = key();
    recovers(&shelf, key).await;
    shelf.cache.put(key, &balances(1), shelf.now).await;
    assert_eq!(shelf.seen(key).await, Some(1));

    proxy.cut();
    calls_are_quick_and_unavailable(&shelf, key).await;
    proxy.restore();
    assert_eq!(recovers(&shelf, key).await, CacheAnswer::Hit(balances(1)));
    // And again: an outage leaves nothing behind.
    proxy.cut();
    calls_are_quick_and_unavailable(&shelf, key).await;
    proxy.restore();
    recovers(&shelf, key).await;
}

#[tokio::test]
async fn a_redis_that_hangs_is_waited_for_shortly() {
    let (proxy, shelf) = behind_proxy().await;
    let key = key();
    recovers(&shelf, key).await;
    shelf.cache.put(key, &balances(1), shelf.now).await;

    proxy.freeze();
    calls_are_quick_and_unavailable(&shelf, key).await;
    proxy.restore();
    let CacheAnswer::Hit(held) = recovers(&shelf, key).await else {
        panic!("the value was there");
    };
    // A write whose answer was not waited for may have arrived, and then it is the newest.
    assert!([1, 9].contains(&held.version.get()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_refuses_to_let_anybody_in_is_used_again_when_it_does() {
    let redis = OwnRedis::start().await;
    let shelf = shelf_with(&BalanceCacheConfig {
        pause_ms: PAUSE_MS,
        timeout_ms: TIMEOUT_MS,
        ..BalanceCacheConfig::with_url(redis.url())
    });
    let key = key();
    recovers(&shelf, key).await;
    shelf.cache.put(key, &balances(1), shelf.now).await;
    let (_, rest) = redis.url().split_once("://:").unwrap();
    let (password, _) = rest.split_once('@').unwrap();
    let client = redis::Client::open(redis.url()).unwrap();
    let mut admin = client.get_multiplexed_async_connection().await.unwrap();
    let mut ask = async |words: &[&str]| {
        let asked = redis::cmd(words[0]).arg(&words[1..]).exec_async(&mut admin).await;
        asked.unwrap();
    };
    ask(&["CONFIG", "SET", "requirepass", "another"]).await;
    ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    calls_are_quick_and_unavailable(&shelf, key).await;
    ask(&["CONFIG", "SET", "requirepass", password]).await;
    assert_eq!(recovers(&shelf, key).await, CacheAnswer::Hit(balances(1)));
}

#[tokio::test]
async fn a_redis_that_was_never_there_hinders_no_start() {
    let (proxy, url) = Proxy::in_front_of(redis_url().await).await;
    proxy.cut();
    let shelf = shelf_with(&BalanceCacheConfig {
        pause_ms: PAUSE_MS,
        timeout_ms: TIMEOUT_MS,
        ..BalanceCacheConfig::with_url(&url)
    });
    let key = key();
    calls_are_quick_and_unavailable(&shelf, key).await;
    proxy.restore();
    recovers(&shelf, key).await;
    assert_eq!(
        shelf.cache.put(key, &balances(1), shelf.now).await,
        WriteOutcome::Stored
    );
}

#[tokio::test]
async fn a_host_that_nobody_listens_on_is_unavailable() {
    // Port 1 is reserved; nothing listens there.
    let shelf = shelf_with(&BalanceCacheConfig {
        timeout_ms: TIMEOUT_MS,
        ..BalanceCacheConfig::with_url("redis://127.0.0.1:1")
    });
    calls_are_quick_and_unavailable(&shelf, key()).await;
}

/// The shared Redis, in a database that this test alone empties.
async fn url_of_own_database() -> String {
    const OWN_DATABASE: u8 = 9;
    let url = redis_url().await;
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.split('/').next().unwrap();
    format!("{scheme}://{place}/{OWN_DATABASE}")
}

#[tokio::test]
async fn after_flushall_owners_are_filled_again_and_old_leases_are_void() {
    let url = url_of_own_database().await;
    let shelf = shelf_with(&BalanceCacheConfig {
        timeout_ms: PATIENT_TIMEOUT_MS,
        ..BalanceCacheConfig::with_url(&url)
    });
    let (written, missed) = (key(), key());
    shelf.cache.put(written, &balances(7), shelf.now).await;
    let old_lease = shelf.lease(missed).await;
    let mut connection = redis::Client::open(url)
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    redis::cmd("FLUSHDB").exec_async(&mut connection).await.unwrap();

    let late = shelf.cache.fill(old_lease, &balances(1), shelf.now).await;
    assert_eq!(late, WriteOutcome::LeaseLost);
    let lease = shelf.lease(written).await;
    assert_eq!(
        shelf.cache.fill(lease, &balances(7), shelf.now).await,
        WriteOutcome::Stored
    );
    assert_eq!(shelf.seen(written).await, Some(7));
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_sent_again() {
    let shelf = shelf().await;
    let (emptied, other) = (key(), key());
    shelf.cache.put(emptied, &balances(7), shelf.now).await;
    let other_lease = shelf.lease(other).await;
    // What FLUSHALL and a restart leave of this owner; other tests share the server.
    shelf.evict(emptied).await;
    redis::cmd("SCRIPT")
        .arg("FLUSH")
        .exec_async(&mut connection().await)
        .await
        .unwrap();

    let lease = shelf.lease(emptied).await;
    let filled = shelf.cache.fill(lease, &balances(7), shelf.now).await;
    assert_eq!(filled, WriteOutcome::Stored);
    assert_eq!(shelf.seen(emptied).await, Some(7));
    let filled = shelf.cache.fill(other_lease, &balances(1), shelf.now).await;
    assert_eq!(filled, WriteOutcome::Stored, "leases of other owners live on");
}
