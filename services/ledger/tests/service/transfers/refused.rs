//! Who cannot send, and what cannot be sent.

use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use tonic::Code;

use super::super::harness::{new_id, plant_key, with_key};
use super::super::owners::set_status;
use super::super::refusals::{bad, not_there};
use super::super::sharing::{join, merge, open_household, points_of};
use super::super::support::{Ledger, refused, timestamp, transfer};
use super::*;
use crate::assert_refused;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sends_to_themselves_by_whatever_name() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    let household = open_household(&ledger).await;
    ledger.give(&ana, 50).await;
    let to_self = async |from: &str, to: &str, account: &str| {
        let status = send(&ledger, transfer(from, to, 1))
            .await
            .expect_err("to oneself");
        let metadata = refused(&status, Code::FailedPrecondition, ErrorReason::TransferToSelf);
        assert_eq!(metadata["owner_id"], account);
    };
    to_self(&ana, &ana, &ana).await;
    join(&ledger, &ana, &household).await;
    join(&ledger, &ben, &household).await;
    for (from, to) in [
        (&ana, &ben),
        (&ben, &ana),
        (&ana, &household),
        (&household, &ben),
        (&ana, &ana),
    ] {
        to_self(from, to, &household).await;
    }
    let (twin, kept) = two(&ledger).await;
    ledger.give(&twin, 5).await;
    merge(&ledger, &twin, &kept).await;
    for (from, to) in [(&twin, &kept), (&kept, &twin)] {
        to_self(from, to, &kept).await;
    }
    assert_eq!(check_books(&ledger).await, 55);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_or_closed_neither_sends_nor_receives() {
    let ledger = Ledger::start().await;
    for (status, reason) in [
        (pb::OwnerStatus::Suspended, ErrorReason::OwnerSuspended),
        (pb::OwnerStatus::Closed, ErrorReason::OwnerClosed),
    ] {
        let (ana, ben) = two(&ledger).await;
        let (carl, household) = (ledger.open_owner().await, open_household(&ledger).await);
        join(&ledger, &carl, &household).await;
        for owner in [&ana, &ben, &household] {
            ledger.give(owner, 10).await;
        }
        set_status(&ledger, &ben, status, 1).await;
        set_status(&ledger, &carl, status, 1).await;
        // Also who names themselves, and not the household whose account it is.
        for (from, to, barred) in [
            (&ana, &ben, &ben),
            (&ben, &ana, &ben),
            (&ana, &carl, &carl),
            (&carl, &ana, &carl),
        ] {
            let status = send(&ledger, transfer(from, to, 1)).await.expect_err("barred");
            let metadata = refused(&status, Code::FailedPrecondition, reason);
            assert_eq!(&metadata["owner_id"], barred);
        }
        sent(&ledger, transfer(&ana, &household, 1)).await;
        set_status(&ledger, &household, status, 1).await;
        let refusal = send(&ledger, transfer(&ana, &household, 1))
            .await
            .expect_err("barred");
        refused(&refusal, Code::FailedPrecondition, reason);
    }
    assert_eq!(check_books(&ledger).await, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_till_may_send_and_who_may_only_read_or_correct_may_not() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 50).await;
    for scope in [Scope::LedgerRead, Scope::LedgerAdjust] {
        let key = plant_key(&ledger.database, ledger.shop.program, &[scope]).await;
        let refusal = ledger
            .transactions()
            .transfer_points(with_key(&key, transfer(&ana, &ben, 1)))
            .await;
        refused(
            &refusal.expect_err("not so"),
            Code::PermissionDenied,
            ErrorReason::ScopeMissing,
        );
    }
    let key = plant_key(&ledger.database, ledger.shop.program, &[Scope::LedgerWrite]).await;
    let answer = ledger
        .transactions()
        .transfer_points(with_key(&key, transfer(&ana, &ben, 1)))
        .await;
    answer.expect("sent");
    assert_eq!(points_of(&ledger, &ben).await, 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_transfer_is_named_and_changes_nothing() {
    let ledger = super::super::harness::Ledger::start().await;
    ledger.define_points().await;
    let (ana, ben) = (ledger.open_owner().await, ledger.open_owner().await);
    let of = |value| transfer(&ana, &ben, value);
    let table = [
        (
            "nothing",
            pb::TransferPointsRequest::default(),
            bad(&[
                "request_id",
                "owner_id",
                "amount",
                "source",
                "reason",
                "to_owner_id",
            ]),
        ),
        ("of nothing", of(0), bad(&["amount.value"])),
        ("of less", of(-1), bad(&["amount.value"])),
        ("the least number", of(i64::MIN), bad(&["amount.value"])),
        ("to no id", transfer(&ana, "Ben", 1), bad(&["to_owner_id"])),
        (
            "without end, to come",
            pb::TransferPointsRequest {
                source: "x".repeat(65),
                receipt_id: "x".repeat(129),
                reason: "x".repeat(501),
                occur_time: Some(timestamp("2036-01-01T00:00:00Z".parse().expect("a time"))),
                ..of(1)
            },
            bad(&["source", "receipt_id", "reason", "occur_time"]),
        ),
        ("from nobody", transfer(&new_id(), &ben, 1), not_there()),
        ("to nobody", transfer(&ana, &new_id(), 1), not_there()),
        (
            "no unit",
            pb::TransferPointsRequest {
                amount: credit(&ana, "stars", 1).amount,
                ..of(1)
            },
            not_there(),
        ),
    ];
    assert_refused!(ledger, transactions.transfer_points, table);
}
