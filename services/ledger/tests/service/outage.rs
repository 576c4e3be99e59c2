//! Servers that are away: the ledger starts, says what it lacks, and comes back by itself.

use std::time::Duration;

use fealty_client::{ClientConfig, LedgerClient};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_runtime::config::Secret;
use fealty_testing::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_types::StatusExt;
use uuid::Uuid;

use super::harness::{Ledger, config, database, until};
use super::refusals::refusal;
use super::support::credit;

/// The HTTP status of a probe.
async fn probe(ledger: &Ledger, path: &str) -> u16 {
    let mut stream = TcpStream::connect(ledger.serving.admin)
        .await
        .expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: ledger\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no HTTP: {answer}"))
}

#[tokio::test]
async fn without_postgres_it_is_alive_and_not_ready_and_becomes_ready_by_itself() {
    let database = database().await;
    let mut config = config(&database).await;
    let (proxy, url) = Proxy::in_front_of(&database.urls.service).await;
    let (jobs_proxy, jobs_url) = Proxy::in_front_of(&database.urls.jobs).await;
    config.database_url = Secret::new(url);
    config.jobs_database_url = Secret::new(jobs_url);
    proxy.cut();
    jobs_proxy.cut();
    let ledger = Ledger::start_with(database, config).await;

    assert_eq!(probe(&ledger, "/livez").await, 200);
    assert_eq!(probe(&ledger, "/readyz").await, 503);
    let list = || ledger.call(pb::ListUnitsRequest::default());
    let refused = ledger.units().list_units(list()).await;
    assert_eq!(
        refusal(refused),
        (Code::Unavailable, ErrorReason::DependencyUnavailable)
    );

    proxy.restore();
    jobs_proxy.restore();
    assert!(ledger.serving.health.wait_until_ready().await);
    assert_eq!(probe(&ledger, "/readyz").await, 200);
    ledger.units().list_units(list()).await.expect("it serves");

    proxy.cut();
    until("not ready", async || probe(&ledger, "/readyz").await == 503).await;
    assert_eq!(probe(&ledger, "/livez").await, 200);
    let refused = ledger.units().list_units(list()).await;
    assert_eq!(
        refusal(refused),
        (Code::Unavailable, ErrorReason::DependencyUnavailable)
    );
    proxy.restore();
    until("ready", async || probe(&ledger, "/readyz").await == 200).await;
    ledger.units().list_units(list()).await.expect("it serves again");
    assert!(ledger.stop().await);
}

#[tokio::test]
async fn without_members_and_without_redis_it_serves_whom_it_knows() {
    let database = database().await;
    let mut config = config(&database).await;
    config.cache.url = Some("redis://127.0.0.1:1".to_owned());
    config.members.endpoint = "http://127.0.0.1:1".to_owned();
    config.members.service_key = Secret::new("fealty_nobody".to_owned());
    let ledger = Ledger::start_with(database, config).await;
    assert!(ledger.serving.health.wait_until_ready().await);
    ledger.define_points().await;
    let owner_id = ledger.open_owner().await;
    let request = pb::GetBalanceRequest {
        owner_id,
        consistency: None,
    };
    let balance = ledger
        .balances()
        .get_balance(ledger.call(request))
        .await
        .expect("from Postgres");
    assert_eq!(balance.into_inner().balance.expect("a balance").version, 0);
    assert!(ledger.stop().await);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the lock is held from outside, by nobody's rules"
)]
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_too_long_for_an_owner_is_told_to_try_again_and_a_client_does() {
    const LOCK_TIMEOUT_MS: u64 = 200;
    let database = database().await;
    let mut config = config(&database).await;
    config.pool.lock_timeout_ms = LOCK_TIMEOUT_MS;
    let ledger = Ledger::start_with(database, config).await;
    assert!(ledger.serving.health.wait_until_ready().await);
    ledger.define_points().await;
    let owner_id = ledger.open_owner().await;
    let mut held = ledger.database.owner.begin().await.expect("a transaction");
    let locked = sqlx::query("SELECT 1 FROM owner WHERE owner_id = $1 FOR UPDATE")
        .bind(owner_id.parse::<Uuid>().expect("an id"))
        .execute(&mut *held)
        .await
        .expect("locked");
    assert_eq!(locked.rows_affected(), 1);

    let request = credit(&owner_id, "points", 5);
    let answer = ledger
        .transactions()
        .credit_points(ledger.call(request.clone()))
        .await;
    let status = answer.expect_err("the owner is held");
    assert!(status.get_details_retry_info().is_some(), "{status:?}");
    assert_eq!(
        refusal::<()>(Err(status)),
        (Code::Aborted, ErrorReason::Contention)
    );

    let settings = ClientConfig::new(format!("http://{}", ledger.serving.grpc), &ledger.shop.key);
    let client = LedgerClient::try_new(&settings).expect("a client");
    let released = async {
        tokio::time::sleep(Duration::from_millis(3 * LOCK_TIMEOUT_MS)).await;
        held.rollback().await.expect("released");
    };
    let (credited, ()) = tokio::join!(client.credit_points(request), released);
    let balance = credited.expect("credited").into_message().balance;
    assert_eq!(balance.expect("a balance").version, 1, "once");
}
