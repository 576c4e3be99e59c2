//! Reversals in one commit with what they have to know of: calls before them, and what time has done by itself.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::credit_points_request::Begin;
use fealty_proto::ledger::v1::points_posting::Posting;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::reason_of;
use fealty_types::ManualClock;
use futures::future::BoxFuture;
use tokio::task::JoinHandle;
use tonic::Status;

use super::super::lanes::{HeldUp, one_lane};
use super::super::sharing::{join, open_household, points_of};
use super::super::support::{Ledger, credit, days, spend, timestamp, transfer};
use super::super::verify::assert_verified;
use super::{reversal, reverse, take};

/// Calls that wait in one lane at the most; more than a test has.
const QUEUE_CALLS_MAX: usize = 100;

/// Longest that a call needs to get into its lane: so much later comes the next.
const ARRIVED_WITHIN: Duration = Duration::from_millis(200);

/// What came of a call.
type Answer = Result<(), Status>;

/// Lots that one owner may have open.
const OPEN_LOTS_MAX: usize = 500;

fn reversing(ledger: &Ledger, transaction_id: &str, value: i64) -> BoxFuture<'static, Answer> {
    let (mut client, request) = (
        ledger.transactions(),
        ledger.call(reversal(transaction_id, value)),
    );
    Box::pin(async move { client.reverse_transaction(request).await.map(drop) })
}

fn spending(ledger: &Ledger, owner: &str, value: i64) -> BoxFuture<'static, Answer> {
    let (mut client, request) = (ledger.transactions(), ledger.call(spend(owner, "points", value)));
    Box::pin(async move { client.spend_points(request).await.map(drop) })
}

fn sending(ledger: &Ledger, request: pb::TransferPointsRequest) -> BoxFuture<'static, Answer> {
    let (mut client, request) = (ledger.transactions(), ledger.call(request));
    Box::pin(async move { client.transfer_points(request).await.map(drop) })
}

/// Has all of them wait in the lane, in their order, and then decided together.
async fn together(ledger: &Ledger, calls: Vec<BoxFuture<'static, Answer>>) -> Vec<Answer> {
    let held_up = HeldUp::lane(ledger).await;
    let mut waiting: Vec<JoinHandle<Answer>> = Vec::new();
    for call in calls {
        waiting.push(tokio::spawn(call));
        tokio::time::sleep(ARRIVED_WITHIN).await;
    }
    held_up.let_go().await;
    let mut answers = Vec::new();
    for call in waiting {
        answers.push(call.await.expect("no panic"));
    }
    answers
}

fn reasons(answers: &[Answer]) -> Vec<Option<ErrorReason>> {
    let told = answers.iter();
    told.map(|answer| answer.as_ref().err().and_then(reason_of))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_of_the_same_commit_is_no_less_there_and_no_more_reversible_than_one_of_before() {
    let ledger = one_lane(QUEUE_CALLS_MAX).await;
    let (one, other) = (ledger.open_owner().await, ledger.open_owner().await);
    ledger.give(&one, 50).await;
    let sent = transfer(&one, &other, 20);
    let transaction_id = sent.request_id.clone();
    let answers = together(
        &ledger,
        vec![sending(&ledger, sent), reversing(&ledger, &transaction_id, 5)],
    )
    .await;
    let expected = [None, Some(ErrorReason::TransactionNotReversible)];
    assert_eq!(reasons(&answers), expected);
    assert_eq!(points_of(&ledger, &one).await, 30);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_transfer_of_the_same_commit_brought_to_a_lot_and_took_from_it_is_counted() {
    let ledger = one_lane(QUEUE_CALLS_MAX).await;
    let (one, other) = (ledger.open_owner().await, ledger.open_owner().await);
    ledger.give(&one, 10).await;
    ledger.give(&other, 7).await;
    let spent = take(&ledger, &one, "points", 4).await;
    // All lie in the lot that never ends.
    let answers = together(
        &ledger,
        vec![
            sending(&ledger, transfer(&other, &one, 7)),
            sending(&ledger, transfer(&one, &other, 13)),
            reversing(&ledger, &spent, 0),
        ],
    )
    .await;
    assert_eq!(reasons(&answers), [None, None, None]);
    assert_eq!(points_of(&ledger, &one).await, 4);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_back_to_anothers_lot_in_parts_is_counted_together() {
    let ledger = one_lane(QUEUE_CALLS_MAX).await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    ledger.give(&member, 10).await;
    let spent = take(&ledger, &member, "points", 10).await;
    join(&ledger, &member, &household).await;
    // To the household nothing of that lot ever came.
    let answers = together(
        &ledger,
        vec![
            reversing(&ledger, &spent, 4),
            spending(&ledger, &member, 4),
            reversing(&ledger, &spent, 6),
        ],
    )
    .await;
    assert_eq!(reasons(&answers), [None, None, None]);
    assert_eq!(points_of(&ledger, &household).await, 6);
    assert_verified(&ledger.database).await;
}

fn ending(owner: &str, end: DateTime<Utc>) -> pb::CreditPointsRequest {
    pb::CreditPointsRequest {
        lot_expire_time: Some(timestamp(end)),
        ..credit(owner, "points", 1)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_time_did_to_lots_before_a_reversal_is_counted() {
    let clock = ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    // Three lots whose ends lie closest together, of which the one in the middle is spent from; and as many others as there
    // may be.
    let soon = ledger.now() + days(10);
    let given = pb::CreditPointsRequest {
        lot_expire_time: Some(timestamp(soon + TimeDelta::seconds(1))),
        ..credit(&owner, "points", 9)
    };
    ledger.credit(given).await.expect("given");
    let spent = take(&ledger, &owner, "points", 4).await;
    let others = (0_i64..).map(|number| soon + days(1 + number));
    let ends: Vec<_> = [soon, soon + TimeDelta::seconds(3)]
        .into_iter()
        .chain(others.take(OPEN_LOTS_MAX - 3))
        .collect();
    let postings = ends.into_iter().map(|end| pb::PointsPosting {
        posting: Some(Posting::Credit(ending(&owner, end))),
    });
    let request = pb::BatchPostPointsRequest {
        postings: postings.collect(),
        all_or_nothing: true,
    };
    let posted = ledger
        .transactions()
        .batch_post_points(ledger.call(request))
        .await;
    posted.expect("posted");
    // Each of these makes two others one, as it begins.
    for hours in [1, 2] {
        let begin = ledger.now() + TimeDelta::hours(hours);
        let waits = pb::CreditPointsRequest {
            begin: Some(Begin::BeginTime(timestamp(begin))),
            ..ending(&owner, soon + days(2_000 + hours))
        };
        ledger.credit(waits).await.expect("given");
    }
    clock.advance(TimeDelta::hours(3));
    reverse(&ledger, &spent, 0).await;
    assert_verified(&ledger.database).await;
    assert_eq!(points_of(&ledger, &owner).await, 9 + 499 + 2);
}
