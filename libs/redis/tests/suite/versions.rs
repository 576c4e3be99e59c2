//! A version is never replaced by an older one, whoever writes when.

use fealty_redis::{CacheAnswer, CachedBalances, WriteOutcome};
use fealty_types::Version;
use futures::future::join_all;
use rand::seq::SliceRandom;

use crate::shelf::{balances, key, shelf, version};

/// Above it a double does not tell two versions apart.
const LARGEST: i64 = (1 << 53) - 1;

#[tokio::test]
async fn a_value_comes_back_as_it_was_written() {
    let shelf = shelf().await;
    let key = key();
    for payload in [
        "",
        "{\"points\":\"9007199254740993\"}",
        "ünïcode \u{0} \r\n 'quotes\"",
        &"x".repeat(50_000),
    ] {
        let number = shelf.seen(key).await.unwrap_or(0) + 1;
        let written = CachedBalances {
            payload: payload.to_owned(),
            ..balances(number)
        };
        assert_eq!(
            shelf.cache.put(key, &written, shelf.now).await,
            WriteOutcome::Stored
        );
        assert_eq!(
            shelf.cache.get(key, Version::ZERO, shelf.now).await,
            CacheAnswer::Hit(written)
        );
    }
}

#[tokio::test]
async fn an_older_or_equal_version_changes_nothing() {
    let shelf = shelf().await;
    let key = key();
    assert_eq!(
        shelf.cache.put(key, &balances(10), shelf.now).await,
        WriteOutcome::Stored
    );
    for number in [9, 10] {
        let forged = CachedBalances {
            payload: "other".to_owned(),
            ..balances(number)
        };
        assert_eq!(
            shelf.cache.put(key, &forged, shelf.now).await,
            WriteOutcome::NotNewer
        );
    }
    let held = shelf.cache.get(key, Version::ZERO, shelf.now).await;
    assert_eq!(held, CacheAnswer::Hit(balances(10)));
}

#[tokio::test]
async fn versions_are_compared_as_numbers_up_to_the_largest() {
    let shelf = shelf().await;
    let key = key();
    for number in [9, 10, 100, LARGEST - 1, LARGEST] {
        assert_eq!(
            shelf.cache.put(key, &balances(number), shelf.now).await,
            WriteOutcome::Stored
        );
    }
    let older = shelf.cache.put(key, &balances(LARGEST - 1), shelf.now).await;
    assert_eq!(older, WriteOutcome::NotNewer);
}

#[tokio::test]
#[should_panic(expected = "versions are compared as doubles")]
async fn a_version_beyond_that_is_a_mistake() {
    let shelf = shelf().await;
    shelf.cache.put(key(), &balances(1 << 53), shelf.now).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_never_go_back_under_64_writers_in_random_order() {
    const WRITERS_COUNT: usize = 64;
    const VERSIONS_COUNT: i64 = 640;
    let shelf = shelf().await;
    let key = key();
    let mut numbers: Vec<i64> = (1..=VERSIONS_COUNT).collect();
    numbers.shuffle(&mut rand::rng());

    let is_over = std::sync::atomic::AtomicBool::new(false);
    let writers = join_all(numbers.chunks(numbers.len() / WRITERS_COUNT).map(async |chunk| {
        for number in chunk {
            let outcome = shelf.cache.put(key, &balances(*number), shelf.now).await;
            assert!(matches!(outcome, WriteOutcome::Stored | WriteOutcome::NotNewer));
        }
    }));
    let readers = join_all((0..4).map(async |_| {
        let mut newest = 0;
        while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
            match shelf.cache.get(key, Version::ZERO, shelf.now).await {
                CacheAnswer::Hit(held) => {
                    assert!(held.version.get() >= newest, "{} after {newest}", held.version);
                    assert_eq!(held.payload, balances(held.version.get()).payload);
                    newest = held.version.get();
                }
                CacheAnswer::Miss(_) => assert_eq!(newest, 0, "nothing is deleted"),
                CacheAnswer::Unavailable => panic!("redis is there"),
            }
        }
    }));
    let writers = async {
        writers.await;
        is_over.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    tokio::join!(writers, readers);
    assert_eq!(shelf.seen(key).await, Some(VERSIONS_COUNT));
}

#[tokio::test]
async fn a_reader_gets_at_least_the_version_it_asks_for() {
    let shelf = shelf().await;
    let key = key();
    shelf.cache.put(key, &balances(5), shelf.now).await;
    let answer = shelf.cache.get(key, version(5), shelf.now).await;
    assert_eq!(answer, CacheAnswer::Hit(balances(5)));
    let CacheAnswer::Miss(lease) = shelf.cache.get(key, version(6), shelf.now).await else {
        panic!("version 6 is not there");
    };
    assert_eq!(
        shelf.cache.fill(lease, &balances(6), shelf.now).await,
        WriteOutcome::Stored
    );
    assert_eq!(shelf.seen(key).await, Some(6));
}

#[tokio::test]
async fn a_fill_serves_those_who_come_after() {
    let shelf = shelf().await;
    let key = key();
    let lease = shelf.lease(key).await;
    assert_eq!(
        shelf.cache.fill(lease, &balances(3), shelf.now).await,
        WriteOutcome::Stored
    );
    assert_eq!(shelf.seen(key).await, Some(3));
}

#[tokio::test]
async fn an_evicted_version_does_not_come_back_older() {
    let shelf = shelf().await;
    let key = key();
    // A reader misses and reads version 5 from Postgres; meanwhile version 6 is written, and evicted.
    let lease = shelf.lease(key).await;
    assert_eq!(
        shelf.cache.put(key, &balances(6), shelf.now).await,
        WriteOutcome::Stored
    );
    shelf.evict(key).await;
    let late = shelf.cache.fill(lease, &balances(5), shelf.now).await;
    assert_eq!(late, WriteOutcome::LeaseLost);
    assert_eq!(shelf.seen(key).await, None);
}

#[tokio::test]
async fn a_write_that_changes_nothing_ends_the_lease_too() {
    let shelf = shelf().await;
    let key = key();
    shelf.cache.put(key, &balances(6), shelf.now).await;
    let CacheAnswer::Miss(lease) = shelf.cache.get(key, version(7), shelf.now).await else {
        panic!("version 7 is not there");
    };
    assert_eq!(
        shelf.cache.put(key, &balances(4), shelf.now).await,
        WriteOutcome::NotNewer
    );
    assert_eq!(
        shelf.cache.fill(lease, &balances(7), shelf.now).await,
        WriteOutcome::LeaseLost
    );
}

#[tokio::test]
async fn readers_who_miss_together_fill_once() {
    let shelf = shelf().await;
    let key = key();
    let (one, other) = tokio::join!(shelf.lease(key), shelf.lease(key));
    assert_eq!(
        shelf.cache.fill(one, &balances(2), shelf.now).await,
        WriteOutcome::Stored
    );
    assert_eq!(
        shelf.cache.fill(other, &balances(2), shelf.now).await,
        WriteOutcome::LeaseLost
    );
    assert_eq!(shelf.seen(key).await, Some(2));
}

#[tokio::test]
async fn owners_programs_and_timelines_are_kept_apart() {
    let shelf = shelf().await;
    let (one, other) = (key(), key());
    shelf.cache.put(one, &balances(1), shelf.now).await;
    assert_eq!(shelf.seen(other).await, None);
    let crossed = fealty_redis::BalanceKey {
        program: other.program,
        ..one
    };
    assert_eq!(shelf.seen(crossed).await, None);

    shelf.cache.use_timeline("after-the-restore");
    assert_eq!(shelf.seen(one).await, None);
    shelf.cache.use_timeline(&shelf.timeline);
    assert_eq!(shelf.seen(one).await, Some(1));
}

#[tokio::test]
async fn many_owners_are_put_at_once_and_each_keeps_its_newest() {
    let shelf = shelf().await;
    let (ahead, behind, new) = (key(), key(), key());
    shelf.cache.put(ahead, &balances(9), shelf.now).await;
    shelf.cache.put(behind, &balances(1), shelf.now).await;
    let lease = shelf.lease(new).await;
    let puts = [(ahead, balances(5)), (behind, balances(5)), (new, balances(5))];
    assert_eq!(
        shelf.cache.put_all(&puts, shelf.now).await,
        [WriteOutcome::NotNewer, WriteOutcome::Stored, WriteOutcome::Stored]
    );
    assert_eq!(
        (
            shelf.seen(ahead).await,
            shelf.seen(behind).await,
            shelf.seen(new).await
        ),
        (Some(9), Some(5), Some(5))
    );
    // It kills leases like any write.
    let fill = shelf.cache.fill(lease, &balances(6), shelf.now).await;
    assert_eq!(fill, WriteOutcome::LeaseLost);
}
