//! Credits and spends: balances, lots, debt, races.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::EntryAccount;
use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_types::ManualClock;
use futures::future::join_all;
use std::collections::BTreeMap;
use tonic::Code;
use tonic_types::StatusExt;

use super::harness::new_id;
use super::support::{Ledger, credit, days, of_unit, refused, spend, timestamp};
use super::verify::assert_verified;

fn clock() -> ManualClock {
    ManualClock::new("2026-03-01T12:00:00Z".parse().expect("a time"))
}

fn entries(transaction: &pb::Transaction) -> Vec<(EntryAccount, i64, i64)> {
    transaction
        .entries
        .iter()
        .map(|entry| (entry.account(), entry.value, entry.balance_after))
        .collect()
}

/// Everything that the tables say about an owner agrees with everything else.
pub async fn assert_books(ledger: &Ledger, owner: &str) {
    let statement = ledger.statement(owner).await;
    let versions: Vec<i64> = statement
        .iter()
        .rev()
        .map(|transaction| transaction.version)
        .collect();
    assert!(
        versions
            .iter()
            .copied()
            .eq(1..=i64::try_from(versions.len()).expect("few")),
        "{versions:?}"
    );
    let mut sums: BTreeMap<(String, bool), i64> = BTreeMap::new();
    for transaction in &statement {
        let mut of_transaction: BTreeMap<&str, i64> = BTreeMap::new();
        for entry in &transaction.entries {
            *of_transaction.entry(&entry.unit_code).or_default() += entry.value;
            let owners = matches!(
                entry.account(),
                EntryAccount::OwnerAvailable
                    | EntryAccount::OwnerDebt
                    | EntryAccount::OwnerHeld
                    | EntryAccount::OwnerPending
            );
            *sums.entry((entry.unit_code.clone(), owners)).or_default() += entry.value;
        }
        assert!(of_transaction.values().all(|sum| *sum == 0), "{transaction:?}");
    }
    let rows: Vec<(String, Vec<i64>, Vec<i64>)> = sqlx::query_as(
        "SELECT a.unit_code, ARRAY[a.available, a.pending, a.held, a.held, a.debt], \
         ARRAY[coalesce(sum(l.value_left) FILTER (WHERE NOT l.pending), 0)::bigint, \
               coalesce(sum(l.value_left) FILTER (WHERE l.pending), 0)::bigint, \
               coalesce(sum(l.value_held), 0)::bigint, (SELECT coalesce(sum(h.value), 0)::bigint FROM hold h WHERE \
               h.owner_id = a.owner_id AND h.unit_code = a.unit_code AND h.status = 'open')] FROM account a \
         LEFT JOIN lot l USING (program, owner_id, unit_code) WHERE a.owner_id::text = $1 \
         GROUP BY a.owner_id, 1, 2",
    )
    .bind(owner)
    .fetch_all(&ledger.database.jobs)
    .await
    .expect("accounts");
    for (unit, account, in_lots_and_holds) in rows {
        let debt = account[4];
        assert_eq!(account[..4], in_lots_and_holds, "the lots and holds of {unit}");
        let has = account[..3].iter().sum::<i64>() - debt;
        assert_eq!(sums.get(&(unit.clone(), true)).copied().unwrap_or(0), has);
        assert_eq!(sums.get(&(unit, false)).copied().unwrap_or(0), -has);
    }
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_are_credited_and_redeemed_and_the_books_are_even() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let credited = ledger
        .credit(credit(&owner, "points", 50))
        .await
        .expect("credited")
        .into_inner();
    let transaction = credited.transaction.expect("a transaction");
    assert_eq!(
        entries(&transaction),
        [
            (EntryAccount::OwnerAvailable, 50, 50),
            (EntryAccount::ProgramIssued, -50, 0)
        ]
    );
    assert_eq!(
        (transaction.version, transaction.kind()),
        (1, pb::TransactionKind::Credit)
    );
    assert_eq!(transaction.lot_movements.len(), 1);

    let spent = ledger
        .spend(spend(&owner, "points", 50))
        .await
        .expect("spent")
        .into_inner();
    let transaction = spent.transaction.expect("a transaction");
    assert_eq!(
        entries(&transaction),
        [
            (EntryAccount::OwnerAvailable, -50, 0),
            (EntryAccount::ProgramRedeemed, 50, 0)
        ]
    );
    let balance = spent.balance.expect("a balance");
    assert_eq!((balance.version, of_unit(&balance, "points").available), (2, 0));
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spends_that_race_for_the_last_points_get_them_once() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 100).await;
    let calls = (0..50).map(|place| {
        let ledger = if place % 2 == 0 { &ledger } else { &replica };
        ledger.spend(spend(&owner, "points", 30))
    });
    let answers = join_all(calls).await;
    let (accepted, refusals): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(accepted.len(), 3);
    for status in refusals.into_iter().filter_map(Result::err) {
        let metadata = refused(
            &status,
            Code::FailedPrecondition,
            ErrorReason::InsufficientBalance,
        );
        assert_eq!(metadata["required"], "30");
    }
    let balance = ledger
        .balance(&owner, Some(Requirement::Strong(true)))
        .await
        .expect("a balance");
    assert_eq!((balance.version, of_unit(&balance, "points").available), (4, 10));
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_at_once_leave_even_books_and_versions_without_gaps() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let owner = ledger.open_owner().await;
    let calls = (0..80).map(|place: i64| {
        let ledger = if place % 2 == 0 { &ledger } else { &replica };
        let owner = owner.clone();
        async move {
            if place % 3 == 0 {
                ledger.spend(spend(&owner, "points", place % 7 + 1)).await.is_ok()
            } else {
                ledger
                    .credit(credit(&owner, "points", place % 5 + 1))
                    .await
                    .is_ok()
            }
        }
    });
    let accepted = join_all(calls)
        .await
        .into_iter()
        .filter(|accepted| *accepted)
        .count();
    assert_eq!(ledger.statement(&owner).await.len(), accepted);
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_ends_by_itself_and_the_next_posting_writes_it_off() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    // Ten days from the day of the credit: the first instant of the 12th.
    let credited = ledger
        .credit(credit(&owner, "stamps", 10))
        .await
        .expect("credited")
        .into_inner();
    let end = timestamp("2026-03-12T00:00:00Z".parse().expect("a time"));
    let balance = credited.balance.expect("a balance");
    let stamps = of_unit(&balance, "stamps");
    assert_eq!(
        (stamps.next_expire_time, stamps.next_expire_value),
        (Some(end), 10)
    );

    clock.advance(days(5));
    ledger
        .credit(credit(&owner, "stamps", 3))
        .await
        .expect("credited");
    clock.set("2026-03-12T00:00:00Z".parse().expect("a time"));
    // Nobody wrote anything, and it does not count any more: neither in the cache nor in Postgres.
    for consistency in [None, Some(Requirement::Strong(true))] {
        let balance = ledger.balance(&owner, consistency).await.expect("a balance");
        assert_eq!((balance.version, of_unit(&balance, "stamps").available), (2, 3));
    }
    let status = ledger
        .spend(spend(&owner, "stamps", 4))
        .await
        .expect_err("ten have ended");
    let metadata = refused(
        &status,
        Code::FailedPrecondition,
        ErrorReason::InsufficientBalance,
    );
    assert_eq!(metadata["available"], "3");

    let statement = ledger.statement(&owner).await;
    assert_eq!(
        (statement[0].kind(), statement[0].version),
        (pb::TransactionKind::Expire, 3)
    );
    assert_eq!(
        entries(&statement[0]),
        [
            (EntryAccount::OwnerAvailable, -10, 3),
            (EntryAccount::ProgramExpired, 10, 0)
        ]
    );
    assert_eq!(
        (statement[0].actor.as_str(), statement[0].request_id.as_str()),
        ("ledger", "")
    );
    assert_eq!(statement[0].occur_time, Some(end));

    let spent = ledger
        .spend(spend(&owner, "stamps", 3))
        .await
        .expect("spent")
        .into_inner();
    assert_eq!(spent.transaction.expect("a transaction").version, 4);
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_spends_that_find_an_ended_lot_write_it_off_once() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    ledger
        .credit(credit(&owner, "stamps", 10))
        .await
        .expect("credited");
    clock.advance(days(5));
    ledger
        .credit(credit(&owner, "stamps", 8))
        .await
        .expect("credited");
    clock.advance(days(6));
    let answers = join_all((0..8).map(|_| ledger.spend(spend(&owner, "stamps", 2)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4);
    let kinds: Vec<_> = ledger
        .statement(&owner)
        .await
        .iter()
        .map(pb::Transaction::kind)
        .collect();
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == pb::TransactionKind::Expire)
            .count(),
        1
    );
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lot_that_ends_soonest_is_spent_first() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    for in_days in [30, 10, 20] {
        let lot_expire_time = Some(timestamp(ledger.now() + days(in_days)));
        let request = pb::CreditPointsRequest {
            lot_expire_time,
            ..credit(&owner, "points", 10)
        };
        ledger.credit(request).await.expect("credited");
    }
    ledger.give(&owner, 10).await;
    let spent = ledger
        .spend(spend(&owner, "points", 35))
        .await
        .expect("spent")
        .into_inner();
    let movements = spent.transaction.expect("a transaction").lot_movements;
    let taken: Vec<_> = movements
        .iter()
        .map(|movement| (movement.expire_time, movement.value))
        .collect();
    let end = |in_days| Some(timestamp(ledger.now() + days(in_days)));
    assert_eq!(
        taken,
        [(end(10), -10), (end(20), -10), (end(30), -10), (None, -5)]
    );
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_in_the_past_is_refused_but_its_retry_is_still_answered() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    let end = ledger.now() + days(1);
    let request = pb::CreditPointsRequest {
        lot_expire_time: Some(timestamp(end)),
        ..credit(&owner, "points", 10)
    };
    let first = ledger
        .credit(request.clone())
        .await
        .expect("credited")
        .into_inner();
    clock.advance(days(2));
    let again = ledger
        .credit(request.clone())
        .await
        .expect("the first answer")
        .into_inner();
    assert_eq!(first, again);

    let status = ledger
        .credit(pb::CreditPointsRequest {
            request_id: new_id(),
            ..request
        })
        .await;
    let status = status.expect_err("it has ended");
    refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
    let violations = status
        .get_details_bad_request()
        .expect("BadRequest")
        .field_violations;
    assert_eq!(violations[0].field, "lot_expire_time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_that_does_not_fit_is_refused_and_remembered() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, i64::MAX).await;
    let request = credit(&owner, "points", 1);
    for _ in 0..2 {
        let status = ledger.credit(request.clone()).await.expect_err("too much");
        let metadata = refused(&status, Code::FailedPrecondition, ErrorReason::AmountOverflow);
        assert_eq!(metadata["unit_code"], "points");
    }
    let balance = ledger
        .balance(&owner, Some(Requirement::Strong(true)))
        .await
        .expect("a balance");
    assert_eq!(
        (balance.version, of_unit(&balance, "points").available),
        (1, i64::MAX)
    );
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named_at_once_and_nothing_happens() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let request = pb::CreditPointsRequest {
        request_id: "no".to_owned(),
        owner_id: "no".to_owned(),
        amount: Some(fealty_proto::types::v1::Amount {
            unit_code: "No".to_owned(),
            value: 0,
        }),
        lot_expire_time: Some(prost_types::Timestamp {
            seconds: 0,
            nanos: -1,
        }),
        source: "x".repeat(65),
        receipt_id: "x".repeat(129),
        reason: " ".to_owned(),
        occur_time: Some(timestamp(ledger.now() + days(1))),
        budget_code: "No".to_owned(),
        begin: Some(pb::credit_points_request::Begin::BeginOnCall(false)),
    };
    let status = ledger.credit(request).await.expect_err("malformed");
    refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
    let violations = status
        .get_details_bad_request()
        .expect("BadRequest")
        .field_violations;
    let fields: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "request_id",
            "owner_id",
            "amount.unit_code",
            "amount.value",
            "source",
            "receipt_id",
            "reason",
            "occur_time",
            "lot_expire_time",
            "budget_code",
            "begin_on_call"
        ]
    );
    assert!(ledger.statement(&owner).await.is_empty());
}
