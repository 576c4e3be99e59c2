//! Corrections of balances.

use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::EntryAccount as Account;
use fealty_proto::ledger::v1::TransactionKind::{Adjust, Credit};
use fealty_proto::ledger::v1::points_outcome::Outcome;
use fealty_proto::ledger::v1::points_posting::Posting;
use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement::Strong;
use tonic::{Code, Status};

use super::harness::{is_replayed, new_id, plant_key, with_key};
use super::owners::set_status;
use super::refusals::{bad, not_there};
use super::support::{Ledger, adjust, credit, days, of_unit, refused, timestamp};
use super::verify::assert_verified;
use crate::assert_refused;

fn owing(request: pb::AdjustPointsRequest) -> pb::AdjustPointsRequest {
    pb::AdjustPointsRequest {
        allow_debt: true,
        ..request
    }
}

async fn post(ledger: &Ledger, request: pb::AdjustPointsRequest) -> Result<pb::AdjustPointsResponse, Status> {
    let answer = ledger.transactions().adjust_points(ledger.call(request)).await?;
    Ok(answer.into_inner())
}

/// Available and owed.
async fn points(ledger: &Ledger, owner_id: &str) -> (i64, i64) {
    let balance = ledger
        .balance(owner_id, Some(Strong(true)))
        .await
        .expect("a balance");
    let points = of_unit(&balance, "points");
    (points.available, points.debt)
}

fn entries(transaction: &pb::Transaction) -> Vec<(Account, i64)> {
    let entries = transaction.entries.iter();
    entries.map(|entry| (entry.account(), entry.value)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_is_booked_apart_from_what_business_gave_and_names_who_made_it_and_why() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 100).await;
    let request = adjust(&owner, "points", -30);
    let less = post(&ledger, request.clone()).await.expect("corrected");
    let transaction = less.transaction.expect("a transaction");
    assert_eq!(transaction.kind(), Adjust);
    assert_eq!(transaction.transaction_id, request.request_id);
    assert_eq!(
        entries(&transaction),
        [(Account::OwnerAvailable, -30), (Account::ProgramAdjusted, 30)]
    );
    assert!(transaction.actor.starts_with("key:"), "{transaction:?}");
    assert_eq!(transaction.reason, "a test");
    let more = post(&ledger, adjust(&owner, "points", 5))
        .await
        .expect("corrected");
    assert_eq!(
        entries(&more.transaction.expect("a transaction")),
        [(Account::OwnerAvailable, 5), (Account::ProgramAdjusted, -5)]
    );
    assert_eq!(of_unit(&more.balance.expect("a balance"), "points").available, 75);
    let kinds: Vec<_> = ledger
        .statement(&owner)
        .await
        .iter()
        .map(pb::Transaction::kind)
        .collect();
    assert_eq!(kinds, [Adjust, Adjust, Credit]);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_ends_soonest_and_what_is_given_ends_as_it_says_or_as_the_unit_does() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let end = |count| timestamp(ledger.now() + days(count));
    for (value, count) in [(10, 9), (20, 3)] {
        let ending = pb::CreditPointsRequest {
            lot_expire_time: Some(end(count)),
            ..credit(&owner, "points", value)
        };
        ledger.credit(ending).await.expect("credited");
    }
    post(&ledger, adjust(&owner, "points", -25))
        .await
        .expect("corrected");
    let own_end = end(1);
    let given = pb::AdjustPointsRequest {
        lot_expire_time: Some(own_end),
        ..adjust(&owner, "points", 7)
    };
    post(&ledger, given).await.expect("corrected");
    post(&ledger, adjust(&owner, "stamps", 3))
        .await
        .expect("corrected");
    let balance = ledger
        .balance(&owner, Some(Strong(true)))
        .await
        .expect("a balance");
    let points = of_unit(&balance, "points");
    assert_eq!(
        (
            points.available,
            points.next_expire_time,
            points.next_expire_value
        ),
        (12, Some(own_end), 7)
    );
    assert!(
        of_unit(&balance, "stamps").next_expire_time.is_some(),
        "by the unit's policy"
    );
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn below_zero_only_what_the_unit_lets_one_owe_and_only_where_it_is_asked_for() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 10).await;
    ledger
        .credit(credit(&owner, "stamps", 1))
        .await
        .expect("credited");
    let before = points(&ledger, &owner).await;
    // A million may be owed, and of stamps nothing.
    let refusals = [
        adjust(&owner, "points", -11),
        owing(adjust(&owner, "points", -1_000_011)),
        owing(adjust(&owner, "points", -i64::MAX)),
        owing(adjust(&owner, "stamps", -2)),
    ];
    for request in &refusals {
        let status = post(&ledger, request.clone()).await.expect_err("too much");
        let metadata = refused(
            &status,
            Code::FailedPrecondition,
            ErrorReason::InsufficientBalance,
        );
        let value = request.amount.as_ref().expect("an amount").value;
        assert_eq!(metadata["required"], (-value).to_string());
    }
    assert_eq!(points(&ledger, &owner).await, before);
    post(&ledger, owing(adjust(&owner, "points", -1_000_010)))
        .await
        .expect("owed");
    assert_eq!(points(&ledger, &owner).await, (0, 1_000_000));
    // Remembered, whatever there is by now; and what is given pays off first.
    post(&ledger, adjust(&owner, "points", 1_000_050))
        .await
        .expect("corrected");
    assert_eq!(points(&ledger, &owner).await, (50, 0));
    let again = ledger
        .transactions()
        .adjust_points(ledger.call(refusals[0].clone()))
        .await;
    refused(
        &again.expect_err("as before"),
        Code::FailedPrecondition,
        ErrorReason::InsufficientBalance,
    );
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_is_made_once_and_the_edge_of_64_bits_is_refused_cleanly() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let request = adjust(&owner, "points", i64::MAX);
    let call = |request: &pb::AdjustPointsRequest| ledger.call(request.clone());
    let first = ledger
        .transactions()
        .adjust_points(call(&request))
        .await
        .expect("corrected");
    let again = ledger
        .transactions()
        .adjust_points(call(&request))
        .await
        .expect("as before");
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.get_ref(), again.get_ref());
    let other = owing(request);
    let status = post(&ledger, other)
        .await
        .expect_err("allow_debt is for what is taken");
    refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
    let status = post(&ledger, adjust(&owner, "points", 1))
        .await
        .expect_err("does not fit");
    refused(&status, Code::FailedPrecondition, ErrorReason::AmountOverflow);
    post(&ledger, adjust(&owner, "points", -i64::MAX))
        .await
        .expect("corrected");
    assert_eq!(points(&ledger, &owner).await, (0, 0));
    let used = pb::AdjustPointsRequest {
        receipt_id: "case 7".to_owned(),
        ..adjust(&owner, "points", 1)
    };
    post(&ledger, used.clone()).await.expect("corrected");
    let anew = pb::AdjustPointsRequest {
        request_id: new_id(),
        ..used
    };
    let status = post(&ledger, anew).await.expect_err("the case is closed");
    refused(&status, Code::AlreadyExists, ErrorReason::ReceiptAlreadyUsed);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_owner_is_corrected_and_a_closed_one_is_opened_first() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 10).await;
    set_status(&ledger, &owner, pb::OwnerStatus::Suspended, 1).await;
    for value in [5, -6] {
        post(&ledger, adjust(&owner, "points", value))
            .await
            .expect("corrected");
    }
    set_status(&ledger, &owner, pb::OwnerStatus::Closed, 2).await;
    for value in [5, -6] {
        let status = post(&ledger, adjust(&owner, "points", value))
            .await
            .expect_err("closed");
        refused(&status, Code::FailedPrecondition, ErrorReason::OwnerClosed);
    }
    set_status(&ledger, &owner, pb::OwnerStatus::Active, 3).await;
    post(&ledger, adjust(&owner, "points", -9))
        .await
        .expect("corrected");
    assert_eq!(points(&ledger, &owner).await, (0, 0));
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn corrections_have_a_scope_of_their_own_also_within_a_batch() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let till = plant_key(&ledger.database, ledger.shop.program, &[Scope::LedgerWrite]).await;
    let batch = |posting: Vec<Posting>| pb::BatchPostPointsRequest {
        postings: posting
            .into_iter()
            .map(|posting| pb::PointsPosting {
                posting: Some(posting),
            })
            .collect(),
        all_or_nothing: false,
    };
    let given = || Posting::Credit(credit(&owner, "points", 1));
    let corrected = || Posting::Adjust(adjust(&owner, "points", 7));
    let mut client = ledger.transactions();
    client
        .batch_post_points(with_key(&till, batch(vec![given()])))
        .await
        .expect("a till gives points");
    let missing = |status: Status| {
        let metadata = refused(&status, Code::PermissionDenied, ErrorReason::ScopeMissing);
        assert_eq!(metadata["scope"], "SCOPE_LEDGER_ADJUST");
    };
    let alone = client
        .adjust_points(with_key(&till, adjust(&owner, "points", 7)))
        .await;
    missing(alone.expect_err("not by a till"));
    let within = client
        .batch_post_points(with_key(&till, batch(vec![given(), corrected()])))
        .await;
    missing(within.expect_err("nor so"));
    assert_eq!(points(&ledger, &owner).await, (1, 0), "nothing of it was done");

    let adjusts = plant_key(&ledger.database, ledger.shop.program, &[Scope::LedgerAdjust]).await;
    client
        .adjust_points(with_key(&adjusts, adjust(&owner, "points", 1)))
        .await
        .expect("corrected");
    let postings = vec![
        given(),
        corrected(),
        Posting::Adjust(adjust(&owner, "points", -10)),
    ];
    let answer = client
        .batch_post_points(ledger.call(batch(postings)))
        .await
        .expect("both scopes");
    let outcomes: Vec<_> = answer
        .into_inner()
        .outcomes
        .into_iter()
        .map(|it| it.outcome)
        .collect();
    let left = |outcome: &Option<Outcome>| match outcome {
        Some(Outcome::Adjust(adjusted)) => {
            of_unit(adjusted.balance.as_ref().expect("a balance"), "points").available
        }
        other => panic!("{other:?}"),
    };
    assert_eq!((left(&outcomes[1]), left(&outcomes[2])), (10, 0));
    assert_verified(&ledger.database).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_correction_is_named_and_changes_nothing() {
    let ledger = super::harness::Ledger::start().await;
    ledger.define_points().await;
    let owner = ledger.open_owner().await;
    let of = |value| adjust(&owner, "points", value);
    let table = [
        (
            "nothing",
            pb::AdjustPointsRequest::default(),
            bad(&["request_id", "owner_id", "amount", "source", "reason"]),
        ),
        ("by nothing", of(0), bad(&["amount.value"])),
        ("the least number", of(i64::MIN), bad(&["amount.value"])),
        (
            "an end of what is taken",
            pb::AdjustPointsRequest {
                lot_expire_time: Some(timestamp("2036-01-01T00:00:00Z".parse().expect("a time"))),
                ..of(-1)
            },
            bad(&["lot_expire_time"]),
        ),
        (
            "an end that has passed",
            pb::AdjustPointsRequest {
                lot_expire_time: Some(timestamp("2006-01-01T00:00:00Z".parse().expect("a time"))),
                ..of(1)
            },
            bad(&["lot_expire_time"]),
        ),
        ("a debt for what is given", owing(of(1)), bad(&["allow_debt"])),
        (
            "no reason, from everywhere",
            pb::AdjustPointsRequest {
                reason: String::new(),
                source: "x".repeat(65),
                ..of(1)
            },
            bad(&["source", "reason"]),
        ),
        (
            "a reason without end, to come",
            pb::AdjustPointsRequest {
                reason: "x".repeat(501),
                occur_time: Some(timestamp("2036-01-01T00:00:00Z".parse().expect("a time"))),
                ..of(1)
            },
            bad(&["reason", "occur_time"]),
        ),
        ("nobody", adjust(&new_id(), "points", 1), not_there()),
        ("no unit", adjust(&owner, "stars", 1), not_there()),
    ];
    assert_refused!(ledger, transactions.adjust_points, table);
}
