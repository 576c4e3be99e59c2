//! What cannot be taken back, and what is no reversal.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use tonic::Code;

use super::super::harness::{self, new_id};
use super::super::messages::{cashback, purchase_of, refund_of};
use super::super::refusals::{bad, not_there};
use super::super::sharing::{hold, join, open_household, release};
use super::super::support::{self, Ledger, days, refused};
use super::super::verify::assert_verified;
use super::{give, reversal, reverse, take, try_reverse};
use crate::assert_refused;

async fn newest(ledger: &Ledger, owner: &str, kind: pb::TransactionKind) -> String {
    let statement = ledger.statement(owner).await;
    let found = statement.into_iter().find(|it| it.kind() == kind);
    found.expect("it happened").transaction_id
}

/// By the record: the owner uses another's account by now.
async fn of_kind(ledger: &Ledger, owner: &str, kind: &str) -> String {
    let id: uuid::Uuid = sqlx::query_scalar(
        "SELECT transaction_id FROM transaction WHERE owner_id = $1::uuid AND kind = $2 AND version IS NOT NULL LIMIT 1",
    )
    .bind(owner)
    .bind(kind)
    .fetch_one(&ledger.database.owner)
    .await
    .expect("it happened");
    id.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_reversed_says_what_to_do_instead() {
    let clock = fealty_types::ManualClock::new(chrono::DateTime::UNIX_EPOCH + days(20_000));
    let ledger = Ledger::start_at(&clock).await;
    let rule = pb::CreateEarningRuleRequest {
        request_id: new_id(),
        earning_rule: Some(cashback("points", "0.1")),
    };
    let made = ledger.rules().create_earning_rule(ledger.call(rule)).await;
    made.expect("a rule");
    let owner = ledger.open_owner().await;
    let bought = ledger
        .purchases()
        .record_purchase(ledger.call(purchase_of(&owner, 10_000)))
        .await;
    let purchase = bought
        .expect("bought")
        .into_inner()
        .purchase
        .expect("a purchase")
        .purchase_id;
    let refund = ledger.call(refund_of(&purchase, 1_000));
    ledger
        .purchases()
        .refund_purchase(refund)
        .await
        .expect("refunded");
    let held = hold(&ledger, &owner, 5).await;
    release(&ledger, held.clone()).await;
    let spent = take(&ledger, &owner, "points", 3).await;
    let reversed = reverse(&ledger, &spent, 1)
        .await
        .transaction
        .expect("a transaction");
    give(&ledger, &owner, "stamps", 4).await;
    clock.advance(days(30));
    give(&ledger, &owner, "stamps", 1).await;
    join(&ledger, &owner, &open_household(&ledger).await).await;

    let mut table = vec![
        (purchase.clone(), "purchase", "RefundPurchase"),
        (held, "hold", "ReleaseHold"),
        (reversed.transaction_id, "reverse", "post what it took back again"),
    ];
    for (kind, instead) in [
        ("refund", "RecordPurchase"),
        ("release", "never"),
        ("expire", "never"),
        ("move", "never"),
    ] {
        table.push((of_kind(&ledger, &owner, kind).await, kind, instead));
    }
    for (transaction_id, kind, instead) in table {
        let status = try_reverse(&ledger, reversal(&transaction_id, 0))
            .await
            .expect_err(kind);
        let metadata = refused(
            &status,
            Code::FailedPrecondition,
            ErrorReason::TransactionNotReversible,
        );
        assert_eq!(
            (metadata["transaction_id"].as_str(), metadata["kind"].as_str()),
            (transaction_id.as_str(), kind)
        );
        assert!(status.message().contains(instead), "{}", status.message());
    }
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_spend_is_no_transaction_and_anothers_is_not_there() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 5).await;
    let too_much = support::spend(&owner, "points", 6);
    let request_id = too_much.request_id.clone();
    ledger.spend(too_much).await.expect_err("too much");
    let spent = take(&ledger, &owner, "points", 5).await;
    let stranger = harness::plant_program(&ledger.database, "UTC", "GBP").await;
    for (by, transaction_id) in [
        (&ledger.shop, request_id.as_str()),
        (&ledger.shop, new_id().as_str()),
        (&stranger, spent.as_str()),
    ] {
        let request = by.call(reversal(transaction_id, 0));
        let status = ledger.transactions().reverse_transaction(request).await;
        refused(
            &status.expect_err("not there"),
            Code::NotFound,
            ErrorReason::ResourceNotFound,
        );
    }
    // What was not there is not remembered.
    assert_eq!(newest(&ledger, &owner, pb::TransactionKind::Spend).await, spent);
    reverse(&ledger, &spent, 0).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_reversal_is_named_and_changes_nothing() {
    let ledger = harness::Ledger::start().await;
    ledger.define_points().await;
    let owner_id = ledger.open_owner().await;
    let credit = support::credit(&owner_id, "points", 10);
    let given = ledger.transactions().credit_points(ledger.call(credit)).await;
    let given = given
        .expect("given")
        .into_inner()
        .transaction
        .expect("a transaction");
    let good = || reversal(&given.transaction_id, 1);
    let all = ["request_id", "transaction_id", "source", "reason"];
    let long = pb::ReverseTransactionRequest {
        source: "x".repeat(65),
        receipt_id: "x".repeat(129),
        reason: "x".repeat(501),
        ..good()
    };
    let of_value = |value| pb::ReverseTransactionRequest { value, ..good() };
    let ahead = pb::ReverseTransactionRequest {
        occur_time: Some(support::timestamp(chrono::DateTime::UNIX_EPOCH + days(80_000))),
        ..good()
    };
    let table = [
        ("nothing", pb::ReverseTransactionRequest::default(), bad(&all)),
        ("no id", reversal("first", 1), bad(&["transaction_id"])),
        ("less than nothing", of_value(-1), bad(&["value"])),
        ("the least", of_value(i64::MIN), bad(&["value"])),
        (
            "texts without end",
            long,
            bad(&["source", "receipt_id", "reason"]),
        ),
        ("a time to come", ahead, bad(&["occur_time"])),
        ("of nothing", reversal(&new_id(), 1), not_there()),
    ];
    assert_refused!(ledger, transactions.reverse_transaction, table);
}
