//! Who is named by what follows from something earlier: whom that named, wherever they are by then.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use fealty_proto::events::v1::WatchEventsRequest;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::TransactionKind as Kind;
use fealty_proto::ledger::v1::credit_points_request::Begin;
use fealty_types::ManualClock;
use tokio::time::timeout;

use super::harness::new_id;
use super::pending::{activate, activation, give, waiting};
use super::reversals::{reversal, try_reverse};
use super::sharing::{hold, join, leave, merge, open_household, release};
use super::support::Ledger;
use super::verify::assert_verified;

const PATIENCE: Duration = Duration::from_mins(1);

async fn start() -> (Ledger, ManualClock) {
    let clock = ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    (Ledger::start_at(&clock).await, clock)
}

/// A member of a household that has a hundred points.
async fn at_home(ledger: &Ledger) -> (String, String) {
    let (member, household) = (ledger.open_owner().await, open_household(ledger).await);
    join(ledger, &member, &household).await;
    ledger.give(&member, 100).await;
    (member, household)
}

async fn capture(ledger: &Ledger, hold_id: &str, value: i64) -> pb::CaptureHoldResponse {
    let request = pb::CaptureHoldRequest {
        request_id: new_id(),
        hold_id: hold_id.to_owned(),
        value,
        ..pb::CaptureHoldRequest::default()
    };
    let captured = ledger.holds().capture_hold(ledger.call(request)).await;
    captured.expect("captured").into_inner()
}

async fn hold_of(ledger: &Ledger, hold_id: &str) -> pb::Hold {
    let hold_id = hold_id.to_owned();
    let request = ledger.call(pb::GetHoldRequest { hold_id });
    let found = ledger.holds().get_hold(request).await;
    found.expect("found").into_inner().hold.expect("a hold")
}

/// Kinds of an owner's transactions and whom they name, newest first.
async fn named(ledger: &Ledger, owner: &str) -> Vec<(Kind, String)> {
    let statement = ledger.statement(owner).await;
    statement
        .into_iter()
        .map(|it| (it.kind(), it.on_behalf_of_owner_id))
        .collect()
}

/// Kinds of events about an owner and whom they name, oldest first.
async fn told(ledger: &Ledger, owner: &str, count: usize) -> Vec<(String, String)> {
    let request = WatchEventsRequest {
        subject_id: owner.to_owned(),
        ..WatchEventsRequest::default()
    };
    let watching = ledger.events().watch_events(ledger.call(request)).await;
    let mut stream = watching.expect("a stream").into_inner();
    let mut told = Vec::new();
    while told.len() < count {
        let answer = timeout(PATIENCE, stream.message()).await.expect("in time");
        for event in answer.expect("no error").expect("it goes on").events {
            let Some(Payload::TransactionPosted(posted)) = event.payload else {
                panic!("the ledger tells of transactions");
            };
            told.push((posted.kind, posted.owner_id));
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_members_hold_of_the_households_points_names_the_member() {
    let (ledger, clock) = start().await;
    let (member, household) = at_home(&ledger).await;
    let (first, second, third) = (
        hold(&ledger, &member, 30).await,
        hold(&ledger, &member, 20).await,
        hold(&ledger, &member, 10).await,
    );
    let held = hold_of(&ledger, &first).await;
    assert_eq!(
        (&held.owner_id, &held.on_behalf_of_owner_id),
        (&household, &member)
    );
    // They are gone by the time it is captured; what is held stays, and theirs it was.
    leave(&ledger, &member).await;
    let captured = capture(&ledger, &first, 25).await;
    let transaction = captured.transaction.expect("a transaction");
    assert_eq!(
        (&transaction.owner_id, &transaction.on_behalf_of_owner_id),
        (&household, &member)
    );
    assert_eq!(captured.hold.expect("a hold").on_behalf_of_owner_id, member);
    release(&ledger, second.clone()).await;
    // The last one ends by itself, and is written off when something else happens.
    clock.advance(TimeDelta::hours(1));
    ledger.give(&household, 1).await;
    for hold_id in [&first, &second, &third] {
        assert_eq!(hold_of(&ledger, hold_id).await.on_behalf_of_owner_id, member);
    }
    try_reverse(&ledger, reversal(&transaction.transaction_id, 5))
        .await
        .expect("reversed");

    let by_member = |kind| (kind, member.clone());
    let of_household = named(&ledger, &household).await;
    assert_eq!(
        of_household[..7],
        [
            by_member(Kind::Reverse),
            (Kind::Credit, String::new()),
            by_member(Kind::Release),
            by_member(Kind::Release),
            by_member(Kind::Capture),
            by_member(Kind::Hold),
            by_member(Kind::Hold),
        ]
    );
    let events = told(&ledger, &household, of_household.len()).await;
    let ends = ["hold", "capture", "release", "reverse"];
    let of_holds: Vec<_> = events
        .iter()
        .filter(|(kind, _)| ends.contains(&kind.as_str()))
        .collect();
    assert_eq!(of_holds.len(), 7);
    assert!(of_holds.iter().all(|(_, named)| *named == member), "{of_holds:?}");
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_hold_of_who_was_merged_names_them() {
    let (ledger, _) = start().await;
    let (twin, kept) = (ledger.open_owner().await, ledger.open_owner().await);
    merge(&ledger, &twin, &kept).await;
    ledger.give(&kept, 100).await;
    let (by_twin, by_kept) = (hold(&ledger, &twin, 30).await, hold(&ledger, &kept, 20).await);
    for (hold_id, named) in [(&by_twin, twin.as_str()), (&by_kept, "")] {
        let captured = capture(&ledger, hold_id, 0).await;
        let transaction = captured.transaction.expect("a transaction");
        assert_eq!(transaction.owner_id, kept);
        assert_eq!(transaction.on_behalf_of_owner_id, named);
        assert_eq!(hold_of(&ledger, hold_id).await.on_behalf_of_owner_id, named);
    }
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_begins_by_a_call_names_whom_the_credit_named() {
    let (ledger, _) = start().await;
    let (member, household) = at_home(&ledger).await;
    let on_call = |owner: &str| waiting(owner, "points", 5, Begin::BeginOnCall(true));
    let of_household = give(&ledger, on_call(&household)).await.transaction_id;
    let at_home = give(&ledger, on_call(&member)).await.transaction_id;
    leave(&ledger, &member).await;
    // Given to the member alone, and taken along to the household.
    let alone = give(&ledger, on_call(&member)).await.transaction_id;
    join(&ledger, &member, &household).await;
    for (given, named) in [
        (of_household, ""),
        (at_home, member.as_str()),
        (alone, member.as_str()),
    ] {
        let begun = activate(&ledger, activation(&given)).await.expect("it begins");
        let transaction = begun.into_inner().transaction.expect("a transaction");
        assert_eq!(transaction.owner_id, household);
        assert_eq!(transaction.on_behalf_of_owner_id, named);
    }
    let own = ledger.open_owner().await;
    let given = give(&ledger, on_call(&own)).await.transaction_id;
    let begun = activate(&ledger, activation(&given)).await.expect("it begins");
    let transaction = begun.into_inner().transaction.expect("a transaction");
    assert_eq!(
        (transaction.owner_id, transaction.on_behalf_of_owner_id),
        (own, String::new())
    );
    assert_verified(&ledger.database).await;
}
