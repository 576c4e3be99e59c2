//! `PurchaseService`: the sums of a source.

use fealty_proto::ledger::v1 as pb;
use prost_types::Timestamp;

use super::harness::Ledger;
use super::messages::{points, pounds, purchase_of, refund_of, unreferenced_refund};
use super::refusals::{bad, bad_fields};
use crate::assert_refused;

fn sums_of(source: &str) -> pb::SummarizePurchasesRequest {
    pb::SummarizePurchasesRequest {
        source: source.to_owned(),
        ..pb::SummarizePurchasesRequest::default()
    }
}

async fn summarize(
    ledger: &Ledger,
    request: pb::SummarizePurchasesRequest,
) -> pb::SummarizePurchasesResponse {
    let sums = ledger.purchases().summarize_purchases(ledger.call(request)).await;
    sums.expect("sums").into_inner()
}

const fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

#[tokio::test]
async fn sums_agree_with_what_was_sent() {
    let ledger = Ledger::start().await;
    ledger
        .define(pb::Unit {
            debt_max: 20,
            ..points()
        })
        .await;
    ledger.define_cashback("points", "0.01").await;
    let owner_id = ledger.open_owner().await;
    let purchase = ledger
        .buy(purchase_of(&owner_id, 500_000))
        .await
        .unwrap()
        .purchase
        .unwrap();
    ledger
        .refund(refund_of(&purchase.purchase_id, 200_000))
        .await
        .unwrap();
    ledger
        .refund(unreferenced_refund(&owner_id, 600_000))
        .await
        .unwrap();
    ledger.buy(purchase_of(&owner_id, 0)).await.unwrap();
    ledger.buy(purchase_of(&owner_id, 150_000)).await.unwrap();
    let elsewhere = pb::RecordPurchaseRequest {
        source: "web".to_owned(),
        ..purchase_of(&owner_id, 70_000)
    };
    ledger.buy(elsewhere).await.unwrap();

    let sums = summarize(&ledger, sums_of("till")).await;
    let expected = pb::SummarizePurchasesResponse {
        purchase_count: 3,
        purchase_money: Some(pounds(650_000)),
        refund_count: 2,
        refund_money: Some(pounds(800_000)),
        units: vec![pb::UnitSummary {
            unit_code: "points".to_owned(),
            earned_value: 65,
            taken_back: Some(pb::TakenBack {
                unit_code: "points".to_owned(),
                // 20 and 30 from the balance; of the 30 that were missing then, 20 are owed.
                from_available: 50,
                as_debt: 20,
                waived: 10,
            }),
            shortfall_count: 1,
            debt_repaid_value: 15,
        }],
    };
    assert_eq!(sums, expected);
    assert_eq!(summarize(&ledger, sums_of("nobody")).await.purchase_count, 0);
}

#[tokio::test]
async fn sums_can_be_of_a_span_of_time() {
    let ledger = Ledger::start().await;
    ledger.define_points().await;
    ledger.define_cashback("points", "0.01").await;
    let owner_id = ledger.open_owner().await;
    for seconds in [100, 200, 300] {
        let request = pb::RecordPurchaseRequest {
            occur_time: Some(at(seconds)),
            ..purchase_of(&owner_id, seconds * 100)
        };
        ledger.buy(request).await.unwrap();
    }
    let request = pb::SummarizePurchasesRequest {
        occurred_from_time: Some(at(200)),
        occurred_before_time: Some(at(300)),
        ..sums_of("till")
    };
    let sums = summarize(&ledger, request).await;
    assert_eq!(
        (sums.purchase_count, sums.purchase_money),
        (1, Some(pounds(20_000)))
    );
    assert_eq!(sums.units[0].earned_value, 2);
}

#[tokio::test]
async fn no_purchase_is_so_large_that_a_sum_could_not_hold_it() {
    let ledger = Ledger::start().await;
    let owner_id = ledger.open_owner().await;
    let largest = 1_000_000_000_000;
    for _ in 0..3 {
        ledger.buy(purchase_of(&owner_id, largest)).await.unwrap();
    }
    for minor in [largest + 1, i64::MAX] {
        let refused = ledger.buy(purchase_of(&owner_id, minor)).await.unwrap_err();
        assert_eq!(bad_fields(&refused), ["money.amount_minor"]);
    }
    let sums = summarize(&ledger, sums_of("till")).await;
    assert_eq!(
        (sums.purchase_count, sums.purchase_money),
        (3, Some(pounds(3 * largest)))
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_filter_is_named() {
    let ledger = Ledger::start().await;
    let backwards = pb::SummarizePurchasesRequest {
        occurred_from_time: Some(at(300)),
        occurred_before_time: Some(at(300)),
        ..sums_of("till")
    };
    let table = [
        ("nothing", sums_of(""), bad(&["source"])),
        ("too long", sums_of(&"x".repeat(65)), bad(&["source"])),
        ("backwards", backwards, bad(&["occurred_before_time"])),
    ];
    assert_refused!(ledger, purchases.summarize_purchases, table);
}
