//! Time changes balances too: a value is given only while it is true.

use std::time::Duration;

use chrono::TimeDelta;
use fealty_redis::{BalanceCacheConfig, CacheAnswer, CachedBalances, WriteOutcome};
use fealty_types::Version;

use crate::shelf::{PATIENT_TIMEOUT_MS, Shelf, balances, key, redis_url, shelf, shelf_with};

fn true_for(shelf: &Shelf, delta: TimeDelta, number: i64) -> CachedBalances {
    CachedBalances {
        true_until: Some(
            chrono::DateTime::from_timestamp_millis(shelf.after(delta).timestamp_millis()).unwrap(),
        ),
        ..balances(number)
    }
}

#[tokio::test]
async fn a_value_ends_with_its_truth() {
    let shelf = shelf().await;
    let key = key();
    let short = true_for(&shelf, TimeDelta::milliseconds(300), 1);
    assert_eq!(
        shelf.cache.put(key, &short, shelf.now).await,
        WriteOutcome::Stored
    );
    tokio::time::sleep(Duration::from_millis(400)).await;
    // By the caller's clock it would still be true: Redis itself has let it go.
    assert_eq!(shelf.seen(key).await, None);
}

#[tokio::test]
async fn a_caller_whose_clock_is_past_the_end_gets_nothing() {
    let shelf = shelf().await;
    let key = key();
    let value = true_for(&shelf, TimeDelta::hours(1), 1);
    shelf.cache.put(key, &value, shelf.now).await;
    let held = shelf
        .cache
        .get(key, Version::ZERO, shelf.after(TimeDelta::minutes(59)))
        .await;
    assert_eq!(held, CacheAnswer::Hit(value));
    let past = shelf
        .cache
        .get(key, Version::ZERO, shelf.after(TimeDelta::hours(1)))
        .await;
    assert!(matches!(past, CacheAnswer::Miss(_)), "{past:?}");
}

#[tokio::test]
async fn the_same_version_worked_out_later_replaces_the_one_that_has_ended() {
    let shelf = shelf().await;
    let key = key();
    shelf
        .cache
        .put(key, &true_for(&shelf, TimeDelta::hours(1), 4), shelf.now)
        .await;
    let later = shelf.after(TimeDelta::hours(2));
    let CacheAnswer::Miss(lease) = shelf.cache.get(key, Version::ZERO, later).await else {
        panic!("it has ended");
    };
    let worked_out = true_for(&shelf, TimeDelta::hours(3), 4);
    assert_eq!(
        shelf.cache.fill(lease, &worked_out, later).await,
        WriteOutcome::Stored
    );
    assert_eq!(
        shelf.cache.get(key, Version::ZERO, later).await,
        CacheAnswer::Hit(worked_out)
    );
    let earlier = true_for(&shelf, TimeDelta::hours(1), 4);
    assert_eq!(
        shelf.cache.put(key, &earlier, shelf.now).await,
        WriteOutcome::NotNewer
    );
}

#[tokio::test]
async fn a_newer_version_that_is_true_no_longer_still_replaces_the_older() {
    let shelf = shelf().await;
    let key = key();
    shelf.cache.put(key, &balances(1), shelf.now).await;
    let ended = true_for(&shelf, TimeDelta::seconds(-1), 2);
    assert_eq!(
        shelf.cache.put(key, &ended, shelf.now).await,
        WriteOutcome::Stored
    );
    assert_eq!(shelf.seen(key).await, None);
}

#[tokio::test]
async fn a_value_does_not_outlive_the_limit() {
    let config = BalanceCacheConfig {
        ttl_max_s: 1,
        timeout_ms: PATIENT_TIMEOUT_MS,
        ..BalanceCacheConfig::with_url(redis_url().await)
    };
    let shelf = shelf_with(&config);
    let key = key();
    shelf.cache.put(key, &balances(1), shelf.now).await;
    assert_eq!(shelf.seen(key).await, Some(1));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(shelf.seen(key).await, None);
}

#[tokio::test]
async fn a_lease_ends_by_itself() {
    let config = BalanceCacheConfig {
        lease_ttl_ms: 100,
        timeout_ms: PATIENT_TIMEOUT_MS,
        ..BalanceCacheConfig::with_url(redis_url().await)
    };
    let shelf = shelf_with(&config);
    let key = key();
    let lease = shelf.lease(key).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        shelf.cache.fill(lease, &balances(1), shelf.now).await,
        WriteOutcome::LeaseLost
    );
}
