//! Owners.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use tonic::Code;

use super::harness::{self, is_replayed, new_id};
use super::messages::{cashback, purchase_of, refund_of};
use super::sharing::{join, merge, merge_request, open_household, owner, points_of, try_merge};
use super::support::{Ledger, credit, refused, spend};

fn open(owner_id: &str, kind: pb::OwnerKind) -> pb::OpenOwnerRequest {
    pb::OpenOwnerRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        kind: kind.into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_the_same_owner_again_answers_alike_and_another_kind_is_refused() {
    let ledger = Ledger::start().await;
    let owner_id = new_id();
    let opened = |kind| {
        let request = ledger.call(open(&owner_id, kind));
        let mut owners = ledger.owners();
        async move { owners.open_owner(request).await }
    };
    let first = opened(pb::OwnerKind::Partner).await.expect("opened");
    assert!(!is_replayed(&first));
    let again = opened(pb::OwnerKind::Partner).await.expect("opened");
    assert!(is_replayed(&again));
    assert_eq!(first.get_ref(), again.get_ref());

    let status = opened(pb::OwnerKind::Member).await.expect_err("another kind");
    let metadata = refused(&status, Code::AlreadyExists, ErrorReason::ResourceExists);
    assert_eq!(metadata["id"], owner_id);

    let request = ledger.call(pb::GetOwnerRequest {
        owner_id: owner_id.clone(),
    });
    let owner = ledger
        .owners()
        .get_owner(request)
        .await
        .expect("found")
        .into_inner()
        .owner;
    assert_eq!(owner, first.into_inner().owner);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_at_once_open_one_owner() {
    let ledger = Ledger::start().await;
    let owner_id = new_id();
    let calls = (0..100).map(|_| {
        let request = ledger.call(open(&owner_id, pb::OwnerKind::Member));
        let mut owners = ledger.owners();
        async move { owners.open_owner(request).await.expect("opened") }
    });
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_owner_is_not_there() {
    let ledger = Ledger::start().await;
    let owner_id = ledger.open_owner().await;
    let stranger = harness::plant_program(&ledger.database, "UTC", "EUR").await;
    let request = stranger.call(pb::GetOwnerRequest {
        owner_id: owner_id.clone(),
    });
    let status = ledger
        .owners()
        .get_owner(request)
        .await
        .expect_err("another program");
    let metadata = refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
    assert_eq!(
        (metadata["resource"].as_str(), metadata["id"].as_str()),
        ("owner", owner_id.as_str())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named_at_once() {
    use tonic_types::StatusExt;

    let ledger = Ledger::start().await;
    let request = pb::OpenOwnerRequest {
        request_id: "1".to_owned(),
        owner_id: String::new(),
        kind: 99,
    };
    let status = ledger
        .owners()
        .open_owner(ledger.call(request))
        .await
        .expect_err("malformed");
    refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
    let violations = status
        .get_details_bad_request()
        .expect("BadRequest")
        .field_violations;
    let fields: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(fields, ["request_id", "owner_id", "kind"]);
}

fn status_of(owner_id: &str, status: pb::OwnerStatus, status_revision: i64) -> pb::SetOwnerStatusRequest {
    pb::SetOwnerStatusRequest {
        owner_id: owner_id.to_owned(),
        status: status.into(),
        status_revision,
    }
}

pub async fn set_status(
    ledger: &Ledger,
    owner_id: &str,
    status: pb::OwnerStatus,
    revision: i64,
) -> pb::Owner {
    let request = status_of(owner_id, status, revision);
    let set = ledger.owners().set_owner_status(ledger.call(request)).await;
    set.expect("set").into_inner().owner.expect("an owner")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_cannot_spend_from_the_answer_on_and_still_earns() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    for _ in 0..10 {
        let owner_id = ledger.open_owner().await;
        ledger.give(&owner_id, 100).await;
        // Spends that are on their way while the card is reported stolen.
        let spends = (0..6).map(|_| replica.spend(spend(&owner_id, "points", 1)));
        let suspended = set_status(&ledger, &owner_id, pb::OwnerStatus::Suspended, 1);
        let (answers, owner) = tokio::join!(futures::future::join_all(spends), suspended);
        assert_eq!(owner.status(), pb::OwnerStatus::Suspended);
        let spent = i64::try_from(answers.iter().filter(|answer| answer.is_ok()).count()).unwrap();
        for by in [&ledger, &replica] {
            let status = by
                .spend(spend(&owner_id, "points", 1))
                .await
                .expect_err("suspended");
            let metadata = refused(&status, Code::FailedPrecondition, ErrorReason::OwnerSuspended);
            assert_eq!(metadata["owner_id"], owner_id);
        }
        ledger.give(&owner_id, 1).await;
        assert_eq!(points_of(&replica, &owner_id).await, 101 - spent);
        set_status(&ledger, &owner_id, pb::OwnerStatus::Active, 2).await;
        replica
            .spend(spend(&owner_id, "points", 1))
            .await
            .expect("active again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_the_status_is_the_answer_of_its_request_for_ever() {
    let ledger = Ledger::start().await;
    let owner_id = ledger.open_owner().await;
    ledger.give(&owner_id, 100).await;
    set_status(&ledger, &owner_id, pb::OwnerStatus::Suspended, 1).await;
    let request = spend(&owner_id, "points", 1);
    let first = ledger.spend(request.clone()).await.expect_err("suspended");
    set_status(&ledger, &owner_id, pb::OwnerStatus::Active, 2).await;
    let again = ledger.spend(request).await.expect_err("the first answer");
    assert_eq!((first.code(), first.details()), (again.code(), again.details()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_change_of_the_status_changes_nothing() {
    let ledger = Ledger::start().await;
    let owner_id = ledger.open_owner().await;
    let statuses = [
        (pb::OwnerStatus::Suspended, 5, pb::OwnerStatus::Suspended),
        (pb::OwnerStatus::Active, 4, pb::OwnerStatus::Suspended),
        (pb::OwnerStatus::Active, 5, pb::OwnerStatus::Suspended),
        (pb::OwnerStatus::Closed, 6, pb::OwnerStatus::Closed),
        (pb::OwnerStatus::Active, i64::MAX, pb::OwnerStatus::Active),
    ];
    for (status, revision, expected) in statuses {
        assert_eq!(
            set_status(&ledger, &owner_id, status, revision).await.status(),
            expected
        );
        assert_eq!(owner(&ledger, &owner_id).await.status(), expected);
    }
    let unknown = status_of(&new_id(), pb::OwnerStatus::Closed, 1);
    let status = ledger.owners().set_owner_status(ledger.call(unknown)).await;
    refused(
        &status.expect_err("nobody"),
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    for (status, revision) in [(pb::OwnerStatus::Merged, 1), (pb::OwnerStatus::Unspecified, 0)] {
        let request = status_of(&owner_id, status, revision);
        let status = ledger.owners().set_owner_status(ledger.call(request)).await;
        refused(
            &status.expect_err("malformed"),
            Code::InvalidArgument,
            ErrorReason::InvalidFields,
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_closed_neither_earns_nor_spends_and_what_they_bought_can_be_refunded() {
    let ledger = Ledger::start().await;
    let request = pb::CreateEarningRuleRequest {
        request_id: new_id(),
        earning_rule: Some(cashback("points", "0.01")),
    };
    ledger
        .rules()
        .create_earning_rule(ledger.call(request))
        .await
        .expect("a rule");
    let owner_id = ledger.open_owner().await;
    let buy = || ledger.call(purchase_of(&owner_id, 500_000));
    let bought = ledger.purchases().record_purchase(buy()).await.expect("bought");
    let purchase_id = bought.into_inner().purchase.expect("a purchase").purchase_id;
    set_status(&ledger, &owner_id, pb::OwnerStatus::Closed, 1).await;
    let refusals = [
        ledger.spend(spend(&owner_id, "points", 1)).await.map(drop),
        ledger.credit(credit(&owner_id, "points", 1)).await.map(drop),
        ledger.purchases().record_purchase(buy()).await.map(drop),
    ];
    for refusal in refusals {
        let status = refusal.expect_err("closed");
        refused(&status, Code::FailedPrecondition, ErrorReason::OwnerClosed);
    }
    let refund = ledger.call(refund_of(&purchase_id, 500_000));
    ledger
        .purchases()
        .refund_purchase(refund)
        .await
        .expect("refunded");
    assert_eq!(points_of(&ledger, &owner_id).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_whom_is_meant_and_of_whose_account_it_is_counts_too() {
    let ledger = Ledger::start().await;
    let (earlier, member, other) = (
        ledger.open_owner().await,
        ledger.open_owner().await,
        ledger.open_owner().await,
    );
    let household = open_household(&ledger).await;
    ledger.give(&member, 10).await;
    merge(&ledger, &earlier, &member).await;
    join(&ledger, &member, &household).await;
    join(&ledger, &other, &household).await;

    set_status(&ledger, &member, pb::OwnerStatus::Suspended, 1).await;
    for owner_id in [&earlier, &member] {
        let status = ledger
            .spend(spend(owner_id, "points", 1))
            .await
            .expect_err("suspended");
        let metadata = refused(&status, Code::FailedPrecondition, ErrorReason::OwnerSuspended);
        assert_eq!(metadata["owner_id"], member);
    }
    ledger
        .spend(spend(&other, "points", 1))
        .await
        .expect("another member");
    set_status(&ledger, &household, pb::OwnerStatus::Suspended, 1).await;
    let status = ledger
        .spend(spend(&other, "points", 1))
        .await
        .expect_err("suspended");
    refused(&status, Code::FailedPrecondition, ErrorReason::OwnerSuspended);

    // Of one who was merged there is nothing to say, and nothing leaves the account of one who is suspended.
    let request = status_of(&earlier, pb::OwnerStatus::Suspended, 9);
    let status = ledger.owners().set_owner_status(ledger.call(request)).await;
    refused(
        &status.expect_err("merged"),
        Code::FailedPrecondition,
        ErrorReason::OwnerUnsuitable,
    );
    let stolen = ledger.open_owner().await;
    ledger.give(&stolen, 5).await;
    set_status(&ledger, &stolen, pb::OwnerStatus::Suspended, 1).await;
    let status = try_merge(&ledger, merge_request(&stolen, &other))
        .await
        .expect_err("suspended");
    refused(&status, Code::FailedPrecondition, ErrorReason::OwnerSuspended);
    assert_eq!(points_of(&ledger, &stolen).await, 5);
}
