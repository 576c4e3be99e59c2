//! B9: what becomes of the one account when a household ends.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use futures::future::join_all;
use tonic::{Code, Response, Status};

use super::harness::{is_replayed, new_id};
use super::sharing::{check_books, hold, join, open_household, owner, points_of, release};
use super::spending_limits::households;
use super::support::{Ledger, credit, days, refused, spend, timestamp};

/// Rounds in which somebody spends while the household ends.
const ROUNDS: usize = 8;

fn request(household: &str, heir: &str, policy: pb::DissolvePolicy) -> pb::DissolveHouseholdRequest {
    pb::DissolveHouseholdRequest {
        request_id: new_id(),
        household_owner_id: household.to_owned(),
        heir_owner_id: heir.to_owned(),
        policy: policy.into(),
    }
}

async fn dissolve(
    ledger: &Ledger,
    request: pb::DissolveHouseholdRequest,
) -> Result<Response<pb::DissolveHouseholdResponse>, Status> {
    households(ledger).dissolve_household(ledger.call(request)).await
}

async fn family(ledger: &Ledger, count: usize) -> (String, Vec<String>) {
    let household = open_household(ledger).await;
    let mut members = Vec::new();
    for _ in 0..count {
        let member = ledger.open_owner().await;
        join(ledger, &member, &household).await;
        members.push(member);
    }
    (household, members)
}

/// B9.
#[tokio::test(flavor = "multi_thread")]
async fn b9_the_heir_has_everything_and_everybody_an_account_of_their_own() {
    let ledger = Ledger::start().await;
    let (household, members) = family(&ledger, 3).await;
    ledger.give(&members[1], 100).await;
    let request = request(&household, &members[0], pb::DissolvePolicy::ToHeir);
    let dissolved = dissolve(&ledger, request.clone())
        .await
        .expect("dissolved")
        .into_inner();
    assert_eq!(dissolved.household.expect("it").status(), pb::OwnerStatus::Closed);
    let mut points = Vec::new();
    for member in &members {
        assert_eq!(owner(&ledger, member).await.account_owner_id, "");
        points.push(points_of(&ledger, member).await);
    }
    assert_eq!(
        (points, points_of(&ledger, &household).await),
        (vec![100, 0, 0], 0)
    );
    let again = dissolve(&ledger, request).await.expect("answered again");
    assert!(is_replayed(&again));
    let error = ledger.credit(credit(&household, "points", 1)).await.unwrap_err();
    refused(&error, Code::FailedPrecondition, ErrorReason::OwnerClosed);
    assert_eq!(check_books(&ledger).await, 100);
}

/// B9.
#[tokio::test(flavor = "multi_thread")]
async fn b9_equal_shares_leave_what_cannot_be_divided_to_the_heir() {
    let ledger = Ledger::start().await;
    let (household, members) = family(&ledger, 3).await;
    let end = timestamp(ledger.now() + days(5));
    let ending = pb::CreditPointsRequest {
        lot_expire_time: Some(end),
        ..credit(&members[0], "points", 40)
    };
    ledger.credit(ending).await.expect("credited");
    ledger.give(&members[1], 61).await;
    ledger
        .credit(credit(&members[1], "stamps", 2))
        .await
        .expect("too few to share");
    let request = request(&household, &members[2], pb::DissolvePolicy::EqualShares);
    dissolve(&ledger, request).await.expect("dissolved");
    assert_eq!(points_of(&ledger, &members[0]).await, 33);
    assert_eq!(points_of(&ledger, &members[1]).await, 33);
    assert_eq!(points_of(&ledger, &members[2]).await, 35);
    let stamps = ledger.balance(&members[2], None).await.expect("a balance");
    assert!(
        stamps
            .balances
            .iter()
            .any(|it| it.unit_code == "stamps" && it.available == 2)
    );
    // Who is the first by id has what ends first.
    let mut ids = [&members[0], &members[1]];
    ids.sort();
    let balance = ledger.balance(ids[0], None).await.expect("a balance");
    let points = super::support::of_unit(&balance, "points");
    assert_eq!(
        (points.next_expire_value, points.next_expire_time),
        (33, Some(end))
    );
    assert_eq!(check_books(&ledger).await, 101);
}

/// B9.
#[tokio::test(flavor = "multi_thread")]
async fn b9_nothing_is_dissolved_over_an_open_hold_or_to_a_stranger() {
    let ledger = Ledger::start().await;
    let (household, members) = family(&ledger, 2).await;
    ledger.give(&members[0], 10).await;
    let set_aside = hold(&ledger, &members[1], 5).await;
    let request = |heir: &str| request(&household, heir, pb::DissolvePolicy::EqualShares);
    let error = dissolve(&ledger, request(&members[0])).await.unwrap_err();
    refused(&error, Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    release(&ledger, set_aside).await;
    let stranger = ledger.open_owner().await;
    let error = dissolve(&ledger, request(&stranger)).await.unwrap_err();
    refused(&error, Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    let error = dissolve(&ledger, request("")).await.unwrap_err();
    refused(&error, Code::InvalidArgument, ErrorReason::InvalidFields);
    assert_eq!(points_of(&ledger, &members[1]).await, 10, "nothing happened");
    dissolve(&ledger, request(&members[0])).await.expect("dissolved");
    let again = dissolve(&ledger, request(&members[0])).await.expect("it is over");
    assert!(!is_replayed(&again));
    assert_eq!(check_books(&ledger).await, 10);
}

/// B9.
#[tokio::test(flavor = "multi_thread")]
async fn b9_whoever_spends_while_a_household_ends_spends_once() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let mut left = 0;
    for _ in 0..ROUNDS {
        let (household, members) = family(&ledger, 3).await;
        ledger.give(&members[0], 90).await;
        let spends = join_all(members.iter().enumerate().map(|(place, member)| {
            let by = if place % 2 == 0 { &ledger } else { &replica };
            by.spend(spend(member, "points", 20))
        }));
        let request = request(&household, &members[0], pb::DissolvePolicy::EqualShares);
        let (spends, dissolved) = tokio::join!(spends, dissolve(&replica, request));
        dissolved.expect("dissolved");
        for lost in spends.iter().filter_map(|spend| spend.as_ref().err()) {
            refused(lost, Code::FailedPrecondition, ErrorReason::InsufficientBalance);
        }
        let spent = spends.iter().filter(|spend| spend.is_ok()).count();
        left += 90 - 20 * i64::try_from(spent).expect("a few");
    }
    assert_eq!(check_books(&ledger).await, left);
}
