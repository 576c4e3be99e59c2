//! Writes that do not reach Redis when they are committed are put there afterwards. What was there before would stay
//! for ever in these tests: nothing but the repair can replace it.

use std::time::Duration;

use fealty_proto::types::v1::consistency::Requirement;
use fealty_testing::Proxy;

use super::harness::until;
use super::support::{Ledger, credit};

/// Owners who are left in the midst of a call, each a little later than the one before.
const LEFT_COUNT: u32 = 24;

/// Waits until so many owners are in the shared Redis, and takes the time to live from all that this test's ledger holds
/// there.
async fn keep_for_ever(ledger: &Ledger, owners_count: usize) {
    let url = ledger.config.cache.url.clone().expect("a Redis");
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("a connection");
    let pattern = format!("fealty:balance:*{}*", ledger.shop.program);
    let mut keys: Vec<String> = Vec::new();
    until("the writes went through to the cache", async || {
        let found = redis::cmd("KEYS")
            .arg(&pattern)
            .query_async(&mut connection)
            .await;
        keys = found.expect("keys");
        keys.len() >= owners_count
    })
    .await;
    for key in keys {
        redis::cmd("PERSIST")
            .arg(key)
            .exec_async(&mut connection)
            .await
            .expect("kept");
    }
}

async fn shown(ledger: &Ledger, owner: &str, requirement: Option<Requirement>) -> i64 {
    let balance = ledger.balance(owner, requirement).await;
    balance.expect("a balance").version
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_while_redis_was_away_is_shown_soon_after_it_came_back() {
    let ledger = Ledger::start().await;
    let redis_url = ledger.config.cache.url.clone().expect("a Redis");
    let (proxy, url) = Proxy::in_front_of(&redis_url).await;
    let replica = ledger.replica_by_redis(&url).await;
    let (one, other) = (ledger.open_owner().await, ledger.open_owner().await);
    for owner in [&one, &other] {
        ledger.give(owner, 1).await;
    }
    keep_for_ever(&ledger, 2).await;
    proxy.cut();
    for _ in 0..5 {
        for owner in [&one, &other] {
            replica.give(owner, 1).await;
        }
    }
    assert_eq!(shown(&ledger, &one, None).await, 1, "what Redis held before");

    proxy.restore();
    for owner in [&one, &other] {
        until("repaired", async || shown(&ledger, owner, None).await == 6).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_without_an_answer_is_shown_soon() {
    let ledger = Ledger::start().await;
    let (proxy, url) = Proxy::in_front_of(&ledger.database.urls.service).await;
    let replica = ledger.replica_by_postgres(&url).await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 1).await;
    keep_for_ever(&ledger, 1).await;
    proxy.lose_answer_to(b"COMMIT\0");
    assert_eq!(replica.give(&owner, 1).await, 2);
    until("repaired", async || shown(&ledger, &owner, None).await == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_for_a_caller_who_went_away_is_shown_soon() {
    let ledger = Ledger::start().await;
    let mut owners = Vec::new();
    for _ in 0..LEFT_COUNT {
        let owner = ledger.open_owner().await;
        ledger.give(&owner, 1).await;
        owners.push(owner);
    }
    keep_for_ever(&ledger, owners.len()).await;
    for (owner, place) in owners.iter().zip(0..) {
        let call = ledger.credit(credit(owner, "points", 1));
        // Left before, in and after the commit.
        let _ = tokio::time::timeout(Duration::from_micros(500) * place, call).await;
    }
    for owner in &owners {
        until("repaired", async || {
            let newest = shown(&ledger, owner, Some(Requirement::Strong(true))).await;
            shown(&ledger, owner, None).await == newest
        })
        .await;
    }
}
