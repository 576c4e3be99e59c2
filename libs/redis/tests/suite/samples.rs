//! Whoever checks the cache sees what is held, and puts right what is wrong without going back in time.

use fealty_redis::{BalanceKey, CacheAnswer, CachedBalances, Seen, Walk, WriteOutcome};
use fealty_types::Version;

use crate::shelf::{Shelf, balances, connection, key, shelf, version};

/// More rounds than all keys of all tests need.
const ROUNDS_MAX: usize = 2_000;

/// Walks on until it has come to the owner.
async fn see(shelf: &Shelf, key: BalanceKey) -> Seen {
    let mut walk = Walk::default();
    for _ in 0..ROUNDS_MAX {
        let seen = shelf.cache.sample(&mut walk, 10).await.expect("redis is there");
        assert!(seen.len() <= 200, "a look is bounded");
        if let Some(seen) = seen.into_iter().find(|seen| seen.key == key) {
            return seen;
        }
    }
    panic!("never seen");
}

fn name(shelf: &Shelf, key: BalanceKey) -> String {
    format!(
        "fealty:balance:{}:{{{}:{}}}",
        shelf.timeline, key.program, key.owner
    )
}

/// What somebody else wrote there.
async fn forge(shelf: &Shelf, key: BalanceKey, fields: [(&str, &str); 3]) {
    let mut connection = connection().await;
    let name = name(shelf, key);
    redis::pipe()
        .del(&name)
        .hset_multiple(&name, &fields)
        .exec_async(&mut connection)
        .await
        .unwrap();
}

fn other(number: i64) -> CachedBalances {
    CachedBalances {
        payload: "other".to_owned(),
        ..balances(number)
    }
}

#[tokio::test]
async fn what_is_held_is_seen_and_other_timelines_and_leases_are_not() {
    let shelf = shelf().await;
    let (held, missing) = (key(), key());
    shelf.cache.put(held, &balances(3), shelf.now).await;
    shelf.lease(missing).await;
    let seen = see(&shelf, held).await;
    assert_eq!(seen.balances, Some(balances(3)));
    shelf.cache.use_timeline("another");
    let mut walk = Walk::default();
    for _ in 0..ROUNDS_MAX {
        let seen = shelf.cache.sample(&mut walk, 10).await.expect("redis is there");
        assert_eq!(seen, []);
        if walk == Walk::default() {
            return;
        }
    }
    panic!("the walk never comes round");
}

#[tokio::test]
async fn what_was_seen_wrong_is_replaced_by_the_same_and_by_an_older_version() {
    let shelf = shelf().await;
    for right in [9, 4] {
        let key = key();
        shelf.cache.put(key, &other(9), shelf.now).await;
        let seen = see(&shelf, key).await;
        let outcome = shelf
            .cache
            .put_right(&seen, Some(&balances(right)), shelf.now)
            .await;
        assert_eq!(outcome, WriteOutcome::Stored);
        let held = shelf.cache.get(key, Version::ZERO, shelf.now).await;
        assert_eq!(held, CacheAnswer::Hit(balances(right)));
    }
}

#[tokio::test]
async fn what_was_written_since_is_replaced_by_something_newer_only() {
    let shelf = shelf().await;
    let key = key();
    shelf.cache.put(key, &other(9), shelf.now).await;
    let seen = see(&shelf, key).await;
    shelf.cache.put(key, &balances(10), shelf.now).await;
    let put_right = async |number| {
        let right = balances(number);
        shelf.cache.put_right(&seen, Some(&right), shelf.now).await
    };
    assert_eq!(put_right(9).await, WriteOutcome::NotNewer);
    assert_eq!(put_right(10).await, WriteOutcome::NotNewer);
    assert_eq!(shelf.seen(key).await, Some(10));
    assert_eq!(put_right(11).await, WriteOutcome::Stored);
    let nobody = shelf.cache.put_right(&seen, None, shelf.now).await;
    assert_eq!(nobody, WriteOutcome::NotNewer);
    assert_eq!(shelf.seen(key).await, Some(11));
}

#[tokio::test]
async fn what_nobody_has_is_taken_away_with_its_lease() {
    let shelf = shelf().await;
    let key = key();
    shelf.cache.put(key, &other(9), shelf.now).await;
    let seen = see(&shelf, key).await;
    let CacheAnswer::Miss(lease) = shelf.cache.get(key, version(10), shelf.now).await else {
        panic!("it is not there");
    };
    let outcome = shelf.cache.put_right(&seen, None, shelf.now).await;
    assert_eq!(outcome, WriteOutcome::Stored);
    assert_eq!(shelf.seen(key).await, None);
    let late = shelf.cache.fill(lease, &balances(8), shelf.now).await;
    assert_eq!(late, WriteOutcome::LeaseLost);
}

#[tokio::test]
async fn what_is_none_of_ours_is_a_miss_and_makes_room() {
    let shelf = shelf().await;
    let never = "9007199254740991";
    for fields in [
        [("version", "seven"), ("true_until", never), ("payload", "x")],
        [("version", "7"), ("true_until", "soon"), ("payload", "x")],
        [("something", "7"), ("else", never), ("altogether", "x")],
    ] {
        let (filled, put, checked) = (key(), key(), key());
        for key in [filled, put, checked] {
            forge(&shelf, key, fields).await;
            assert_eq!(shelf.seen(key).await, None);
        }
        let lease = shelf.lease(filled).await;
        let fill = shelf.cache.fill(lease, &balances(2), shelf.now).await;
        assert_eq!(fill, WriteOutcome::Stored);
        let outcome = shelf.cache.put(put, &balances(2), shelf.now).await;
        assert_eq!(outcome, WriteOutcome::Stored);
        let seen = see(&shelf, checked).await;
        assert_eq!(seen.balances, None);
        let outcome = shelf.cache.put_right(&seen, Some(&balances(2)), shelf.now).await;
        assert_eq!(outcome, WriteOutcome::Stored);
        for key in [filled, put, checked] {
            assert_eq!(shelf.seen(key).await, Some(2));
        }
    }
}

#[tokio::test]
async fn a_name_that_holds_something_else_altogether_is_a_miss_and_makes_room() {
    let shelf = shelf().await;
    let key = key();
    redis::cmd("SET")
        .arg(name(&shelf, key))
        .arg("a text")
        .exec_async(&mut connection().await)
        .await
        .unwrap();
    assert_eq!(shelf.seen(key).await, None);
    let seen = see(&shelf, key).await;
    assert_eq!(seen.balances, None);
    let outcome = shelf.cache.put(key, &balances(2), shelf.now).await;
    assert_eq!(outcome, WriteOutcome::Stored);
    assert_eq!(shelf.seen(key).await, Some(2));
}
