//! Points that are given and not yet the owner's to spend.

mod races;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::TransactionKind as Kind;
use fealty_proto::ledger::v1::credit_points_request::Begin;
use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement::Strong;
use fealty_types::ManualClock;
use tonic::{Code, Response, Status};

use super::harness::{is_replayed, new_id, until};
use super::messages::{cashback, purchase_of, refund_of};
use super::postings::assert_books;
use super::sharing::{join, open_household};
use super::support::{Ledger, Setting, credit, days, of_unit, refused, spend, timestamp};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// "stamps" live for ten days.
async fn start() -> (Ledger, ManualClock) {
    let clock = ManualClock::new(time("2026-03-01T12:00:00Z"));
    (Ledger::start_at(&clock).await, clock)
}

pub fn waiting(owner: &str, unit_code: &str, value: i64, begin: Begin) -> pb::CreditPointsRequest {
    pb::CreditPointsRequest {
        begin: Some(begin),
        ..credit(owner, unit_code, value)
    }
}

fn until_time(time: DateTime<Utc>) -> Begin {
    Begin::BeginTime(timestamp(time))
}

pub async fn give(ledger: &Ledger, request: pb::CreditPointsRequest) -> pb::Transaction {
    let given = ledger.credit(request).await.expect("given").into_inner();
    given.transaction.expect("a transaction")
}

pub fn activation(transaction_id: &str) -> pb::ActivatePointsRequest {
    pb::ActivatePointsRequest {
        request_id: new_id(),
        transaction_id: transaction_id.to_owned(),
        source: "shop".to_owned(),
        reason: "the goods were kept".to_owned(),
    }
}

pub async fn activate(
    ledger: &Ledger,
    request: pb::ActivatePointsRequest,
) -> Result<Response<pb::ActivatePointsResponse>, Status> {
    ledger.transactions().activate_points(ledger.call(request)).await
}

/// By the record: available, pending and debt.
pub async fn has(ledger: &Ledger, owner: &str, unit_code: &str) -> (i64, i64, i64) {
    let balance = ledger
        .balance(owner, Some(Strong(true)))
        .await
        .expect("a balance");
    let unit = of_unit(&balance, unit_code);
    (unit.available, unit.pending, unit.debt)
}

async fn kinds(ledger: &Ledger, owner: &str) -> Vec<Kind> {
    let statement = ledger.statement(owner).await;
    statement.iter().map(pb::Transaction::kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_shown_and_nobodys_to_spend_until_it_begins_by_itself() {
    let (ledger, clock) = start().await;
    let owner = ledger.open_owner().await;
    let begin = ledger.now() + days(3);
    let given = give(&ledger, waiting(&owner, "stamps", 30, until_time(begin))).await;
    give(&ledger, waiting(&owner, "stamps", 5, until_time(begin + days(1)))).await;
    ledger.credit(credit(&owner, "stamps", 7)).await.expect("given");

    let balance = ledger.balance(&owner, None).await.expect("a balance");
    let stamps = of_unit(&balance, "stamps");
    assert_eq!((stamps.available, stamps.pending), (7, 35));
    assert_eq!(
        (stamps.next_begin_time, stamps.next_begin_value),
        (Some(timestamp(begin)), 30)
    );
    let entry = &given.entries[0];
    assert_eq!(
        (entry.account(), entry.value, entry.balance_after),
        (pb::EntryAccount::OwnerPending, 30, 30)
    );
    let moved = &given.lot_movements[0];
    assert_eq!((moved.pending, moved.begin_time), (true, Some(timestamp(begin))));
    let status = ledger
        .spend(spend(&owner, "stamps", 8))
        .await
        .expect_err("it waits");
    refused(
        &status,
        Code::FailedPrecondition,
        ErrorReason::InsufficientBalance,
    );

    clock.set(begin - TimeDelta::microseconds(1));
    assert_eq!(has(&ledger, &owner, "stamps").await, (7, 35, 0));
    clock.set(begin);
    // Nothing was written down, and it counts: by the record, by the cache, and for whoever spends.
    assert_eq!(has(&ledger, &owner, "stamps").await, (37, 5, 0));
    let balance = ledger.balance(&owner, None).await.expect("a balance");
    assert_eq!(of_unit(&balance, "stamps").available, 37);
    ledger.spend(spend(&owner, "stamps", 8)).await.expect("it counts");
    let statement = ledger.statement(&owner).await;
    let kinds: Vec<Kind> = statement.iter().map(pb::Transaction::kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::Spend,
            Kind::Activate,
            Kind::Credit,
            Kind::Credit,
            Kind::Credit
        ]
    );
    let written = &statement[1];
    assert_eq!(
        (written.actor.as_str(), written.occur_time),
        ("ledger", Some(timestamp(begin)))
    );
    assert_eq!(
        written.lot_movements[1].lot_id, moved.lot_id,
        "the lot stays the same"
    );
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_begins_when_the_points_do_and_a_beginning_that_has_passed_is_none() {
    let (ledger, clock) = start().await;
    let owner = ledger.open_owner().await;
    give(
        &ledger,
        waiting(&owner, "stamps", 3, until_time(time("2026-03-05T12:00:00Z"))),
    )
    .await;
    give(
        &ledger,
        waiting(&owner, "stamps", 2, until_time(ledger.now() - days(1))),
    )
    .await;
    assert_eq!(has(&ledger, &owner, "stamps").await, (2, 3, 0));
    // Ten days after the first of March, and after the fifth.
    clock.set(time("2026-03-12T00:00:00Z"));
    assert_eq!(has(&ledger, &owner, "stamps").await, (3, 0, 0));
    clock.set(time("2026-03-16T00:00:00Z"));
    assert_eq!(has(&ledger, &owner, "stamps").await, (0, 0, 0));
    ledger.give(&owner, 1).await;
    assert_eq!(
        kinds(&ledger, &owner).await,
        [
            Kind::Credit,
            Kind::Expire,
            Kind::Activate,
            Kind::Credit,
            Kind::Credit
        ]
    );
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_lets_begin_what_waits_of_one_credit_once() {
    let (ledger, clock) = start().await;
    let owner = ledger.open_owner().await;
    let later = ledger.now() + days(30);
    let by_call = give(&ledger, waiting(&owner, "stamps", 5, Begin::BeginOnCall(true))).await;
    let by_time = give(&ledger, waiting(&owner, "stamps", 11, until_time(later))).await;
    clock.advance(days(4));
    assert_eq!(has(&ledger, &owner, "stamps").await, (0, 16, 0));

    let request = activation(&by_call.transaction_id);
    let first = activate(&ledger, request.clone()).await.expect("it begins");
    assert!(!is_replayed(&first));
    assert_eq!(has(&ledger, &owner, "stamps").await, (5, 11, 0));
    let again = activate(&ledger, request).await.expect("the same again");
    assert!(is_replayed(&again));
    assert_eq!(first.into_inner(), again.into_inner());
    let status = activate(&ledger, activation(&by_call.transaction_id))
        .await
        .expect_err("nothing waits of it");
    let metadata = refused(&status, Code::FailedPrecondition, ErrorReason::NothingPending);
    assert_eq!(metadata["transaction_id"], by_call.transaction_id);

    // Before its time, too. What begins by a call lives from that day on, unless its beginning was fixed.
    activate(&ledger, activation(&by_time.transaction_id))
        .await
        .expect("it begins");
    let request = pb::ListLotsRequest {
        owner_id: owner.clone(),
        ..pb::ListLotsRequest::default()
    };
    let page = ledger.balances().list_lots(ledger.call(request)).await;
    let lots: Vec<_> = page.expect("a page").into_inner().lots;
    let ends: Vec<_> = lots.iter().map(|lot| (lot.value_left, lot.expire_time)).collect();
    assert_eq!(
        ends,
        [
            (5, Some(timestamp(time("2026-03-16T00:00:00Z")))),
            (11, Some(timestamp(time("2026-04-11T00:00:00Z"))))
        ]
    );
    assert!(lots.iter().all(|lot| !lot.pending));
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_finds_the_points_in_whatever_account_they_are_by_then() {
    let (ledger, _clock) = start().await;
    let (owner, household) = (ledger.open_owner().await, open_household(&ledger).await);
    let given = give(&ledger, waiting(&owner, "points", 9, Begin::BeginOnCall(true))).await;
    join(&ledger, &owner, &household).await;
    assert_eq!(has(&ledger, &household, "points").await, (0, 9, 0));
    let begun = activate(&ledger, activation(&given.transaction_id)).await;
    let begun = begun
        .expect("it begins")
        .into_inner()
        .transaction
        .expect("a transaction");
    assert_eq!(begun.owner_id, household);
    assert_eq!(has(&ledger, &household, "points").await, (9, 0, 0));
    assert_books(&ledger, &household).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_begins_pays_off_debt_first_and_what_has_an_end_may_end_while_it_waits() {
    let (ledger, clock) = start().await;
    let owner = ledger.open_owner().await;
    let rule = pb::CreateEarningRuleRequest {
        request_id: new_id(),
        earning_rule: Some(cashback("points", "0.01")),
    };
    ledger
        .rules()
        .create_earning_rule(ledger.call(rule))
        .await
        .expect("a rule");
    let bought = ledger
        .purchases()
        .record_purchase(ledger.call(purchase_of(&owner, 100_000)))
        .await;
    let bought = bought.expect("bought").into_inner().purchase.expect("a purchase");
    let earned = has(&ledger, &owner, "points").await.0;
    ledger
        .spend(spend(&owner, "points", earned))
        .await
        .expect("spent");
    ledger
        .purchases()
        .refund_purchase(ledger.call(refund_of(&bought.purchase_id, 100_000)))
        .await
        .expect("refunded");
    assert_eq!(has(&ledger, &owner, "points").await, (0, 0, earned));

    let waits = give(
        &ledger,
        waiting(&owner, "points", earned + 7, Begin::BeginOnCall(true)),
    )
    .await;
    assert_eq!(
        has(&ledger, &owner, "points").await,
        (0, earned + 7, earned),
        "what waits pays nothing off"
    );
    activate(&ledger, activation(&waits.transaction_id))
        .await
        .expect("it begins");
    assert_eq!(has(&ledger, &owner, "points").await, (7, 0, 0));

    let ending = pb::CreditPointsRequest {
        lot_expire_time: Some(timestamp(ledger.now() + days(2))),
        ..waiting(&owner, "points", 3, Begin::BeginOnCall(true))
    };
    let ending = give(&ledger, ending).await;
    clock.advance(days(2));
    assert_eq!(has(&ledger, &owner, "points").await, (7, 0, 0));
    let status = activate(&ledger, activation(&ending.transaction_id))
        .await
        .expect_err("it has ended");
    refused(&status, Code::FailedPrecondition, ErrorReason::NothingPending);
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_waited_cannot_begin_and_what_nobody_gave_is_not_found() {
    let (ledger, _clock) = start().await;
    let owner = ledger.open_owner().await;
    let given = give(&ledger, credit(&owner, "points", 5)).await;
    let status = activate(&ledger, activation(&given.transaction_id))
        .await
        .expect_err("it never waited");
    refused(&status, Code::FailedPrecondition, ErrorReason::NothingPending);
    let status = activate(&ledger, activation(&new_id()))
        .await
        .expect_err("there is no such transaction");
    let metadata = refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
    assert_eq!(metadata["resource"], "transaction");

    let contradiction = pb::CreditPointsRequest {
        lot_expire_time: Some(timestamp(ledger.now() + days(2))),
        ..waiting(&owner, "points", 3, until_time(ledger.now() + days(2)))
    };
    let status = ledger
        .credit(contradiction)
        .await
        .expect_err("it would end before");
    refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
    assert_eq!(kinds(&ledger, &owner).await, [Kind::Credit]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_begun_is_written_down_without_anybodys_call() {
    let clock = ManualClock::new(time("2026-03-01T12:00:00Z"));
    let ledger = Ledger::start_in(Setting {
        clock: Some(clock.clone()),
        writes_off: true,
        ..Setting::default()
    })
    .await;
    let owner = ledger.open_owner().await;
    give(
        &ledger,
        waiting(&owner, "points", 4, until_time(ledger.now() + days(1))),
    )
    .await;
    clock.advance(days(1));
    until("it is written down", async || {
        kinds(&ledger, &owner).await == [Kind::Activate, Kind::Credit]
    })
    .await;
    assert_books(&ledger, &owner).await;
}
