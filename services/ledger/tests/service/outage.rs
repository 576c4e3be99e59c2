//! Servers that are away: the ledger starts, says what it lacks, and comes back by itself.

use std::time::{Duration, Instant};

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
        ..pb::GetBalanceRequest::default()
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

/// Backends of this database that wait for somebody's lock.
async fn waiting_count(ledger: &Ledger) -> i64 {
    sqlx::query_scalar(
        "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) \
         WHERE datname = current_database() AND NOT granted",
    )
    .fetch_one(&ledger.database.owner)
    .await
    .expect("counted")
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "somebody else's transaction, which the call waits for"
)]
async fn a_caller_whose_time_is_up_leaves_nobody_waiting_in_postgres() {
    /// Well before the two seconds after which the transaction would be ended whoever waits for it.
    const LEFT_WITHIN: Duration = Duration::from_millis(800);
    let database = database().await;
    let mut config = config(&database).await;
    config.pool.lock_timeout_ms = 20_000;
    config.server.deadline_default_ms = 500;
    let ledger = Ledger::start_with(database, config).await;
    assert!(ledger.serving.health.wait_until_ready().await);
    let mut held = ledger.database.owner.begin().await.expect("a transaction");
    sqlx::query("SELECT 1 FROM program FOR UPDATE")
        .execute(&mut *held)
        .await
        .expect("locked");

    let request = ledger.call(pb::CreateUnitRequest {
        request_id: Uuid::now_v7().to_string(),
        unit: Some(pb::Unit {
            unit_code: "points".to_owned(),
            display_name: "Points".to_owned(),
            shortfall_policy: pb::ShortfallPolicy::Waive.into(),
            ..pb::Unit::default()
        }),
    });
    let mut units = ledger.units();
    let waited = async {
        until("it waits", async || waiting_count(&ledger).await == 1).await;
    };
    let (late, ()) = tokio::join!(units.create_unit(request), waited);
    assert_eq!(
        late.expect_err("the program is held").code(),
        Code::DeadlineExceeded
    );
    let answered = Instant::now();
    until("nobody waits", async || waiting_count(&ledger).await == 0).await;
    assert!(answered.elapsed() < LEFT_WITHIN, "{:?}", answered.elapsed());
    held.rollback().await.expect("released");
    assert!(ledger.stop().await);
}
