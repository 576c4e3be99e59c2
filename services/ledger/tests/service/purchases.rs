//! `PurchaseService`: purchases.

use std::collections::HashMap;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::{Amount, ErrorReason, Money};
use futures::future::join_all;
use prost::Message;
use prost_types::Timestamp;
use tonic::{Code, Response};

use super::harness::{Ledger, holding, is_replayed, new_id, plant_program};
use super::messages::{cashback, points, pounds, purchase_of, refund_of};
use super::refusals::{bad, bad_token, not_there, refusal, value_of};
use crate::assert_refused;

async fn shop() -> (Ledger, String) {
    let ledger = Ledger::start().await;
    ledger.define_points().await;
    ledger.define_cashback("points", "0.01").await;
    let owner_id = ledger.open_owner().await;
    (ledger, owner_id)
}

async fn statement(ledger: &Ledger, owner_id: &str) -> Vec<pb::Transaction> {
    let request = pb::ListTransactionsRequest {
        owner_id: owner_id.to_owned(),
        ..pb::ListTransactionsRequest::default()
    };
    let page = ledger
        .transactions()
        .list_transactions(ledger.call(request))
        .await;
    page.expect("a page").into_inner().transactions
}

fn list(owner_id: &str, page_size: i32, page_token: &str) -> pb::ListPurchasesRequest {
    pb::ListPurchasesRequest {
        owner_id: owner_id.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    }
}

/// C1: cashback as bonuses on every purchase, spent on a real purchase; idempotent by receipt.
#[tokio::test]
async fn c1_one_percent_of_5000_earns_50_which_are_redeemed_to_nothing() {
    let (ledger, owner_id) = shop().await;
    let request = purchase_of(&owner_id, 500_000);
    let bought = ledger.buy(request.clone()).await.unwrap();
    assert_eq!(holding(bought.balance.as_ref(), "points"), (50, 0));

    let again = ledger.buy(pb::RecordPurchaseRequest {
        request_id: new_id(),
        ..request
    });
    let status = again.await.unwrap_err();
    assert_eq!(
        value_of(&status, "transaction_id"),
        bought.purchase.unwrap().transaction_id
    );
    assert_eq!(
        refusal(Err::<(), _>(status)),
        (Code::AlreadyExists, ErrorReason::ReceiptAlreadyUsed)
    );

    let redemption = pb::SpendPointsRequest {
        request_id: new_id(),
        owner_id: owner_id.clone(),
        amount: Some(Amount {
            unit_code: "points".to_owned(),
            value: 50,
        }),
        source: "till".to_owned(),
        reason: "a coffee".to_owned(),
        ..pb::SpendPointsRequest::default()
    };
    let spent = ledger
        .transactions()
        .spend_points(ledger.call(redemption))
        .await
        .unwrap();
    assert_eq!(holding(spent.into_inner().balance.as_ref(), "points"), (0, 0));

    let statement = statement(&ledger, &owner_id).await;
    assert_eq!(statement.len(), 2);
    for transaction in &statement {
        let mut sums: HashMap<&str, i64> = HashMap::new();
        for entry in &transaction.entries {
            *sums.entry(&entry.unit_code).or_default() += entry.value;
        }
        assert!(sums.values().all(|sum| *sum == 0), "{transaction:?}");
    }
    assert!(ledger.stop().await);
}

#[tokio::test]
async fn a_purchase_is_read_as_it_was_recorded_with_what_each_rule_gave() {
    let (ledger, owner_id) = shop().await;
    ledger
        .define(pb::Unit {
            unit_code: "stamps".to_owned(),
            ..points()
        })
        .await;
    ledger.define_cashback("stamps", "0.001").await;
    let request = purchase_of(&owner_id, 123_456);
    let purchase = ledger.buy(request.clone()).await.unwrap().purchase.unwrap();
    let earned: Vec<(&str, i64)> = purchase
        .earnings
        .iter()
        .map(|earning| {
            let amount = earning.amount.as_ref().unwrap();
            (amount.unit_code.as_str(), amount.value)
        })
        .collect();
    assert_eq!(earned, [("points", 12), ("stamps", 1)]);
    assert_eq!(
        (&purchase.receipt_id, &purchase.source, &purchase.money),
        (&request.receipt_id, &request.source, &request.money)
    );
    assert_eq!(purchase.refunded_money, Some(pounds(0)));
    assert_eq!(ledger.purchase(&purchase.purchase_id).await, purchase);
    let recorded = &statement(&ledger, &owner_id).await[0];
    assert_eq!(
        (&recorded.transaction_id, &recorded.purchase_id, &recorded.money),
        (&purchase.transaction_id, &purchase.purchase_id, &purchase.money)
    );
}

#[tokio::test]
async fn a_purchase_of_nothing_is_recorded_and_earns_nothing() {
    let (ledger, owner_id) = shop().await;
    let bought = ledger.buy(purchase_of(&owner_id, 0)).await.unwrap();
    assert!(bought.purchase.unwrap().earnings.is_empty());
    assert_eq!(statement(&ledger, &owner_id).await.len(), 1);
}

#[tokio::test]
async fn a_purchase_earns_by_the_rules_of_its_own_time_and_its_lot_ends_in_the_programs_time_zone() {
    let ledger = Ledger::start().await;
    ledger.define_points().await;
    let change = Timestamp {
        seconds: 1_750_000_000,
        nanos: 0,
    };
    for (rate, start_time, end_time) in [("0.01", None, Some(change)), ("0.02", Some(change), None)] {
        let rule = pb::EarningRule {
            start_time,
            end_time,
            ..cashback("points", rate)
        };
        let request = pb::CreateEarningRuleRequest {
            request_id: new_id(),
            earning_rule: Some(rule),
        };
        ledger
            .rules()
            .create_earning_rule(ledger.call(request))
            .await
            .unwrap();
    }
    let owner_id = ledger.open_owner().await;
    for (seconds, earned) in [(change.seconds, 20), (change.seconds - 1, 10)] {
        let request = pb::RecordPurchaseRequest {
            occur_time: Some(Timestamp { seconds, nanos: 0 }),
            ..purchase_of(&owner_id, 100_000)
        };
        let purchase = ledger.buy(request).await.unwrap().purchase.unwrap();
        assert_eq!(purchase.earnings[0].amount.as_ref().unwrap().value, earned);
    }
    // 15 June 2025 16:06 in London, and 365 days and the rest of the last of them: 16 June 2026, midnight of BST.
    let movement = &statement(&ledger, &owner_id).await[0].lot_movements[0];
    let end: chrono::DateTime<chrono::Utc> = "2026-06-15T23:00:00Z".parse().unwrap();
    assert_eq!(movement.expire_time.unwrap().seconds, end.timestamp());
}

#[tokio::test]
async fn the_same_request_is_answered_byte_for_byte_also_from_a_hundred_callers_at_once() {
    let (ledger, owner_id) = shop().await;
    let request = purchase_of(&owner_id, 500_000);
    let answers = join_all((0..100).map(|_| {
        let (mut client, call) = (ledger.purchases(), ledger.call(request.clone()));
        async move { client.record_purchase(call).await.unwrap() }
    }))
    .await;
    let fresh = answers.iter().filter(|answer| !is_replayed(answer)).count();
    assert_eq!(fresh, 1);
    let bytes: Vec<Vec<u8>> = answers
        .into_iter()
        .map(|answer| answer.into_inner().encode_to_vec())
        .collect();
    assert!(bytes.iter().all(|answer| *answer == bytes[0]));
    assert_eq!(statement(&ledger, &owner_id).await.len(), 1);

    let other = pb::RecordPurchaseRequest {
        money: Some(pounds(1)),
        ..request
    };
    let reused = ledger.buy(other).await;
    assert_eq!(
        refusal(reused),
        (Code::AlreadyExists, ErrorReason::RequestIdReused)
    );
}

#[tokio::test]
async fn a_refused_receipt_can_be_tried_again_with_a_new_request_id() {
    let (ledger, owner_id) = shop().await;
    let euros = Money {
        currency_code: "EUR".to_owned(),
        amount_minor: 500_000,
    };
    let wrong = pb::RecordPurchaseRequest {
        money: Some(euros),
        ..purchase_of(&owner_id, 0)
    };
    let status = ledger.buy(wrong.clone()).await.unwrap_err();
    assert_eq!(value_of(&status, "required_currency_code"), "GBP");
    assert_eq!(
        refusal(Err::<(), _>(status)),
        (Code::FailedPrecondition, ErrorReason::CurrencyMismatch)
    );
    let corrected = pb::RecordPurchaseRequest {
        request_id: new_id(),
        money: Some(pounds(500_000)),
        ..wrong
    };
    ledger.buy(corrected).await.unwrap();
}

#[tokio::test]
async fn purchases_are_listed_latest_first_page_by_page() {
    let (ledger, owner_id) = shop().await;
    let mut bought = Vec::new();
    for minor in 1..=5 {
        bought.push(
            ledger
                .buy(purchase_of(&owner_id, minor * 100))
                .await
                .unwrap()
                .purchase
                .unwrap(),
        );
    }
    bought.reverse();
    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let page = ledger
            .purchases()
            .list_purchases(ledger.call(list(&owner_id, 2, &token)))
            .await;
        let page = page.unwrap().into_inner();
        listed.extend(page.purchases);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, bought);

    let first = ledger
        .purchases()
        .list_purchases(ledger.call(list(&owner_id, 2, "")))
        .await
        .unwrap();
    let token = first.into_inner().next_page_token;
    let other = ledger.open_owner().await;
    let mixed = ledger
        .purchases()
        .list_purchases(ledger.call(list(&other, 2, &token)))
        .await;
    assert_eq!(
        refusal(mixed),
        (Code::InvalidArgument, ErrorReason::PageTokenInvalid)
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_purchase_is_named_and_changes_nothing() {
    let (ledger, owner_id) = shop().await;
    let good = || purchase_of(&owner_id, 100);
    let currency = pb::RecordPurchaseRequest {
        money: Some(Money {
            currency_code: "gbp".to_owned(),
            amount_minor: 1,
        }),
        ..good()
    };
    let future = pb::RecordPurchaseRequest {
        occur_time: Some(Timestamp {
            seconds: 4_000_000_000,
            nanos: 0,
        }),
        ..good()
    };
    let source = pb::RecordPurchaseRequest {
        source: "x".repeat(65),
        ..good()
    };
    let receipt = |receipt_id: &str| pb::RecordPurchaseRequest {
        receipt_id: receipt_id.to_owned(),
        ..good()
    };
    let all = ["request_id", "owner_id", "source", "receipt_id", "money"];
    let nil = "00000000-0000-0000-0000-000000000000";
    let table = [
        ("nothing", pb::RecordPurchaseRequest::default(), bad(&all)),
        (
            "negative",
            purchase_of(&owner_id, -1),
            bad(&["money.amount_minor"]),
        ),
        ("no currency", currency, bad(&["money.currency_code"])),
        ("in the future", future, bad(&["occur_time"])),
        ("a long source", source, bad(&["source"])),
        ("a long receipt", receipt(&"x".repeat(129)), bad(&["receipt_id"])),
        ("a control character", receipt("a\0b"), bad(&["receipt_id"])),
        ("the nil owner", purchase_of(nil, 1), bad(&["owner_id"])),
        ("nobody", purchase_of(&new_id(), 1), not_there()),
    ];
    assert_refused!(ledger, purchases.record_purchase, table);
}

#[tokio::test]
async fn what_is_wrong_with_a_question_about_purchases_is_named() {
    let (ledger, owner_id) = shop().await;
    let get = |purchase_id: String| pb::GetPurchaseRequest { purchase_id };
    let table = [
        ("nothing", get(String::new()), bad(&["purchase_id"])),
        ("not there", get(new_id()), not_there()),
    ];
    assert_refused!(ledger, purchases.get_purchase, table);
    let table = [
        ("nothing", pb::ListPurchasesRequest::default(), bad(&["owner_id"])),
        ("too large", list(&owner_id, 1_001, ""), bad(&["page_size"])),
        ("nobody", list(&new_id(), 0, ""), not_there()),
        ("a made up token", list(&owner_id, 0, "AAAA"), bad_token()),
    ];
    assert_refused!(ledger, purchases.list_purchases, table);
}

#[tokio::test]
async fn another_programs_owners_and_purchases_are_not_there() {
    let (ledger, owner_id) = shop().await;
    let purchase = ledger
        .buy(purchase_of(&owner_id, 100))
        .await
        .unwrap()
        .purchase
        .unwrap();
    let stranger = plant_program(&ledger.database, "UTC", "GBP").await;
    let before = ledger.contents().await;
    let hidden = (Code::NotFound, ErrorReason::ResourceNotFound);
    let get = pb::GetPurchaseRequest {
        purchase_id: purchase.purchase_id.clone(),
    };
    assert_eq!(
        refusal(ledger.purchases().get_purchase(stranger.call(get)).await),
        hidden
    );
    let buy = purchase_of(&owner_id, 100);
    assert_eq!(
        refusal(ledger.purchases().record_purchase(stranger.call(buy)).await),
        hidden
    );
    let refund = refund_of(&purchase.purchase_id, 100);
    assert_eq!(
        refusal(ledger.purchases().refund_purchase(stranger.call(refund)).await),
        hidden
    );
    let list = list(&owner_id, 0, "");
    let listed = ledger.purchases().list_purchases(stranger.call(list)).await;
    assert_eq!(refusal(listed.map(Response::into_inner)), hidden);
    assert_eq!(ledger.contents().await, before);
}
