//! Households: members who share an account.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::Consistency;
use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement::{AtLeastVersion, Strong};
use futures::future::{join_all, join3};
use tonic::Code;

use super::harness::{is_replayed, new_id, until};
use super::sharing::{
    check_books, hold, join, join_request, leave, open_household, owner, points_of, release, try_join,
};
use super::support::{Ledger, credit, days, of_unit, refused, spend, timestamp};

/// Rounds in which postings race with a move: each meets it at another point of its way.
const ROUNDS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn points_move_along_with_their_ends_and_both_spend_from_one_account() {
    let ledger = Ledger::start().await;
    let (one, other) = (ledger.open_owner().await, ledger.open_owner().await);
    let household = open_household(&ledger).await;
    let end = timestamp(ledger.now() + days(5));
    let ending = pb::CreditPointsRequest {
        lot_expire_time: Some(end),
        ..credit(&one, "points", 30)
    };
    ledger.credit(ending).await.expect("credited");
    ledger.give(&one, 70).await;
    ledger.give(&other, 5).await;

    let joined = join(&ledger, &one, &household).await;
    assert_eq!(joined.account_owner_id, household);
    assert_eq!(joined.version, 3, "what left is a transaction");
    assert_eq!(owner(&ledger, &household).await.version, 1, "and so is what came");
    join(&ledger, &other, &household).await;
    for owner_id in [&one, &other, &household] {
        let balance = ledger
            .balance(owner_id, Some(Strong(true)))
            .await
            .expect("a balance");
        assert_eq!((&balance.owner_id, balance.version), (&household, 2));
        let points = of_unit(&balance, "points");
        assert_eq!(points.available, 105);
        assert_eq!(
            (points.next_expire_time, points.next_expire_value),
            (Some(end), 30)
        );
    }

    let spent = ledger
        .spend(spend(&other, "points", 100))
        .await
        .expect("together they have enough");
    let spent = spent.into_inner();
    let (transaction, balance) = (spent.transaction.unwrap(), spent.balance.unwrap());
    assert_eq!(
        (&transaction.owner_id, &transaction.on_behalf_of_owner_id),
        (&household, &other)
    );
    assert_eq!(
        (&balance.owner_id, of_unit(&balance, "points").available),
        (&household, 5)
    );
    let statement = ledger.statement(&one).await;
    assert_eq!(
        statement[0].transaction_id, transaction.transaction_id,
        "it is everybody's statement"
    );
    check_books(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_race_for_the_last_points_and_one_wins() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let (one, other) = (ledger.open_owner().await, ledger.open_owner().await);
    let household = open_household(&ledger).await;
    join(&ledger, &one, &household).await;
    join(&ledger, &other, &household).await;
    for _ in 0..ROUNDS {
        ledger.give(&one, 10).await;
        let (first, second) = tokio::join!(
            ledger.spend(spend(&one, "points", 10)),
            replica.spend(spend(&other, "points", 10)),
        );
        let lost = match (first, second) {
            (Ok(_), Err(lost)) | (Err(lost), Ok(_)) => lost,
            (first, second) => panic!("{first:?} {second:?}"),
        };
        refused(&lost, Code::FailedPrecondition, ErrorReason::InsufficientBalance);
    }
    assert_eq!(check_books(&ledger).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn postings_that_race_with_a_join_lose_and_double_nothing() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let mut given = 0;
    for round in 0..ROUNDS {
        let member = ledger.open_owner().await;
        let household = open_household(&ledger).await;
        ledger.give(&member, 100).await;
        let credits = join_all((0..6).map(|place| {
            let by = if place % 2 == 0 { &ledger } else { &replica };
            by.credit(credit(&member, "points", 1))
        }));
        let spends = join_all((0..4).map(|_| replica.spend(spend(&member, "points", 2))));
        let joins = async {
            tokio::time::sleep(std::time::Duration::from_millis(round as u64)).await;
            // Two who want the same at once, by two requests.
            tokio::join!(
                join(&ledger, &member, &household),
                join(&replica, &member, &household)
            )
        };
        let (credits, spends, joined) = join3(credits, spends, joins).await;
        assert!(credits.iter().all(Result::is_ok) && spends.iter().all(Result::is_ok));
        assert_eq!(joined.0.account_owner_id, joined.1.account_owner_id);
        given += 100 + 6 - 8;
        assert_eq!(points_of(&ledger, &member).await, 98);
        assert_eq!(points_of(&replica, &household).await, 98);
        // The cache comes to it, too.
        until("the cache holds the newest", async || {
            let balance = ledger.balance(&member, None).await.expect("a balance");
            (&balance.owner_id, of_unit(&balance, "points").available) == (&household, 98)
        })
        .await;
    }
    assert_eq!(check_books(&ledger).await, given);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_many_households_post_while_others_come_and_go() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let households = [open_household(&ledger).await, open_household(&ledger).await];
    let mut members = Vec::new();
    for _ in 0..6 {
        let member = ledger.open_owner().await;
        ledger.give(&member, 10).await;
        members.push(member);
    }
    let moves = members.iter().enumerate().map(|(place, member)| {
        let (by, household) = if place % 2 == 0 {
            (&ledger, &households[0])
        } else {
            (&replica, &households[1])
        };
        async move {
            for _ in 0..4 {
                join(by, member, household).await;
                leave(by, member).await;
            }
            join(by, member, household).await;
        }
    });
    let credits = members.iter().enumerate().map(|(place, member)| {
        let by = if place % 2 == 0 { &replica } else { &ledger };
        async move {
            for _ in 0..10 {
                by.give(member, 1).await;
            }
        }
    });
    tokio::join!(join_all(moves), join_all(credits));
    assert_eq!(check_books(&ledger).await, 6 * 20);
    let shared = points_of(&ledger, &households[0]).await + points_of(&ledger, &households[1]).await;
    assert_eq!(shared, 6 * 20, "everybody came home in the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_starts_anew_and_what_is_there_stays_there() {
    let ledger = Ledger::start().await;
    let (one, other) = (ledger.open_owner().await, ledger.open_owner().await);
    let household = open_household(&ledger).await;
    for member in [&one, &other] {
        ledger.give(member, 10).await;
        join(&ledger, member, &household).await;
    }
    let left = leave(&ledger, &one).await;
    assert_eq!(left.account_owner_id, "");
    assert_eq!(points_of(&ledger, &one).await, 0);
    ledger.give(&one, 3).await;
    assert_eq!(
        (points_of(&ledger, &one).await, points_of(&ledger, &other).await),
        (3, 20)
    );
    // Nobody is in it any more: it changes nothing.
    let again = leave(&ledger, &one).await;
    assert_eq!(
        (again.version, again.account_owner_id.as_str()),
        (left.version + 1, "")
    );
    // And back again, with what was earned meanwhile.
    join(&ledger, &one, &household).await;
    assert_eq!(points_of(&ledger, &other).await, 23);
    check_books(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_is_replayed_and_joining_again_changes_nothing() {
    let ledger = Ledger::start().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    ledger.give(&member, 10).await;
    let request = join_request(&member, &household);
    let first = try_join(&ledger, request.clone()).await.expect("joined");
    let again = try_join(&ledger, request.clone()).await.expect("joined");
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.get_ref(), again.get_ref());
    let anew = try_join(&ledger, join_request(&member, &household))
        .await
        .expect("joined");
    assert!(!is_replayed(&anew));
    assert_eq!(first.get_ref(), anew.get_ref());

    let other = pb::JoinHouseholdRequest {
        household_owner_id: open_household(&ledger).await,
        ..request
    };
    let status = try_join(&ledger, other.clone())
        .await
        .expect_err("another command");
    refused(&status, Code::AlreadyExists, ErrorReason::RequestIdReused);
    let status = try_join(
        &ledger,
        pb::JoinHouseholdRequest {
            request_id: new_id(),
            ..other
        },
    )
    .await
    .expect_err("a member of another household");
    let metadata = refused(&status, Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    assert_eq!(metadata["owner_id"], member);
    assert_eq!(check_books(&ledger).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_to_join_sent_by_many_at_once_takes_effect_once() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    ledger.give(&member, 10).await;
    let request = join_request(&member, &household);
    let calls = (0..20).map(|place| {
        let by = if place % 2 == 0 { &ledger } else { &replica };
        try_join(by, request.clone())
    });
    let answers: Vec<_> = join_all(calls)
        .await
        .into_iter()
        .map(|it| it.expect("joined"))
        .collect();
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
    assert_eq!(owner(&ledger, &member).await.version, 2);
    assert_eq!(check_books(&ledger).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_members_join_and_only_households() {
    let ledger = Ledger::start().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    let unsuitable = [
        (member.clone(), ledger.open_owner().await),
        (household.clone(), open_household(&ledger).await),
    ];
    for (owner_id, into) in unsuitable {
        let status = try_join(&ledger, join_request(&owner_id, &into)).await;
        let status = status.expect_err("unsuitable");
        refused(&status, Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    }
    for (owner_id, into) in [(new_id(), household.clone()), (member.clone(), new_id())] {
        let status = try_join(&ledger, join_request(&owner_id, &into)).await;
        refused(
            &status.expect_err("nobody"),
            Code::NotFound,
            ErrorReason::ResourceNotFound,
        );
    }
    assert_eq!(owner(&ledger, &member).await.version, 0, "nothing has happened");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_seen_is_never_undercut_whosever_it_is() {
    let ledger = Ledger::start().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    for _ in 0..9 {
        ledger.give(&member, 1).await;
    }
    join(&ledger, &member, &household).await;
    let asked = async |version: i64, of: &str| {
        let request = pb::GetBalanceRequest {
            owner_id: member.clone(),
            consistency: Some(Consistency {
                requirement: Some(AtLeastVersion(version)),
            }),
            version_owner_id: of.to_owned(),
        };
        let answer = ledger.balances().get_balance(ledger.call(request)).await?;
        Ok::<_, tonic::Status>(answer.into_inner().balance.expect("a balance"))
    };
    // The member's own number is 10 by now, the household's 1.
    for (version, of) in [(10, member.as_str()), (10, ""), (1, household.as_str()), (1, "")] {
        let balance = asked(version, of).await.expect("it was written");
        assert_eq!(
            (&balance.owner_id, of_unit(&balance, "points").available),
            (&household, 9)
        );
    }
    for (version, of) in [(11, member.as_str()), (11, ""), (2, household.as_str())] {
        let status = asked(version, of).await.expect_err("not written");
        refused(&status, Code::OutOfRange, ErrorReason::VersionAhead);
    }
    // Of an account that was never used: nothing that is shown is older.
    let balance = asked(900, &new_id()).await.expect("a fresh balance");
    assert_eq!(balance.owner_id, household);
    let status = asked(1, "7").await.expect_err("no id");
    refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_set_aside_for_a_hold_stays_where_it_is() {
    let ledger = Ledger::start().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    ledger.give(&member, 10).await;
    let held = hold(&ledger, &member, 4).await;
    let status = try_join(&ledger, join_request(&member, &household)).await;
    let status = status.expect_err("something is held");
    let metadata = refused(&status, Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    assert_eq!(metadata["owner_id"], member);
    release(&ledger, held).await;
    join(&ledger, &member, &household).await;
    assert_eq!(points_of(&ledger, &household).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_holds_of_the_household_is_the_households_to_capture() {
    let ledger = Ledger::start().await;
    let (one, other) = (ledger.open_owner().await, ledger.open_owner().await);
    let household = open_household(&ledger).await;
    for member in [&one, &other] {
        join(&ledger, member, &household).await;
    }
    ledger.give(&one, 10).await;
    let held = hold(&ledger, &other, 8).await;
    let status = ledger.spend(spend(&one, "points", 3)).await.expect_err("held");
    refused(
        &status,
        Code::FailedPrecondition,
        ErrorReason::InsufficientBalance,
    );
    // Whoever held it may leave: what is held stays.
    leave(&ledger, &other).await;
    let capture = pb::CaptureHoldRequest {
        request_id: new_id(),
        hold_id: held,
        ..pb::CaptureHoldRequest::default()
    };
    let captured = ledger
        .holds()
        .capture_hold(ledger.call(capture))
        .await
        .expect("captured");
    assert_eq!(
        captured.into_inner().balance.expect("a balance").owner_id,
        household
    );
    assert_eq!(
        (points_of(&ledger, &one).await, points_of(&ledger, &other).await),
        (2, 0)
    );
    check_books(&ledger).await;
}
