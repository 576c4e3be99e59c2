//! Balances as fresh as asked for, with and without Redis.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement::{self, AtLeastVersion};
use fealty_types::ManualClock;
use futures::future::join_all;
use tonic::Code;

use super::harness::{new_id, until};
use super::sharing::{join, open_household};
use super::support::{Ledger, Redis, Setting, credit, days, of_unit, refused, timestamp};

const STRONG: Option<Requirement> = Some(Requirement::Strong(true));

async fn available(ledger: &Ledger, owner: &str, requirement: Option<Requirement>) -> (i64, i64) {
    let balance = ledger.balance(owner, requirement).await.expect("a balance");
    (balance.version, of_unit(&balance, "points").available)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reads_ones_own_writes_through_every_replica() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let owner = ledger.open_owner().await;
    for value in 1..=20 {
        let version = ledger.give(&owner, 1).await;
        assert_eq!(
            available(&replica, &owner, Some(AtLeastVersion(version))).await,
            (version, value)
        );
        assert_eq!(available(&replica, &owner, STRONG).await, (version, value));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_not_written_is_out_of_range() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let version = ledger.give(&owner, 1).await;
    let status = ledger
        .balance(&owner, Some(AtLeastVersion(version + 1)))
        .await
        .expect_err("not written");
    let metadata = refused(&status, Code::OutOfRange, ErrorReason::VersionAhead);
    assert_eq!(
        (metadata["version"].as_str(), metadata["newest_version"].as_str()),
        ("2", "1")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_never_held_anything_has_no_balances_and_nobody_is_not_found() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    for consistency in [None, Some(AtLeastVersion(0)), STRONG] {
        let balance = ledger.balance(&owner, consistency).await.expect("a balance");
        assert_eq!((balance.version, balance.balances.len()), (0, 0));
        let status = ledger.balance(&new_id(), consistency).await.expect_err("nobody");
        refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_and_with_a_dead_one_everything_is_answered() {
    let absent = Setting {
        redis: Redis::Absent,
        ..Setting::default()
    };
    let dead = Setting {
        redis: Redis::At("redis://127.0.0.1:1".to_owned()),
        ..Setting::default()
    };
    for setting in [absent, dead] {
        let ledger = Ledger::start_in(setting).await;
        let owner = ledger.open_owner().await;
        for value in 1..=8 {
            let version = ledger.give(&owner, 1).await;
            assert_eq!(available(&ledger, &owner, None).await, (version, value));
            assert_eq!(
                available(&ledger, &owner, Some(AtLeastVersion(version))).await,
                (version, value)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_cache_is_filled_again_and_never_shows_less_than_asked_for() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let version = ledger.give(&owner, 5).await;
    until("the write went through to the cache", async || {
        forget(&ledger).await == 1
    })
    .await;
    assert_eq!(
        available(&ledger, &owner, Some(AtLeastVersion(version))).await,
        (version, 5)
    );
    assert_eq!(forget(&ledger).await, 1, "the read filled it");
    assert_eq!(available(&ledger, &owner, None).await, (version, 5));
}

/// Deletes what this test's ledger holds in the shared Redis; answers how many values there were.
async fn forget(ledger: &Ledger) -> usize {
    let url = ledger.config.cache.url.clone().expect("a Redis");
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("a connection");
    let pattern = format!("fealty:balance:*{}*", ledger.shop.program);
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(pattern)
        .query_async(&mut connection)
        .await
        .expect("keys");
    let values = keys.iter().filter(|key| !key.ends_with(":lease")).count();
    if !keys.is_empty() {
        redis::cmd("DEL")
            .arg(&keys)
            .exec_async(&mut connection)
            .await
            .expect("deleted");
    }
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_never_see_an_owners_versions_go_back_below_what_they_asked_for() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let owner = ledger.open_owner().await;
    let newest = std::sync::atomic::AtomicI64::new(ledger.give(&owner, 1).await);
    let write = async {
        for _ in 0..60 {
            let version = ledger.give(&owner, 1).await;
            newest.store(version, std::sync::atomic::Ordering::SeqCst);
        }
    };
    let readers = (0..6).map(|place| {
        let (ledger, owner, newest) = (if place % 2 == 0 { &ledger } else { &replica }, &owner, &newest);
        async move {
            for turn in 0..60 {
                if place == 0 && turn % 10 == 0 {
                    forget(ledger).await;
                }
                let asked = newest.load(std::sync::atomic::Ordering::SeqCst);
                let consistency = if turn % 3 == 0 {
                    STRONG
                } else {
                    Some(AtLeastVersion(asked))
                };
                let (version, value) = available(ledger, owner, consistency).await;
                assert!(version >= asked, "{version} is older than {asked}");
                assert_eq!(version, value, "balances of one version");
            }
        }
    });
    tokio::join!(write, join_all(readers));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_readers_of_one_owner_at_once_are_all_answered_without_redis() {
    let ledger = Ledger::start_in(Setting {
        redis: Redis::Absent,
        ..Setting::default()
    })
    .await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 5).await;
    let consistencies = [None, Some(AtLeastVersion(1)), STRONG];
    let calls = (0..300).map(|place| available(&ledger, &owner, consistencies[place % 3]));
    assert!(join_all(calls).await.into_iter().all(|answer| answer == (1, 5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_many_owners_at_once_share_reads_and_each_gets_their_own() {
    let ledger = Ledger::start_in(Setting {
        redis: Redis::Absent,
        ..Setting::default()
    })
    .await;
    let household = open_household(&ledger).await;
    let mut owners = Vec::new();
    for value in 1..=20_i64 {
        let owner = ledger.open_owner().await;
        ledger.give(&owner, value).await;
        owners.push((owner, value));
    }
    // Two of them use one account, which nobody asks for: it has what both brought along.
    for (owner, value) in owners.iter_mut().take(2) {
        join(&ledger, owner, &household).await;
        *value = 1 + 2;
    }
    let calls = (0..400).map(|place| {
        let (owner, value) = &owners[place % owners.len()];
        let consistency = if place % 2 == 0 { STRONG } else { None };
        let ledger = &ledger;
        async move { (available(ledger, owner, consistency).await.1, *value) }
    });
    let stranger = new_id();
    let nobody = ledger.balance(&stranger, STRONG);
    let (answers, nobody) = tokio::join!(join_all(calls), nobody);
    assert!(answers.into_iter().all(|(shown, has)| shown == has));
    assert_eq!(nobody.expect_err("there is nobody").code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn lots_come_in_pages_the_soonest_end_first_and_ended_ones_are_left_out() {
    let clock = ManualClock::new("2026-03-01T12:00:00Z".parse().expect("a time"));
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 99).await;
    for in_days in [3, 1, 2, 2] {
        let lot_expire_time = Some(timestamp(ledger.now() + days(in_days)));
        let request = pb::CreditPointsRequest {
            lot_expire_time,
            ..credit(&owner, "points", in_days)
        };
        ledger.credit(request).await.expect("credited");
    }
    ledger
        .credit(credit(&owner, "stamps", 7))
        .await
        .expect("credited");
    let lots = async |request: pb::ListLotsRequest| {
        let mut request = pb::ListLotsRequest {
            owner_id: owner.clone(),
            page_size: 2,
            ..request
        };
        let mut values = Vec::new();
        loop {
            let call = ledger.call(request.clone());
            let page = ledger
                .balances()
                .list_lots(call)
                .await
                .expect("a page")
                .into_inner();
            values.extend(page.lots.iter().map(|lot| (lot.value_left, lot.value_credited)));
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                return values;
            }
        }
    };
    let of_points = || pb::ListLotsRequest {
        unit_code: "points".to_owned(),
        ..pb::ListLotsRequest::default()
    };
    assert_eq!(lots(of_points()).await, [(1, 1), (4, 4), (3, 3), (99, 99)]);
    assert_eq!(
        lots(pb::ListLotsRequest::default()).await,
        [(1, 1), (4, 4), (3, 3), (7, 7), (99, 99)]
    );
    clock.advance(days(1));
    assert_eq!(lots(of_points()).await, [(4, 4), (3, 3), (99, 99)]);

    let unknown = pb::ListLotsRequest {
        owner_id: new_id(),
        ..pb::ListLotsRequest::default()
    };
    let status = ledger
        .balances()
        .list_lots(ledger.call(unknown))
        .await
        .expect_err("nobody");
    refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
}
