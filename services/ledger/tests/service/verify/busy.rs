//! A shop in which everything happens that can happen.

use chrono::TimeDelta;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::credit_points_request::Begin;
use fealty_types::ManualClock;

use super::super::harness::new_id;
use super::super::messages::{cashback, purchase_of, refund_of, sliding_miles, unreferenced_refund};
use super::super::reversals::{reversal, try_reverse};
use super::super::sharing::{hold, join, leave, merge, open_household, release};
use super::super::support::{Ledger, adjust, credit, days, spend, timestamp, transfer};

/// What tampering begins with.
pub struct Shop {
    /// A member with transactions of most kinds, open holds, and purchases of their own.
    pub member: String,
    /// Somebody who joined a household, and took points along.
    pub joined: String,
    /// Somebody whom the member sent points.
    pub friend: String,
    /// All owners.
    pub owners: u64,
}

impl Shop {
    pub async fn play(ledger: &Ledger, clock: &ManualClock) -> Self {
        let rule = pb::CreateEarningRuleRequest {
            request_id: new_id(),
            earning_rule: Some(cashback("points", "0.1")),
        };
        ledger
            .rules()
            .create_earning_rule(ledger.call(rule))
            .await
            .expect("a rule");
        let member = ledger.open_owner().await;
        play_member(ledger, clock, &member).await;

        let (joined, other, household) = (
            ledger.open_owner().await,
            ledger.open_owner().await,
            open_household(ledger).await,
        );
        ledger.give(&joined, 40).await;
        ledger.give(&joined, 2).await;
        stamps(ledger, &joined, 7).await;
        let waits = pb::CreditPointsRequest {
            begin: Some(Begin::BeginOnCall(true)),
            ..credit(&joined, "stamps", 50)
        };
        let waits = ledger.credit(waits).await.expect("given").into_inner();
        let waits = waits.transaction.expect("a transaction").transaction_id;
        join(ledger, &joined, &household).await;
        join(ledger, &other, &household).await;
        let bought = buy(ledger, &other, 70_000).await;
        ledger
            .spend(spend(&joined, "points", 5))
            .await
            .expect("of the household's");
        let held = hold(ledger, &joined, 4).await;
        capture(ledger, &held, 3).await;
        hold(ledger, &joined, 2).await;
        // Of what waits in the household's account by now.
        let taken_back = try_reverse(ledger, reversal(&waits, 10)).await;
        taken_back.expect("reversed");
        leave(ledger, &other).await;
        refund(ledger, refund_of(&bought, 10_000)).await;

        let (twin, kept) = (ledger.open_owner().await, ledger.open_owner().await);
        ledger.give(&twin, 11).await;
        ledger.give(&kept, 22).await;
        merge(ledger, &twin, &kept).await;
        ledger
            .spend(spend(&twin, "points", 3))
            .await
            .expect("of whom they are now");
        let friend = ledger.open_owner().await;
        correct(ledger, adjust(&friend, "points", 9)).await;
        send(ledger, &member, &friend, 700).await;
        send(ledger, &friend, &twin, 300).await;
        send(ledger, &joined, &friend, 1).await;
        correct(ledger, adjust(&friend, "points", -4)).await;
        let owes = pb::AdjustPointsRequest {
            allow_debt: true,
            ..adjust(&friend, "points", -500)
        };
        correct(ledger, owes).await;
        // Pays it off, and more.
        send(ledger, &member, &friend, 150).await;
        slide(ledger, &member, &friend).await;
        let guest = ledger.open_owner().await;
        send(ledger, &friend, &guest, 3).await;
        Self {
            member,
            joined,
            friend,
            owners: 8,
        }
    }
}

async fn play_member(ledger: &Ledger, clock: &ManualClock, member: &str) {
    ledger.give(member, 500).await;
    ledger.spend(spend(member, "points", 50)).await.expect("spent");
    ledger
        .spend(spend(member, "points", 9_999))
        .await
        .expect_err("too much");
    stamps(ledger, member, 3).await;
    let (first, second, third) = (
        hold(ledger, member, 30).await,
        hold(ledger, member, 20).await,
        hold(ledger, member, 10).await,
    );
    capture(ledger, &first, 12).await;
    release(ledger, second.clone()).await;
    release(ledger, second).await;
    capture(ledger, &third, 0).await;
    let bought = buy(ledger, member, 100_000).await;
    refund(ledger, refund_of(&bought, 25_000)).await;
    refund(ledger, unreferenced_refund(member, 900_000)).await;
    // Of a spend in two parts, of which one pays off debt, of a captured hold, and of a credit.
    let spent = ledger.spend(spend(member, "points", 40)).await.err();
    assert!(spent.is_some(), "nothing is left to spend");
    reverse(ledger, member, pb::TransactionKind::Capture, 7).await;
    reverse(ledger, member, pb::TransactionKind::Spend, 20).await;
    // Owes now, and pays it off.
    ledger.give(member, 2_000).await;
    give_later(ledger, member).await;
    clock.advance(days(4));
    stamps(ledger, member, 4).await;
    hold(ledger, member, 15).await;
    reverse(ledger, member, pb::TransactionKind::Spend, 0).await;
    reverse(ledger, member, pb::TransactionKind::Credit, 1).await;
    // The first stamps end, and the hold.
    clock.advance(days(8));
    ledger.give(member, 1).await;
    hold(ledger, member, 25).await;
    clock.advance(TimeDelta::seconds(1));
    buy(ledger, member, 3_000).await;
    ledger.give(member, 2).await;
}

/// Points of a budget: some begin in three days, some by a call, and some wait for ever.
async fn give_later(ledger: &Ledger, member: &str) {
    fund(ledger, "winter").await;
    let later = |value, begin| pb::CreditPointsRequest {
        budget_code: "winter".to_owned(),
        begin: Some(begin),
        ..credit(member, "stamps", value)
    };
    let time = timestamp(ledger.now() + days(3));
    for request in [
        later(6, Begin::BeginTime(time)),
        later(8, Begin::BeginOnCall(true)),
        later(9, Begin::BeginOnCall(true)),
    ] {
        let given = ledger.credit(request.clone()).await.expect("given");
        let given = given.into_inner().transaction.expect("a transaction");
        if request.amount.as_ref().is_some_and(|amount| amount.value == 8) {
            let call = pb::ActivatePointsRequest {
                request_id: new_id(),
                transaction_id: given.transaction_id,
                source: "shop".to_owned(),
                reason: "kept".to_owned(),
            };
            let begun = ledger.transactions().activate_points(ledger.call(call)).await;
            begun.expect("it begins");
        }
    }
}

/// Miles of both slide; the friend's are spent by now.
async fn slide(ledger: &Ledger, member: &str, friend: &str) {
    ledger.define(sliding_miles()).await;
    for owner in [member, friend] {
        ledger.credit(credit(owner, "miles", 6)).await.expect("miles");
    }
    ledger.spend(spend(member, "miles", 2)).await.expect("spent");
    ledger.spend(spend(friend, "miles", 6)).await.expect("spent");
}

/// A budget of a thousand stamps.
async fn fund(ledger: &Ledger, budget_code: &str) {
    let request = pb::CreateBudgetRequest {
        request_id: new_id(),
        budget: Some(pb::Budget {
            budget_code: budget_code.to_owned(),
            display_name: budget_code.to_owned(),
            unit_code: "stamps".to_owned(),
            value_max: 1_000,
            ..pb::Budget::default()
        }),
    };
    let made = ledger.budgets().create_budget(ledger.call(request)).await;
    made.expect("a budget");
}

/// Takes back a part of the newest of a kind.
async fn reverse(ledger: &Ledger, owner_id: &str, kind: pb::TransactionKind, value: i64) {
    let statement = ledger.statement(owner_id).await;
    let newest = statement
        .iter()
        .find(|it| it.kind() == kind)
        .expect("it happened");
    try_reverse(ledger, reversal(&newest.transaction_id, value))
        .await
        .expect("reversed");
}

/// A member takes points into a household: the two sides are rows of two owners.
pub async fn move_points(ledger: &Ledger) {
    let (member, household) = (ledger.open_owner().await, open_household(ledger).await);
    ledger.give(&member, 5).await;
    join(ledger, &member, &household).await;
    send(ledger, &member, &ledger.open_owner().await, 2).await;
}

async fn correct(ledger: &Ledger, request: pb::AdjustPointsRequest) {
    let corrected = ledger.transactions().adjust_points(ledger.call(request)).await;
    corrected.expect("corrected");
}

async fn send(ledger: &Ledger, from: &str, to: &str, value: i64) {
    let request = ledger.call(transfer(from, to, value));
    let sent = ledger.transactions().transfer_points(request).await;
    sent.expect("sent");
}

async fn stamps(ledger: &Ledger, owner_id: &str, value: i64) {
    ledger
        .credit(credit(owner_id, "stamps", value))
        .await
        .expect("stamps");
}

async fn capture(ledger: &Ledger, hold_id: &str, value: i64) {
    let request = pb::CaptureHoldRequest {
        request_id: new_id(),
        hold_id: hold_id.to_owned(),
        value,
        ..pb::CaptureHoldRequest::default()
    };
    ledger
        .holds()
        .capture_hold(ledger.call(request))
        .await
        .expect("captured");
}

async fn buy(ledger: &Ledger, owner_id: &str, amount_minor: i64) -> String {
    let request = purchase_of(owner_id, amount_minor);
    let bought = ledger.purchases().record_purchase(ledger.call(request)).await;
    let bought = bought.expect("bought").into_inner();
    bought.purchase.expect("a purchase").purchase_id
}

async fn refund(ledger: &Ledger, request: pb::RefundPurchaseRequest) {
    let refunded = ledger.purchases().refund_purchase(ledger.call(request)).await;
    refunded.expect("refunded");
}
