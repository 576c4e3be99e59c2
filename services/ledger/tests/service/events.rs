//! The ledger's transactions as its events.

use std::time::Duration;

use fealty_client::{ClientConfig, EventStream, EventsClient};
use fealty_proto::access::v1::Scope;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{Event, EventType, TransactionPosted, WatchEventsRequest};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::Amount;
use fealty_rpc::access::ApiKeySecret;
use fealty_types::{ApiKeyId, SystemClock};
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Transaction};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::harness::{Ledger, config, database, new_id, plant_key, plant_program};
use super::messages::{pounds, purchase_of, refund_of};
use super::support::{credit, spend};

/// Longest wait for events: a machine that runs all tests at once is slow, and their transactions hold each other up.
const PATIENCE: Duration = Duration::from_mins(1);

fn client(ledger: &Ledger, key: &str) -> EventsClient {
    let config = ClientConfig::new(format!("http://{}", ledger.serving.grpc), key);
    EventsClient::try_new(&config).expect("a client")
}

fn everything() -> WatchEventsRequest {
    WatchEventsRequest::default()
}

fn of_owner(owner_id: &str) -> WatchEventsRequest {
    WatchEventsRequest {
        subject_id: owner_id.to_owned(),
        ..everything()
    }
}

async fn take(stream: &mut EventStream, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        let answer = timeout(PATIENCE, stream.next()).await.expect("in time");
        events.extend(answer.expect("an answer").events);
    }
    events
}

fn posted(event: &Event) -> &TransactionPosted {
    match &event.payload {
        Some(Payload::TransactionPosted(posted)) => posted,
        other => panic!("{other:?}"),
    }
}

fn points(value: i64) -> Vec<Amount> {
    vec![Amount {
        unit_code: "points".to_owned(),
        value,
    }]
}

async fn shop() -> (Ledger, String) {
    let ledger = Ledger::start().await;
    ledger.define_points().await;
    ledger.define_cashback("points", "0.01").await;
    let owner_id = ledger.open_owner().await;
    (ledger, owner_id)
}

async fn give(ledger: &Ledger, owner_id: &str, value: i64) {
    ledger
        .transactions()
        .credit_points(ledger.call(credit(owner_id, "points", value)))
        .await
        .expect("credited");
}

#[tokio::test]
async fn every_transaction_is_an_event_of_its_owner_and_a_refusal_is_none() {
    let (ledger, owner_id) = shop().await;
    let bought = ledger.buy(purchase_of(&owner_id, 500_000)).await.unwrap();
    let purchase = bought.purchase.expect("a purchase");
    give(&ledger, &owner_id, 70).await;
    let mut transactions = ledger.transactions();
    transactions
        .spend_points(ledger.call(spend(&owner_id, "points", 30)))
        .await
        .unwrap();
    transactions
        .spend_points(ledger.call(spend(&owner_id, "points", 1_000_000)))
        .await
        .expect_err("more than there is");
    ledger
        .refund(refund_of(&purchase.purchase_id, 100_000))
        .await
        .unwrap();

    let mut stream = client(&ledger, &ledger.shop.key).watch(everything());
    let events = take(&mut stream, 4).await;
    let kinds: Vec<&str> = events.iter().map(|event| posted(event).kind.as_str()).collect();
    assert_eq!(kinds, ["purchase", "credit", "spend", "refund"]);
    let versions: Vec<i64> = events.iter().map(|event| event.version).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
    for event in &events {
        assert_eq!(event.program_id, ledger.shop.program.to_string());
        assert_eq!(event.subject_id, owner_id);
        assert_eq!(event.event_type(), EventType::TransactionPosted);
        assert_eq!(event.event_id, posted(event).transaction_id);
        assert_eq!(posted(event).owner_id, owner_id);
        assert!(event.occur_time.is_some() && event.record_time.is_some());
    }
    let (bought, given, spent, back) = (&events[0], &events[1], &events[2], &events[3]);
    assert_eq!(posted(bought).available_changes, points(50));
    assert_eq!(posted(bought).money, Some(pounds(500_000)));
    assert_eq!(posted(bought).purchase_id, purchase.purchase_id);
    assert_eq!(posted(bought).receipt_id, purchase.receipt_id);
    assert_eq!(posted(given).available_changes, points(70));
    assert_eq!(posted(given).money, None);
    assert_eq!(posted(spent).available_changes, points(-30));
    assert_eq!(posted(back).available_changes, points(-10));
    assert_eq!(posted(back).purchase_id, purchase.purchase_id);
}

#[tokio::test]
async fn watching_a_balance_is_watching_its_owner_whichever_replica_posts() {
    let (ledger, owner_id) = shop().await;
    let other_owner = ledger.open_owner().await;
    // A replica on the same database, which hears nothing of this one's wakes. The other database is only its harness's.
    let replica = Ledger::start_with(database().await, config(&ledger.database).await).await;
    assert!(replica.serving.health.wait_until_ready().await);
    let mut watched = client(&replica, &ledger.shop.key).watch(of_owner(&owner_id));
    for value in 1..=5 {
        give(&ledger, &other_owner, value).await;
        give(&ledger, &owner_id, value).await;
        let event = take(&mut watched, 1).await.remove(0);
        assert_eq!(
            (event.version, event.subject_id.as_str()),
            (value, owner_id.as_str())
        );
        assert_eq!(posted(&event).available_changes, points(value));
    }
}

#[tokio::test]
async fn a_program_sees_its_own_events_and_the_suite_all() {
    let (ledger, owner_id) = shop().await;
    give(&ledger, &owner_id, 5).await;
    let stranger = plant_program(&ledger.database, "UTC", "GBP").await;
    // The same owner's id in another program, from now on.
    let mut request = stranger.call(pb::OpenOwnerRequest {
        request_id: new_id(),
        owner_id: owner_id.clone(),
        kind: pb::OwnerKind::Member.into(),
    });
    request.set_timeout(PATIENCE);
    ledger.owners().open_owner(request).await.unwrap();
    for request in [everything(), of_owner(&owner_id)] {
        let mut foreign = client(&ledger, &stranger.key).watch(request);
        let nothing = timeout(Duration::from_secs(2), take(&mut foreign, 1)).await;
        assert!(nothing.is_err(), "a stranger was shown an event");
    }
    let suite = client(&ledger, &plant_suite_key(&ledger.database.jobs).await);
    let all = take(&mut suite.watch(everything()), 1).await;
    assert_eq!(all[0].program_id, ledger.shop.program.to_string());
    let mut of_stranger = suite.for_program(stranger.program).watch(everything());
    let nothing = timeout(Duration::from_secs(1), take(&mut of_stranger, 1)).await;
    assert!(nothing.is_err(), "a program was shown another's event");
    // A key without the scope follows nothing.
    let key = plant_key(&ledger.database, ledger.shop.program, &[Scope::LedgerRead]).await;
    let mut unscoped = client(&ledger, &key).watch(everything());
    let refused = unscoped.next().await.expect_err("no scope");
    assert_eq!(refused.code, tonic::Code::PermissionDenied);
}

/// A key of the whole suite.
async fn plant_suite_key(jobs: &PgPool) -> String {
    let key = ApiKeySecret::generate(&mut rand::rng());
    sqlx::query(
        "INSERT INTO api_key (program, api_key_id, short_id, secret_sha256, scopes, sequence) \
         VALUES ($1, $2, $3, $4, $5, 1)",
    )
    .bind(Uuid::nil())
    .bind(ApiKeyId::generate(&SystemClock).as_uuid())
    .bind(key.short_id())
    .bind(key.secret_sha256().to_vec())
    .bind(vec![i32::from(Scope::EventsRead)])
    .execute(jobs)
    .await
    .expect("a key");
    key.expose().to_owned()
}

/// A transaction that a test ends when it likes.
#[expect(
    clippy::disallowed_methods,
    reason = "this test needs a transaction that stays open beside the ledger's own"
)]
async fn begin(pool: &PgPool) -> Transaction<'static, Postgres> {
    pool.begin().await.expect("a transaction")
}

#[tokio::test]
async fn a_posting_that_began_early_and_commits_late_is_not_skipped() {
    let (ledger, owner_id) = shop().await;
    let late_owner = ledger.open_owner().await;
    give(&ledger, &owner_id, 1).await;
    let mut stream = client(&ledger, &ledger.shop.key).watch(everything());
    take(&mut stream, 1).await;

    // As a replica would write it that takes its time: the row of a posting, under an id of before the next one.
    let mut early = begin(&ledger.database.owner).await;
    sqlx::query(
        "INSERT INTO transaction SELECT (new).* FROM ( \
           SELECT jsonb_populate_record(NULL::transaction, to_jsonb(t) || jsonb_build_object( \
             'transaction_id', $2::uuid, 'request_id', $2::uuid, 'owner_id', $3::uuid, 'version', 1, \
             'feed_xid', pg_current_xact_id()::text)) AS new \
           FROM transaction t WHERE t.owner_id = $1) AS made",
    )
    .bind(Uuid::parse_str(&owner_id).unwrap())
    .bind(Uuid::now_v7())
    .bind(Uuid::parse_str(&late_owner).unwrap())
    .execute(&mut *early)
    .await
    .unwrap();
    give(&ledger, &owner_id, 2).await;
    // Committed, and not shown: something may still come before it.
    let nothing = timeout(Duration::from_millis(500), take(&mut stream, 1)).await;
    assert!(nothing.is_err(), "the late one was overtaken");
    early.commit().await.unwrap();
    let events = take(&mut stream, 2).await;
    let subjects: Vec<&str> = events.iter().map(|event| event.subject_id.as_str()).collect();
    assert_eq!(subjects, [late_owner.as_str(), owner_id.as_str()]);
}

#[tokio::test]
async fn an_owners_transactions_never_go_back_in_the_feed() {
    let (ledger, owner_id) = shop().await;
    let owner = Uuid::parse_str(&owner_id).unwrap();
    give(&ledger, &owner_id, 1).await;
    // As after a posting with a larger id than the next one has: one that got its id late, and the owner's lock first.
    let ahead: i64 = sqlx::query_scalar(
        "UPDATE owner SET feed_xid = (pg_current_xact_id()::text::bigint + 100000)::text::xid8 WHERE owner_id = $1 \
         RETURNING feed_xid::text::bigint",
    )
    .bind(owner)
    .fetch_one(&ledger.database.owner)
    .await
    .unwrap();
    give(&ledger, &owner_id, 2).await;
    let other_id = ledger.open_owner().await;
    give(&ledger, &other_id, 3).await;
    let places: Vec<(Uuid, i64, i64)> = sqlx::query_as(
        "SELECT owner_id, version, feed_xid::text::bigint FROM transaction ORDER BY feed_xid, owner_id, version",
    )
    .fetch_all(&ledger.database.owner)
    .await
    .unwrap();
    let of_owner: Vec<(i64, i64)> = places
        .iter()
        .filter(|(owner_id, ..)| *owner_id == owner)
        .map(|(_, version, feed_xid)| (*version, *feed_xid))
        .collect();
    assert_eq!(of_owner.len(), 2);
    assert!(of_owner[0].0 == 1 && of_owner[0].1 < ahead);
    assert_eq!(of_owner[1], (2, ahead), "not before the owner's last");
    assert!(
        places
            .iter()
            .any(|(owner_id, _, feed_xid)| *owner_id != owner && *feed_xid < ahead),
        "others are not held up"
    );
}

#[tokio::test]
async fn streams_take_no_calls_place_and_end_with_the_process() {
    let database = database().await;
    let mut narrow = config(&database).await;
    narrow.server.calls_in_flight_max = 1;
    narrow.server.streams_max = 3;
    let ledger = Ledger::start_with(database, narrow).await;
    assert!(ledger.serving.health.wait_until_ready().await);
    ledger.define_points().await;
    let owner_id = ledger.open_owner().await;
    give(&ledger, &owner_id, 1).await;
    let client = client(&ledger, &ledger.shop.key);
    let mut streams: Vec<EventStream> = (0..3).map(|_| client.watch(everything())).collect();
    for stream in &mut streams {
        take(stream, 1).await;
    }
    // Three are open, and the one place of calls is free.
    give(&ledger, &owner_id, 2).await;
    for stream in &mut streams {
        assert_eq!(take(stream, 1).await[0].version, 2);
    }
    sleep(Duration::from_millis(50)).await;
    assert!(ledger.stop().await, "streams hold up no end");
}
