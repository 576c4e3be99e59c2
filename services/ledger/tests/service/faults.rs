//! Postgres and Redis go away, hang and come back.

use std::time::{Duration, Instant};

use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_testing::Proxy;
use tonic::Code;

use super::harness::is_replayed;
use super::support::{Ledger, credit, of_unit, refused, spend};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_commit_is_no_second_effect_and_no_error() {
    let ledger = Ledger::start().await;
    let (proxy, url) = Proxy::in_front_of(&ledger.database.urls.service).await;
    let replica = ledger.replica_by_postgres(&url).await;
    let owner = ledger.open_owner().await;
    proxy.lose_answer_to(b"COMMIT\0");
    let credited = replica
        .credit(credit(&owner, "points", 50))
        .await
        .expect("credited")
        .into_inner();
    assert_eq!(credited.balance.expect("a balance").version, 1);
    assert_eq!(ledger.statement(&owner).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_finds_no_postgres_can_be_sent_again() {
    let ledger = Ledger::start().await;
    let (proxy, url) = Proxy::in_front_of(&ledger.database.urls.service).await;
    let replica = ledger.replica_by_postgres(&url).await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 50).await;
    // Whoever reads puts into Redis what is not there yet.
    replica.balance(&owner, None).await.expect("a balance");
    let request = spend(&owner, "points", 20);
    proxy.cut();
    let status = replica.spend(request.clone()).await.expect_err("no Postgres");
    let metadata = refused(&status, Code::Unavailable, ErrorReason::DependencyUnavailable);
    assert_eq!(metadata["dependency"], "postgres");
    // What is in Redis is still told to who does not ask for more.
    let balance = replica.balance(&owner, None).await.expect("from Redis");
    assert_eq!(of_unit(&balance, "points").available, 50);

    proxy.restore();
    let spent = replica.spend(request.clone()).await.expect("spent");
    assert!(!is_replayed(&spent));
    let again = ledger.spend(request).await.expect("the same answer");
    assert!(is_replayed(&again));
    assert_eq!(spent.into_inner(), again.into_inner());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_costs_little_and_a_late_one_shows_nothing_old() {
    let ledger = Ledger::start().await;
    let redis_url = ledger.config.cache.url.clone().expect("a Redis");
    let (proxy, url) = Proxy::in_front_of(&redis_url).await;
    let replica = ledger.replica_by_redis(&url).await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 1).await;
    proxy.freeze();
    let started = Instant::now();
    for value in 2..=20 {
        let credited = replica
            .credit(credit(&owner, "points", 1))
            .await
            .expect("credited")
            .into_inner();
        assert_eq!(credited.balance.expect("a balance").version, value);
        let requirement = Some(Requirement::AtLeastVersion(value));
        let balance = replica.balance(&owner, requirement).await.expect("a balance");
        assert_eq!(
            (balance.version, of_unit(&balance, "points").available),
            (value, value)
        );
    }
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "took {:?}",
        started.elapsed()
    );

    proxy.restore();
    let requirement = Some(Requirement::AtLeastVersion(20));
    let balance = ledger.balance(&owner, requirement).await.expect("a balance");
    assert_eq!((balance.version, of_unit(&balance, "points").available), (20, 20));
}
