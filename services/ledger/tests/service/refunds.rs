//! `PurchaseService`: refunds.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::refund_purchase_request::Target;
use fealty_proto::types::v1::{Amount, ErrorReason, Money};
use tonic::Code;

use super::harness::{Ledger, holding, new_id};
use super::messages::{points, pounds, purchase_of, refund_of, unreferenced_refund};
use super::refusals::{bad, not_there, refusal, value_of};
use crate::assert_refused;

/// A shop that gives one in a hundred, and a member.
async fn shop(unit: pb::Unit) -> (Ledger, String) {
    let ledger = Ledger::start().await;
    ledger.define(unit).await;
    ledger.define_cashback("points", "0.01").await;
    let owner_id = ledger.open_owner().await;
    (ledger, owner_id)
}

async fn spend(ledger: &Ledger, owner_id: &str, value: i64) {
    let request = pb::SpendPointsRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        amount: Some(Amount {
            unit_code: "points".to_owned(),
            value,
        }),
        source: "till".to_owned(),
        reason: "spent".to_owned(),
        ..pb::SpendPointsRequest::default()
    };
    ledger
        .transactions()
        .spend_points(ledger.call(request))
        .await
        .expect("there is enough");
}

/// (from the balance, as debt, waived).
fn taken(refunded: &pb::RefundPurchaseResponse) -> (i64, i64, i64) {
    assert!(refunded.taken_back.len() <= 1);
    let taken = refunded.taken_back.first();
    taken.map_or((0, 0, 0), |taken| {
        (taken.from_available, taken.as_debt, taken.waived)
    })
}

#[tokio::test]
async fn the_parts_of_a_purchase_refunded_one_by_one_take_back_the_whole() {
    let (ledger, owner_id) = shop(points()).await;
    let purchase = ledger
        .buy(purchase_of(&owner_id, 500_000))
        .await
        .unwrap()
        .purchase
        .unwrap();
    let mut parts = Vec::new();
    for minor in [166_666, 166_667, 166_667] {
        let refunded = ledger
            .refund(refund_of(&purchase.purchase_id, minor))
            .await
            .unwrap();
        parts.push(taken(&refunded).0);
    }
    assert_eq!(parts, [16, 17, 17]);
    let after = ledger.purchase(&purchase.purchase_id).await;
    assert_eq!(after.refunded_money, Some(pounds(500_000)));
    assert_eq!(after.earnings[0].taken_back_value, 50);

    let status = ledger
        .refund(refund_of(&purchase.purchase_id, 1))
        .await
        .unwrap_err();
    assert_eq!(value_of(&status, "refundable_minor"), "0");
    let refused = refusal(Err::<(), _>(status));
    assert_eq!(
        refused,
        (Code::FailedPrecondition, ErrorReason::RefundExceedsPurchase)
    );
}

#[tokio::test]
async fn a_refund_takes_from_the_lots_of_its_purchase_first() {
    let (ledger, owner_id) = shop(points()).await;
    let old = prost_types::Timestamp {
        seconds: 1_780_000_000,
        nanos: 0,
    };
    let older = pb::RecordPurchaseRequest {
        occur_time: Some(old),
        ..purchase_of(&owner_id, 1_000_000)
    };
    ledger.buy(older).await.unwrap();
    let newer = ledger
        .buy(purchase_of(&owner_id, 500_000))
        .await
        .unwrap()
        .purchase
        .unwrap();
    let refunded = ledger
        .refund(refund_of(&newer.purchase_id, 500_000))
        .await
        .unwrap();
    assert_eq!(holding(refunded.balance.as_ref(), "points"), (100, 0));

    let request = pb::ListLotsRequest {
        owner_id,
        ..pb::ListLotsRequest::default()
    };
    let lots = ledger
        .balances()
        .list_lots(ledger.call(request))
        .await
        .unwrap()
        .into_inner()
        .lots;
    let left: Vec<(i64, i64)> = lots
        .iter()
        .map(|lot| (lot.value_left, lot.value_credited))
        .collect();
    assert_eq!(left, [(100, 100)], "the older lot, which ends sooner, is whole");
}

#[tokio::test]
async fn what_is_spent_is_owed_up_to_the_bound_and_waived_beyond_and_paid_off_first() {
    let (ledger, owner_id) = shop(pb::Unit {
        debt_max: 30,
        ..points()
    })
    .await;
    let purchase = ledger
        .buy(purchase_of(&owner_id, 500_000))
        .await
        .unwrap()
        .purchase
        .unwrap();
    spend(&ledger, &owner_id, 40).await;
    let refunded = ledger
        .refund(refund_of(&purchase.purchase_id, 500_000))
        .await
        .unwrap();
    assert_eq!(taken(&refunded), (10, 30, 10));
    assert_eq!(holding(refunded.balance.as_ref(), "points"), (0, 30));
    let next = ledger.buy(purchase_of(&owner_id, 500_000)).await.unwrap();
    assert_eq!(holding(next.balance.as_ref(), "points"), (20, 0));
}

#[tokio::test]
async fn what_is_spent_is_waived_where_the_unit_says_so() {
    let waive = pb::Unit {
        shortfall_policy: pb::ShortfallPolicy::Waive.into(),
        ..points()
    };
    let (ledger, owner_id) = shop(waive).await;
    let purchase = ledger
        .buy(purchase_of(&owner_id, 500_000))
        .await
        .unwrap()
        .purchase
        .unwrap();
    spend(&ledger, &owner_id, 40).await;
    let refunded = ledger
        .refund(refund_of(&purchase.purchase_id, 500_000))
        .await
        .unwrap();
    assert_eq!(taken(&refunded), (10, 0, 40));
    assert_eq!(holding(refunded.balance.as_ref(), "points"), (0, 0));
    let entries = refunded.transaction.unwrap().entries;
    assert_eq!(entries.iter().map(|entry| entry.value).sum::<i64>(), 0);
}

#[tokio::test]
async fn an_unreferenced_refund_takes_back_what_such_a_purchase_would_have_earned() {
    let (ledger, owner_id) = shop(points()).await;
    ledger.buy(purchase_of(&owner_id, 500_000)).await.unwrap();
    let refunded = ledger
        .refund(unreferenced_refund(&owner_id, 123_456))
        .await
        .unwrap();
    assert_eq!(taken(&refunded), (12, 0, 0));
    let transaction = refunded.transaction.unwrap();
    assert_eq!(
        (transaction.purchase_id.as_str(), transaction.owner_id),
        ("", owner_id.clone())
    );
    assert_eq!(transaction.money, Some(pounds(123_456)));
    let beyond = ledger
        .refund(unreferenced_refund(&owner_id, 1_000_000))
        .await
        .unwrap();
    assert_eq!(taken(&beyond), (38, 62, 0));
}

#[tokio::test]
async fn a_refund_is_replayed_and_its_receipt_is_used_once() {
    let (ledger, owner_id) = shop(points()).await;
    let purchase = ledger
        .buy(purchase_of(&owner_id, 500_000))
        .await
        .unwrap()
        .purchase
        .unwrap();
    let request = refund_of(&purchase.purchase_id, 250_000);
    let first = ledger.refund(request.clone()).await.unwrap();
    assert_eq!(ledger.refund(request.clone()).await.unwrap(), first);
    let again = ledger
        .refund(pb::RefundPurchaseRequest {
            request_id: new_id(),
            ..request
        })
        .await;
    assert_eq!(
        refusal(again),
        (Code::AlreadyExists, ErrorReason::ReceiptAlreadyUsed)
    );
    let after = ledger.purchase(&purchase.purchase_id).await;
    assert_eq!(
        (after.refunded_money, after.earnings[0].taken_back_value),
        (Some(pounds(250_000)), 25)
    );
}

#[tokio::test]
async fn a_refused_refund_stays_refused_under_its_request_id() {
    let (ledger, owner_id) = shop(points()).await;
    let purchase = ledger
        .buy(purchase_of(&owner_id, 100))
        .await
        .unwrap()
        .purchase
        .unwrap();
    let request = refund_of(&purchase.purchase_id, 101);
    let first = ledger.refund(request.clone()).await.unwrap_err();
    let again = ledger.refund(request).await.unwrap_err();
    assert_eq!(
        (first.message(), first.details()),
        (again.message(), again.details())
    );
    assert_eq!(again.metadata().get("fealty-replayed").unwrap(), "true");
}

#[tokio::test]
async fn what_is_wrong_with_a_refund_is_named_and_changes_nothing() {
    let (ledger, owner_id) = shop(points()).await;
    let purchase = ledger
        .buy(purchase_of(&owner_id, 100))
        .await
        .unwrap()
        .purchase
        .unwrap();
    let purchase_id = &purchase.purchase_id;
    let of_target = |target| pb::RefundPurchaseRequest {
        target,
        ..refund_of(purchase_id, 1)
    };
    let no_purchase = Target::PurchaseId("7".to_owned());
    let no_owner = Target::UnreferencedOwnerId(String::new());
    let both = pb::RefundPurchaseRequest {
        money: Some(Money {
            currency_code: "GBPX".to_owned(),
            amount_minor: 0,
        }),
        ..refund_of(purchase_id, 1)
    };
    let long = pb::RefundPurchaseRequest {
        reason: "x".repeat(501),
        ..refund_of(purchase_id, 1)
    };
    let all = ["request_id", "target", "source", "receipt_id", "money"];
    let amount = || bad(&["money.amount_minor"]);
    let table = [
        ("nothing", pb::RefundPurchaseRequest::default(), bad(&all)),
        ("of nothing", of_target(None), bad(&["target"])),
        (
            "no purchase's id",
            of_target(Some(no_purchase)),
            bad(&["purchase_id"]),
        ),
        (
            "no owner's id",
            of_target(Some(no_owner)),
            bad(&["unreferenced_owner_id"]),
        ),
        ("zero", refund_of(purchase_id, 0), amount()),
        ("negative", unreferenced_refund(&owner_id, -5), amount()),
        (
            "both parts",
            both,
            bad(&["money.amount_minor", "money.currency_code"]),
        ),
        ("a long reason", long, bad(&["reason"])),
        ("no such purchase", refund_of(&new_id(), 1), not_there()),
        ("nobody", unreferenced_refund(&new_id(), 1), not_there()),
    ];
    assert_refused!(ledger, purchases.refund_purchase, table);
}
