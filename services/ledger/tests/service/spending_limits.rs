//! B9: what members of a household may spend of its one account.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::household_service_client::HouseholdServiceClient;
use fealty_proto::types::v1::{Amount, ErrorReason};
use fealty_types::ManualClock;
use futures::future::join_all;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use super::harness::new_id;
use super::sharing::{check_books, hold, join, leave, merge, open_household, points_of, release};
use super::support::{Ledger, days, refused, spend, transfer};

/// Rounds in which two spend at once.
const ROUNDS: i64 = 12;

pub fn households(ledger: &Ledger) -> HouseholdServiceClient<Channel> {
    ledger.households()
}

fn limit(day: Option<i64>, month: Option<i64>) -> pb::SpendingLimit {
    pb::SpendingLimit {
        unit_code: "points".to_owned(),
        day_value_max: day,
        month_value_max: month,
    }
}

async fn set(ledger: &Ledger, owner_id: &str, limits: Vec<pb::SpendingLimit>, revision: i64) {
    let request = pb::SetSpendingLimitsRequest {
        owner_id: owner_id.to_owned(),
        limits,
        limits_revision: revision,
    };
    let set = households(ledger).set_spending_limits(ledger.call(request)).await;
    set.expect("limits");
}

async fn used(ledger: &Ledger, owner_id: &str) -> (i64, i64, i64) {
    let request = pb::GetSpendingRequest {
        owner_id: owner_id.to_owned(),
    };
    let found = households(ledger).get_spending(ledger.call(request)).await;
    let spending = found.expect("spending").into_inner().spending;
    (
        spending[0].day_value,
        spending[0].month_value,
        spending[0].held_value,
    )
}

async fn capture(ledger: &Ledger, hold_id: &str) -> Result<Response<pb::CaptureHoldResponse>, Status> {
    let request = pb::CaptureHoldRequest {
        request_id: new_id(),
        hold_id: hold_id.to_owned(),
        ..pb::CaptureHoldRequest::default()
    };
    ledger.holds().capture_hold(ledger.call(request)).await
}

/// A household with so many points, a parent without limits and a child.
async fn family(ledger: &Ledger, points: i64) -> (String, String) {
    let household = open_household(ledger).await;
    let (parent, child) = (ledger.open_owner().await, ledger.open_owner().await);
    ledger.give(&parent, points).await;
    join(ledger, &parent, &household).await;
    join(ledger, &child, &household).await;
    (parent, child)
}

/// B9.
#[tokio::test(flavor = "multi_thread")]
async fn b9_a_child_spends_within_the_limits_of_a_day_and_a_month() {
    let clock = ManualClock::new("2026-11-03T10:00:00Z".parse().expect("a time"));
    let ledger = Ledger::start_at(&clock).await;
    let (parent, child) = family(&ledger, 1_000).await;
    set(&ledger, &child, vec![limit(Some(30), Some(50))], 1).await;
    ledger
        .spend(spend(&child, "points", 30))
        .await
        .expect("within the day");
    let request = spend(&child, "points", 1);
    let lost = ledger.spend(request.clone()).await.unwrap_err();
    refused(&lost, Code::FailedPrecondition, ErrorReason::SpendingLimitReached);
    ledger
        .spend(spend(&parent, "points", 100))
        .await
        .expect("no limits");

    clock.advance(days(1));
    let lost = ledger.spend(request).await.unwrap_err();
    refused(&lost, Code::FailedPrecondition, ErrorReason::SpendingLimitReached);
    ledger
        .spend(spend(&child, "points", 20))
        .await
        .expect("within the month");
    let lost = ledger.spend(spend(&child, "points", 1)).await.unwrap_err();
    refused(&lost, Code::FailedPrecondition, ErrorReason::SpendingLimitReached);
    assert!(lost.message().contains("month"), "{}", lost.message());
    assert_eq!(used(&ledger, &child).await, (20, 50, 0));
    clock.advance(days(27));
    assert_eq!(used(&ledger, &child).await, (0, 0, 0));
    ledger
        .spend(spend(&child, "points", 30))
        .await
        .expect("it is December");
    assert_eq!(check_books(&ledger).await, 1_000 - 100 - 80);
}

/// B9.
#[tokio::test(flavor = "multi_thread")]
async fn b9_what_is_set_aside_or_sent_counts_and_what_is_given_back_does_not() {
    let ledger = Ledger::start().await;
    let (_, child) = family(&ledger, 1_000).await;
    set(&ledger, &child, vec![limit(None, Some(50))], 1).await;
    let (kept, returned) = (hold(&ledger, &child, 20).await, hold(&ledger, &child, 30).await);
    let lost = ledger.spend(spend(&child, "points", 1)).await.unwrap_err();
    refused(&lost, Code::FailedPrecondition, ErrorReason::SpendingLimitReached);
    assert_eq!(used(&ledger, &child).await, (0, 0, 50));
    release(&ledger, returned).await;
    let friend = ledger.open_owner().await;
    let sent = ledger
        .transactions()
        .transfer_points(ledger.call(transfer(&child, &friend, 25)))
        .await;
    sent.expect("sent");
    // What was promised is kept, whatever the limit is by then.
    set(&ledger, &child, vec![limit(None, Some(10))], 2).await;
    capture(&ledger, &kept).await.expect("captured");
    assert_eq!(used(&ledger, &child).await, (45, 45, 0));
    set(&ledger, &child, vec![limit(None, Some(50))], 3).await;
    let lost = ledger.spend(spend(&child, "points", 6)).await.unwrap_err();
    refused(&lost, Code::FailedPrecondition, ErrorReason::SpendingLimitReached);
    ledger
        .spend(spend(&child, "points", 5))
        .await
        .expect("the last five");
    assert_eq!(check_books(&ledger).await, 1_000 - 25);
}

/// B9.
#[tokio::test(flavor = "multi_thread")]
async fn b9_senders_on_two_replicas_never_pass_a_limit_together() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let (_, child) = family(&ledger, 10_000).await;
    for round in 1..=ROUNDS {
        set(&ledger, &child, vec![limit(Some(10 * round), None)], round).await;
        let attempts = (0..6).map(|place| {
            let by = if place % 2 == 0 { &ledger } else { &replica };
            by.spend(spend(&child, "points", 4))
        });
        let ends = join_all(attempts).await;
        for lost in ends.iter().filter_map(|end| end.as_ref().err()) {
            refused(lost, Code::FailedPrecondition, ErrorReason::SpendingLimitReached);
        }
        let (day, ..) = used(&replica, &child).await;
        assert!(
            day <= 10 * round && day + 4 > 10 * round,
            "{day} of {}",
            10 * round
        );
    }
    assert!(check_books(&ledger).await >= 10_000 - 10 * ROUNDS);
}

/// B9.
#[tokio::test(flavor = "multi_thread")]
async fn b9_limits_are_of_the_one_account_and_follow_whoever_is_merged() {
    let ledger = Ledger::start().await;
    let (_, child) = family(&ledger, 100).await;
    set(&ledger, &child, vec![limit(Some(5), None)], 7).await;
    // What was said before does not come after.
    set(&ledger, &child, Vec::new(), 6).await;
    let second = ledger.open_owner().await;
    merge(&ledger, &second, &child).await;
    ledger.spend(spend(&child, "points", 3)).await.expect("within");
    let lost = ledger.spend(spend(&second, "points", 3)).await.unwrap_err();
    refused(&lost, Code::FailedPrecondition, ErrorReason::SpendingLimitReached);
    leave(&ledger, &child).await;
    ledger.give(&child, 50).await;
    ledger
        .spend(spend(&child, "points", 50))
        .await
        .expect("their own");
    assert_eq!(points_of(&ledger, &child).await, 0);
    check_books(&ledger).await;
}

/// B9.
#[tokio::test(flavor = "multi_thread")]
async fn b9_limits_are_checked_and_only_members_have_them() {
    let ledger = Ledger::start().await;
    let household = open_household(&ledger).await;
    let bad = pb::SetSpendingLimitsRequest {
        owner_id: household.clone(),
        limits: vec![limit(Some(0), None), limit(None, None)],
        limits_revision: 0,
    };
    let error = households(&ledger)
        .set_spending_limits(ledger.call(bad))
        .await
        .unwrap_err();
    refused(&error, Code::InvalidArgument, ErrorReason::InvalidFields);
    let good = pb::SetSpendingLimitsRequest {
        owner_id: household,
        limits: vec![limit(Some(1), None)],
        limits_revision: 1,
    };
    let error = households(&ledger)
        .set_spending_limits(ledger.call(good))
        .await
        .unwrap_err();
    refused(&error, Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    let held = pb::HoldPointsRequest {
        request_id: new_id(),
        owner_id: family(&ledger, 10).await.1,
        amount: Some(Amount {
            unit_code: "points".to_owned(),
            value: 3,
        }),
        ..pb::HoldPointsRequest::default()
    };
    let child = held.owner_id.clone();
    set(&ledger, &child, vec![limit(Some(2), None)], 1).await;
    let error = ledger.holds().hold_points(ledger.call(held)).await.unwrap_err();
    refused(
        &error,
        Code::FailedPrecondition,
        ErrorReason::SpendingLimitReached,
    );
}
