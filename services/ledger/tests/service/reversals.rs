//! `ReverseTransaction`: what was done is taken back, whole and in parts, and never more than that.

mod lots;
mod owners;
mod races;
mod refused;
mod together;
mod waiting;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::reverse_transaction_response::Outcome;
use fealty_proto::types::v1::ErrorReason;
use tonic::{Code, Response, Status};

use super::harness::{is_replayed, new_id};
use super::sharing::{hold, points_of};
use super::support::{Ledger, credit, of_unit, refused, spend};
use super::verify::assert_verified;

pub fn reversal(transaction_id: &str, value: i64) -> pb::ReverseTransactionRequest {
    pb::ReverseTransactionRequest {
        request_id: new_id(),
        transaction_id: transaction_id.to_owned(),
        value,
        source: "desk".to_owned(),
        reason: "a mistake".to_owned(),
        ..pb::ReverseTransactionRequest::default()
    }
}

pub async fn try_reverse(
    ledger: &Ledger,
    request: pb::ReverseTransactionRequest,
) -> Result<Response<pb::ReverseTransactionResponse>, Status> {
    ledger
        .transactions()
        .reverse_transaction(ledger.call(request))
        .await
}

async fn reverse(ledger: &Ledger, transaction_id: &str, value: i64) -> pb::ReverseTransactionResponse {
    let reversed = try_reverse(ledger, reversal(transaction_id, value)).await;
    reversed.expect("reversed").into_inner()
}

/// (to lots, paid off, ended) of a spend; (from available, as debt, waived) of a credit.
fn parts(reversed: &pb::ReverseTransactionResponse) -> (i64, i64, i64) {
    match reversed.outcome.expect("an outcome") {
        Outcome::Spend(spend) => (spend.to_lots, spend.debt_repaid, spend.ended),
        Outcome::Credit(credit) => (credit.from_available, credit.as_debt, credit.waived),
    }
}

/// Spends, and answers the transaction's id.
async fn take(ledger: &Ledger, owner: &str, unit: &str, value: i64) -> String {
    let spent = ledger.spend(spend(owner, unit, value)).await.expect("spent");
    spent
        .into_inner()
        .transaction
        .expect("a transaction")
        .transaction_id
}

/// Credits, and answers the transaction's id.
async fn give(ledger: &Ledger, owner: &str, unit: &str, value: i64) -> String {
    let given = ledger.credit(credit(owner, unit, value)).await.expect("given");
    given
        .into_inner()
        .transaction
        .expect("a transaction")
        .transaction_id
}

async fn capture(ledger: &Ledger, hold_id: &str, value: i64) -> pb::Transaction {
    let request = pb::CaptureHoldRequest {
        request_id: new_id(),
        hold_id: hold_id.to_owned(),
        value,
        ..pb::CaptureHoldRequest::default()
    };
    let captured = ledger.holds().capture_hold(ledger.call(request)).await;
    captured
        .expect("captured")
        .into_inner()
        .transaction
        .expect("a transaction")
}

/// What a refusal says is left, and what was asked for.
fn exceeds(status: &Status) -> (String, String) {
    let metadata = refused(
        status,
        Code::FailedPrecondition,
        ErrorReason::ReversalExceedsTransaction,
    );
    (
        metadata["reversible_value"].clone(),
        metadata["required_value"].clone(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spend_is_taken_back_in_parts_until_nothing_is_left_of_it() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 100).await;
    let spent = take(&ledger, &owner, "points", 60).await;
    let first = reverse(&ledger, &spent, 25).await;
    assert_eq!((parts(&first), first.reversible_value), ((25, 0, 0), 35));
    let status = try_reverse(&ledger, reversal(&spent, 36))
        .await
        .expect_err("too much");
    assert_eq!(exceeds(&status), ("35".to_owned(), "36".to_owned()));
    let status = try_reverse(&ledger, reversal(&spent, i64::MAX))
        .await
        .expect_err("too much");
    assert_eq!(exceeds(&status).1, i64::MAX.to_string());
    let rest = reverse(&ledger, &spent, 0).await;
    assert_eq!((parts(&rest), rest.reversible_value), ((35, 0, 0), 0));
    for value in [0, 1] {
        let status = try_reverse(&ledger, reversal(&spent, value))
            .await
            .expect_err("nothing is left");
        assert_eq!(exceeds(&status), ("0".to_owned(), "1".to_owned()));
    }
    assert_eq!(points_of(&ledger, &owner).await, 100);

    let transaction = rest.transaction.expect("a transaction");
    assert_eq!(
        (
            transaction.kind(),
            &transaction.reversed_transaction_id,
            &transaction.source,
            &transaction.reason
        ),
        (
            pb::TransactionKind::Reverse,
            &spent,
            &"desk".to_owned(),
            &"a mistake".to_owned()
        )
    );
    let entries: Vec<_> = transaction
        .entries
        .iter()
        .map(|entry| (entry.account(), entry.value, entry.balance_after))
        .collect();
    assert_eq!(
        entries,
        [
            (pb::EntryAccount::OwnerAvailable, 35, 100),
            (pb::EntryAccount::ProgramRedeemed, -35, 0)
        ]
    );
    let statement = ledger.statement(&owner).await;
    assert_eq!(statement[0], transaction);
    let whose: Vec<&str> = statement
        .iter()
        .map(|it| it.reversed_transaction_id.as_str())
        .collect();
    assert_eq!(whose, [&spent, &spent, "", ""]);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credit_is_taken_back_from_its_lots_then_from_others_then_as_debt() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let end = |days| {
        Some(super::support::timestamp(
            ledger.now() + super::support::days(days),
        ))
    };
    let with_end = |value, days| pb::CreditPointsRequest {
        lot_expire_time: end(days),
        ..credit(&owner, "points", value)
    };
    let soon = ledger.credit(with_end(10, 5)).await.expect("given").into_inner();
    let late = ledger.credit(with_end(30, 50)).await.expect("given").into_inner();
    let (soon, late) = (soon.transaction.unwrap(), late.transaction.unwrap());
    let part = reverse(&ledger, &late.transaction_id, 20).await;
    assert_eq!((parts(&part), part.reversible_value), ((20, 0, 0), 10));
    let moved = &part.transaction.as_ref().expect("a transaction").lot_movements;
    assert_eq!(
        (moved.len(), &moved[0].lot_id, moved[0].value),
        (1, &late.lot_movements[0].lot_id, -20)
    );
    // 10 and 10 are left, of which 15 go.
    take(&ledger, &owner, "points", 15).await;
    let rest = reverse(&ledger, &late.transaction_id, 0).await;
    assert_eq!(parts(&rest), (5, 5, 0));
    let first = reverse(&ledger, &soon.transaction_id, 0).await;
    assert_eq!(parts(&first), (0, 10, 0));
    let balance = first.balance.expect("a balance");
    assert_eq!(
        (
            of_unit(&balance, "points").available,
            of_unit(&balance, "points").debt
        ),
        (0, 15)
    );

    // Stamps are waived.
    let given = give(&ledger, &owner, "stamps", 8).await;
    take(&ledger, &owner, "stamps", 6).await;
    assert_eq!(parts(&reverse(&ledger, &given, 0).await), (2, 0, 6));
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_hold_is_taken_back_and_names_its_hold() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 100).await;
    let held = hold(&ledger, &owner, 50).await;
    let captured = capture(&ledger, &held, 30).await;
    assert_eq!(captured.hold_id, held);
    assert_eq!(points_of(&ledger, &owner).await, 70);
    let part = reverse(&ledger, &captured.transaction_id, 10).await;
    assert_eq!((parts(&part), part.reversible_value), ((10, 0, 0), 20));
    let status = try_reverse(&ledger, reversal(&captured.transaction_id, 21)).await;
    assert_eq!(exceeds(&status.expect_err("more than was captured")).0, "20");
    reverse(&ledger, &captured.transaction_id, 0).await;
    assert_eq!(points_of(&ledger, &owner).await, 100);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn debt_is_paid_off_before_anything_is_available() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let given = give(&ledger, &owner, "points", 50).await;
    let spent = take(&ledger, &owner, "points", 50).await;
    assert_eq!(parts(&reverse(&ledger, &given, 30).await), (0, 30, 0));
    let back = reverse(&ledger, &spent, 0).await;
    assert_eq!(parts(&back), (20, 30, 0));
    let balance = back.balance.expect("a balance");
    assert_eq!(
        (
            of_unit(&balance, "points").available,
            of_unit(&balance, "points").debt
        ),
        (20, 0)
    );
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_is_replayed_and_its_receipt_is_used_once() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 100).await;
    let spent = take(&ledger, &owner, "points", 60).await;
    let request = pb::ReverseTransactionRequest {
        receipt_id: "R-1".to_owned(),
        ..reversal(&spent, 10)
    };
    let first = try_reverse(&ledger, request.clone()).await.expect("reversed");
    let again = try_reverse(&ledger, request.clone()).await.expect("reversed");
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.into_inner(), again.into_inner());
    let other = pb::ReverseTransactionRequest {
        value: 11,
        ..request.clone()
    };
    let status = try_reverse(&ledger, other).await.expect_err("another command");
    refused(&status, Code::AlreadyExists, ErrorReason::RequestIdReused);
    let twice = pb::ReverseTransactionRequest {
        request_id: new_id(),
        ..request
    };
    let status = try_reverse(&ledger, twice)
        .await
        .expect_err("the receipt is used");
    refused(&status, Code::AlreadyExists, ErrorReason::ReceiptAlreadyUsed);

    // A refusal stays one, also when it would be possible by then.
    let request = reversal(&spent, 51);
    let first = try_reverse(&ledger, request.clone())
        .await
        .expect_err("50 are left");
    let again = try_reverse(&ledger, request).await.expect_err("as before");
    assert_eq!(
        (first.message(), first.details()),
        (again.message(), again.details())
    );
    assert_eq!(points_of(&ledger, &owner).await, 50);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_of_a_reversal_names_what_it_took_back() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 10).await;
    let spent = take(&ledger, &owner, "points", 4).await;
    reverse(&ledger, &spent, 0).await;
    let request = fealty_proto::events::v1::WatchEventsRequest {
        subject_id: owner,
        ..Default::default()
    };
    let stream = ledger.events().watch_events(ledger.call(request)).await;
    let mut stream = stream.expect("a stream").into_inner();
    let mut told = Vec::new();
    while told.len() < 3 {
        let answer = tokio::time::timeout(std::time::Duration::from_mins(1), stream.message()).await;
        let events = answer.expect("in time").expect("no error").expect("more").events;
        told.extend(events.into_iter().map(|event| {
            let Some(fealty_proto::events::v1::event::Payload::TransactionPosted(posted)) = event.payload
            else {
                panic!("a transaction")
            };
            (posted.kind, posted.reversed_transaction_id)
        }));
    }
    let expected = [("credit", ""), ("spend", ""), ("reverse", spent.as_str())];
    assert_eq!(told, expected.map(|(kind, id)| (kind.to_owned(), id.to_owned())));
}
