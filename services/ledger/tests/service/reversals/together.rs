//! Reversals in one commit with what they have to know of: calls before them, and what time has done by itself.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::credit_points_request::Begin;
use fealty_proto::ledger::v1::points_posting::Posting;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::reason_of;
use fealty_types::ManualClock;
use futures::future::join_all;
use tokio::time::sleep;

use super::super::lanes::{HeldUp, one_lane};
use super::super::sharing::{join, open_household, points_of};
use super::super::steps::Step;
use super::super::support::{Ledger, credit, days, spend, timestamp, transfer};
use super::super::verify::assert_verified;
use super::{reversal, reverse, take};

/// How long a call is given to get into its lane before the next is sent. Nothing outside tells that it is there: where
/// the machine is busy and it was not, they are sent again with more time. All of them wait for less than a lock may.
const ARRIVED_WITHIN_MS: [u64; 4] = [100, 200, 400, 600];

/// Lots that one owner may have open.
const OPEN_LOTS_MAX: usize = 500;

/// Has all of them wait in the lane, in their order, and then decided together.
async fn together(ledger: &Ledger, arrived_within: Duration, steps: &[Step]) -> Vec<Option<ErrorReason>> {
    let held_up = HeldUp::lane(ledger).await;
    let mut pause = Duration::ZERO;
    let mut sent = Vec::new();
    for step in steps {
        sent.push(async move {
            sleep(pause).await;
            step.send(ledger).await
        });
        pause += arrived_within;
    }
    let let_go = async {
        sleep(pause).await;
        held_up.let_go().await;
    };
    let (answers, ()) = tokio::join!(join_all(sent), let_go);
    let refused = answers.into_iter().map(Result::err);
    refused
        .map(|status| status.as_ref().and_then(reason_of))
        .collect()
}

/// Plays it until its calls came in their order. Answers whose points tell that it ended well.
async fn play(
    ledger: &Ledger,
    expected: &[Option<ErrorReason>],
    scene: impl AsyncFn(Duration) -> (String, Vec<Option<ErrorReason>>),
) -> String {
    let mut reasons = Vec::new();
    for within_ms in ARRIVED_WITHIN_MS {
        let owner;
        (owner, reasons) = scene(Duration::from_millis(within_ms)).await;
        assert_verified(&ledger.database).await;
        if reasons == expected {
            return owner;
        }
    }
    panic!("never {expected:?}, at last {reasons:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_transfer_of_the_same_commit_brought_to_a_lot_and_took_from_it_is_counted() {
    let ledger = one_lane().await;
    let owner = play(&ledger, &[None; 3], async |arrived_within| {
        let (one, other) = (ledger.open_owner().await, ledger.open_owner().await);
        ledger.give(&one, 10).await;
        ledger.give(&other, 7).await;
        let spent = take(&ledger, &one, "points", 4).await;
        // All lie in the lot that never ends.
        let steps = [
            Step::Transfer(transfer(&other, &one, 7)),
            Step::Transfer(transfer(&one, &other, 13)),
            Step::Reverse(reversal(&spent, 0)),
        ];
        (one, together(&ledger, arrived_within, &steps).await)
    })
    .await;
    assert_eq!(points_of(&ledger, &owner).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_back_to_anothers_lot_in_parts_is_counted_together() {
    let ledger = one_lane().await;
    let household = play(&ledger, &[None; 3], async |arrived_within| {
        let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
        ledger.give(&member, 10).await;
        let spent = take(&ledger, &member, "points", 10).await;
        join(&ledger, &member, &household).await;
        // To the household nothing of that lot ever came.
        let steps = [
            Step::Reverse(reversal(&spent, 4)),
            Step::Spend(spend(&member, "points", 4)),
            Step::Reverse(reversal(&spent, 6)),
        ];
        (household, together(&ledger, arrived_within, &steps).await)
    })
    .await;
    assert_eq!(points_of(&ledger, &household).await, 6);
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
