//! Servers that are away: the ledger starts, says what it lacks, and comes back by itself.

use std::time::Duration;

use fealty_client::{ClientConfig, LedgerClient};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_proto::types::v1::{Consistency, ErrorReason};
use fealty_runtime::config::Secret;
use fealty_testing::Proxy;
use futures::future::join_all;
use sqlx::{Postgres, Transaction};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Request};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_takes_too_long_is_told_as_late_and_not_as_contention() {
    let database = database().await;
    let mut config = config(&database).await;
    let (proxy, url) = Proxy::in_front_of(&database.urls.service).await;
    config.database_url = Secret::new(url);
    let ledger = Ledger::start_with(database, config).await;
    assert!(ledger.serving.health.wait_until_ready().await);
    // More than there are readers: also those who wait for one are late.
    let mut owners = Vec::new();
    for _ in 0..12 {
        owners.push(ledger.open_owner().await);
    }
    let read = async |owner: &String| {
        let strong = pb::GetBalanceRequest {
            owner_id: owner.clone(),
            consistency: Some(Consistency {
                requirement: Some(Requirement::Strong(true)),
            }),
            ..pb::GetBalanceRequest::default()
        };
        ledger.balances().get_balance(ledger.call(strong)).await
    };
    // The connections of all readers are made before Postgres hangs.
    for answer in join_all(owners.iter().map(&read)).await {
        answer.expect("read");
    }
    proxy.freeze();
    for answer in join_all(owners.iter().map(&read)).await {
        assert_eq!(
            refusal(answer),
            (Code::DeadlineExceeded, ErrorReason::DeadlineExceeded)
        );
    }
    proxy.restore();
    until("it is read again", async || read(&owners[0]).await.is_ok()).await;
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

/// Who waits for somebody's lock, and since when: what each attempt to look saw.
#[derive(Debug, Default)]
struct Waits {
    /// Backends, at the last look.
    count: i64,
    /// The longest wait that was seen, by Postgres's clock.
    longest_ms: i64,
}

impl Waits {
    /// Looks who waits for what is locked here. Who looks is not idle, and so keeps the lock.
    async fn look(&mut self, held: &mut Transaction<'_, Postgres>) {
        let (count, longest_ms): (i64, i64) = sqlx::query_as(
            "SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - w.waitstart) * 1000), 0)::bigint \
             FROM pg_locks w \
             WHERE NOT w.granted AND w.transactionid IN \
                   (SELECT transactionid FROM pg_locks WHERE pid = pg_backend_pid() AND transactionid IS NOT NULL)",
        )
        .fetch_one(&mut **held)
        .await
        .expect("counted");
        self.count = count;
        self.longest_ms = self.longest_ms.max(longest_ms);
    }

    fn any(&self) -> bool {
        self.longest_ms > 0
    }
}

/// A call that needs the row of the program.
fn defining(ledger: &Ledger) -> Request<pb::CreateUnitRequest> {
    ledger.call(pb::CreateUnitRequest {
        request_id: Uuid::now_v7().to_string(),
        unit: Some(pb::Unit {
            unit_code: "points".to_owned(),
            display_name: "Points".to_owned(),
            shortfall_policy: pb::ShortfallPolicy::Waive.into(),
            ..pb::Unit::default()
        }),
    })
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "somebody else's transaction, which the call waits for"
)]
async fn a_caller_whose_time_is_up_leaves_nobody_waiting_in_postgres() {
    const DEADLINE_MS: u64 = 500;
    const LOOK_EVERY: Duration = Duration::from_millis(10);
    /// Well before the two seconds after which the transaction would be ended whoever waits for it.
    const WAIT_MAX_MS: i64 = 1_500;
    /// On a busy machine a caller's time may be up before Postgres has heard of them.
    const CALLERS_MAX: usize = 40;
    let database = database().await;
    let mut config = config(&database).await;
    config.pool.lock_timeout_ms = 20_000;
    config.server.deadline_default_ms = DEADLINE_MS;
    let ledger = Ledger::start_with(database, config).await;
    assert!(ledger.serving.health.wait_until_ready().await);
    let mut held = ledger.database.owner.begin().await.expect("a transaction");
    sqlx::query("SELECT 1 FROM program FOR UPDATE")
        .execute(&mut *held)
        .await
        .expect("locked");

    let mut waits = Waits::default();
    for _ in 0..CALLERS_MAX {
        let mut units = ledger.units();
        let call = units.create_unit(defining(&ledger));
        tokio::pin!(call);
        let late = loop {
            match tokio::time::timeout(LOOK_EVERY, &mut call).await {
                Ok(late) => break late,
                Err(_) => waits.look(&mut held).await,
            }
        };
        assert_eq!(
            late.expect_err("the program is held").code(),
            Code::DeadlineExceeded
        );
        if waits.any() {
            break;
        }
    }
    assert!(waits.any(), "nobody's call ever got to Postgres in time");
    until("nobody waits", async || {
        waits.look(&mut held).await;
        waits.count == 0
    })
    .await;
    assert!(waits.longest_ms < WAIT_MAX_MS, "{waits:?}");
    held.rollback().await.expect("released");
    assert!(ledger.stop().await);
}
