//! Owners are told of what ends soon.

use chrono::{DateTime, Utc};
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{TransactionPosted, WatchEventsRequest};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::TransactionKind as Kind;
use fealty_proto::ledger::v1::expiry_policy::Policy;
use fealty_proto::ledger::v1::lot_life::Length;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_types::ManualClock;
use futures::future::join_all;
use tokio::time::{Duration, sleep, timeout};

use super::harness::{new_id, until};
use super::messages::{after_days, life, policy};
use super::postings::assert_books;
use super::support::{Ledger, Setting, credit, days, of_unit, spend, timestamp};

const MILES: &str = "miles";

/// Longer than some passes take.
const PASSES: Duration = Duration::from_millis(400);

fn clock() -> ManualClock {
    ManualClock::new("2026-03-01T12:00:00Z".parse().expect("a time"))
}

fn telling(clock: &ManualClock) -> Setting {
    Setting {
        clock: Some(clock.clone()),
        tells: true,
        ..Setting::default()
    }
}

/// Told a week ahead.
async fn define(ledger: &Ledger, expiry_policy: pb::ExpiryPolicy) {
    let request = pb::CreateUnitRequest {
        request_id: new_id(),
        unit: Some(pb::Unit {
            unit_code: MILES.to_owned(),
            display_name: "Miles".to_owned(),
            expiry_policy: Some(expiry_policy),
            expire_notice_days: 7,
            shortfall_policy: pb::ShortfallPolicy::Waive.into(),
            ..pb::Unit::default()
        }),
    };
    ledger
        .units()
        .create_unit(ledger.call(request))
        .await
        .expect("a unit");
}

async fn give(ledger: &Ledger, owner: &str, value: i64) {
    ledger.credit(credit(owner, MILES, value)).await.expect("given");
}

/// The statement, once it has so many transactions and some passes have found nothing more to tell.
async fn told(ledger: &Ledger, owner: &str, transactions_count: usize) -> Vec<pb::Transaction> {
    until("it is told", async || {
        ledger.statement(owner).await.len() >= transactions_count
    })
    .await;
    sleep(PASSES).await;
    let statement = ledger.statement(owner).await;
    assert_eq!(statement.len(), transactions_count, "{statement:?}");
    statement
}

fn kinds(statement: &[pb::Transaction]) -> Vec<Kind> {
    statement.iter().map(pb::Transaction::kind).collect()
}

/// The owner's events so far.
async fn events(ledger: &Ledger, owner: &str, count: usize) -> Vec<TransactionPosted> {
    let request = WatchEventsRequest {
        subject_id: owner.to_owned(),
        ..WatchEventsRequest::default()
    };
    let stream = ledger.events().watch_events(ledger.call(request)).await;
    let mut stream = stream.expect("a stream").into_inner();
    let mut events = Vec::new();
    while events.len() < count {
        let answer = timeout(Duration::from_mins(1), stream.message()).await;
        let answer = answer.expect("in time").expect("an answer").expect("more");
        events.extend(answer.events.into_iter().map(|event| match event.payload {
            Some(Payload::TransactionPosted(posted)) => posted,
            other => panic!("{other:?}"),
        }));
    }
    events
}

/// What a notice tells: how many, and when they end.
fn expiring(event: &TransactionPosted) -> (i64, Option<prost_types::Timestamp>) {
    assert_eq!(event.kind, "notice");
    let expiring = event.expiring.clone().expect("what ends");
    let amount = expiring.amount.expect("an amount");
    assert_eq!(amount.unit_code, MILES);
    (amount.value, expiring.expire_time)
}

fn at(time: &str) -> prost_types::Timestamp {
    let time: DateTime<Utc> = time.parse().expect("a time");
    timestamp(time)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_end_is_told_once_so_long_ahead_and_nothing_moves() {
    let clock = clock();
    let ledger = Ledger::start_in(telling(&clock)).await;
    define(&ledger, after_days(10)).await;
    let owner = ledger.open_owner().await;
    // Stamps end, too, and their unit says nothing of telling.
    ledger.credit(credit(&owner, "stamps", 3)).await.expect("given");
    give(&ledger, &owner, 50).await;
    clock.advance(days(1));
    give(&ledger, &owner, 7).await;
    told(&ledger, &owner, 3).await;

    // A week before the first end, to the microsecond.
    clock.set("2026-03-04T23:59:59.999999Z".parse().expect("a time"));
    told(&ledger, &owner, 3).await;
    clock.set("2026-03-05T00:00:00Z".parse().expect("a time"));
    let statement = told(&ledger, &owner, 4).await;
    let notice = &statement[0];
    assert_eq!((notice.kind(), notice.version), (Kind::Notice, 4));
    assert!(notice.entries.is_empty());
    assert_eq!(notice.actor, "ledger");
    let movements: Vec<_> = notice
        .lot_movements
        .iter()
        .map(|it| (it.unit_code.as_str(), it.value, it.expire_time))
        .collect();
    assert_eq!(movements, [(MILES, 0, Some(at("2026-03-12T00:00:00Z")))]);
    let strong = Some(Requirement::Strong(true));
    let balance = ledger.balance(&owner, strong).await.expect("a balance");
    assert_eq!(of_unit(&balance, MILES).available, 57, "nothing moves");

    // What is earned with the same end later, or spent, is not told again; the next end is.
    let same_end = pb::CreditPointsRequest {
        lot_expire_time: Some(at("2026-03-12T00:00:00Z")),
        ..credit(&owner, MILES, 1)
    };
    ledger.credit(same_end).await.expect("given");
    told(&ledger, &owner, 5).await;
    clock.advance(days(1));
    told(&ledger, &owner, 6).await;
    ledger.spend(spend(&owner, MILES, 2)).await.expect("spent");
    told(&ledger, &owner, 7).await;
    let events = events(&ledger, &owner, 7).await;
    assert_eq!(expiring(&events[3]), (50, Some(at("2026-03-12T00:00:00Z"))));
    assert_eq!(expiring(&events[5]), (7, Some(at("2026-03-13T00:00:00Z"))));
    assert!(events[3].available_changes.is_empty());
    assert!(events[4].expiring.is_none());
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_moved_on_is_told_again_where_it_is_now_and_what_is_spent_is_not_told() {
    let clock = clock();
    let ledger = Ledger::start_in(telling(&clock)).await;
    define(&ledger, policy(Policy::AfterActivity(life(Length::LifeDays(10))))).await;
    let (mover, spender) = (ledger.open_owner().await, ledger.open_owner().await);
    for owner in [&mover, &spender] {
        give(&ledger, owner, 50).await;
    }
    ledger.spend(spend(&spender, MILES, 50)).await.expect("spent");
    clock.advance(days(5));
    told(&ledger, &mover, 2).await;
    give(&ledger, &mover, 5).await;
    told(&ledger, &mover, 3).await;
    clock.advance(days(5));
    let statement = told(&ledger, &mover, 4).await;
    assert_eq!(
        kinds(&statement),
        [Kind::Notice, Kind::Credit, Kind::Notice, Kind::Credit]
    );
    let events = events(&ledger, &mover, 4).await;
    assert_eq!(expiring(&events[1]), (50, Some(at("2026-03-12T00:00:00Z"))));
    assert_eq!(expiring(&events[3]), (55, Some(at("2026-03-17T00:00:00Z"))));
    told(&ledger, &spender, 2).await;
    assert_books(&ledger, &mover).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_tell_at_once_and_begin_again_tell_each_end_once() {
    let clock = clock();
    let ledger = Ledger::start_in(telling(&clock)).await;
    let replica = ledger.replica().await;
    define(&ledger, after_days(10)).await;
    let owners = join_all((0..60).map(|_| ledger.open_owner())).await;
    join_all(owners.iter().map(|owner| give(&ledger, owner, 5))).await;
    clock.advance(days(5));
    // Beside callers of the same owners.
    join_all(owners.iter().map(|owner| give(&replica, owner, 1))).await;
    let notices = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM transaction WHERE kind = 'notice' AND version IS NOT NULL")
            .fetch_one(&ledger.database.owner)
            .await
            .expect("a count")
    };
    until("all are told", async || notices().await == 60).await;
    drop(replica);
    let again = ledger.replica().await;
    sleep(PASSES).await;
    assert_eq!(notices().await, 60);
    for owner in owners.iter().take(5) {
        let statement = again.statement(owner).await;
        assert_eq!(statement.len(), 3);
        let strong = Some(Requirement::Strong(true));
        assert_eq!(again.balance(owner, strong).await.expect("a balance").version, 3);
        assert_books(&again, owner).await;
    }
}
