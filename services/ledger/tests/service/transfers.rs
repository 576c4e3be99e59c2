//! Points that one owner sends to another.

mod limits;
mod races;
mod refused;

use fealty_proto::events::v1::WatchEventsRequest;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::EntryAccount as Account;
use fealty_proto::ledger::v1::expiry_policy::Policy;
use fealty_proto::ledger::v1::lot_life::Length;
use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement::Strong;
use fealty_types::ManualClock;
use tonic::{Code, Response, Status};

use super::harness::{is_replayed, new_id, until};
use super::messages::{life, policy};
use super::sharing::{check_books, hold, join, merge, open_household, points_of};
use super::support::{Ledger, adjust, credit, days, of_unit, refused, spend, timestamp, transfer};

pub async fn send(
    ledger: &Ledger,
    request: pb::TransferPointsRequest,
) -> Result<Response<pb::TransferPointsResponse>, Status> {
    ledger.transactions().transfer_points(ledger.call(request)).await
}

/// The two sides.
async fn sent(ledger: &Ledger, request: pb::TransferPointsRequest) -> (pb::Transaction, pb::Transaction) {
    let answer = send(ledger, request).await.expect("sent").into_inner();
    (
        answer.transaction.expect("the sender's"),
        answer.received_transaction.expect("the receiver's"),
    )
}

async fn two(ledger: &Ledger) -> (String, String) {
    (ledger.open_owner().await, ledger.open_owner().await)
}

fn entries(transaction: &pb::Transaction) -> Vec<(Account, i64, i64)> {
    let entries = transaction.entries.iter();
    entries
        .map(|entry| (entry.account(), entry.value, entry.balance_after))
        .collect()
}

/// What is left of each lot of points, and when it ends.
async fn lots(
    ledger: &Ledger,
    owner_id: &str,
    unit_code: &str,
) -> Vec<(i64, Option<prost_types::Timestamp>)> {
    let request = pb::ListLotsRequest {
        owner_id: owner_id.to_owned(),
        unit_code: unit_code.to_owned(),
        ..pb::ListLotsRequest::default()
    };
    let page = ledger.balances().list_lots(ledger.call(request)).await;
    let lots = page.expect("a page").into_inner().lots;
    lots.into_iter()
        .map(|lot| (lot.value_left, lot.expire_time))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_are_recorded_in_one_commit_and_name_each_other() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 100).await;
    ledger.give(&ben, 5).await;
    let request = transfer(&ana, &ben, 30);
    let answer = send(&ledger, request.clone()).await.expect("sent").into_inner();
    let (from, into) = (answer.transaction.unwrap(), answer.received_transaction.unwrap());
    assert_eq!(from.transaction_id, request.request_id);
    assert_eq!(
        (from.request_id.as_str(), into.request_id.as_str()),
        (request.request_id.as_str(), "")
    );
    for (own, other) in [(&from, &into), (&into, &from)] {
        assert_eq!(own.kind(), pb::TransactionKind::Transfer);
        assert_eq!(own.counterpart_transaction_id, other.transaction_id);
        assert_eq!(own.counterpart_owner_id, other.owner_id);
        assert_eq!(
            (own.version, own.source.as_str(), own.reason.as_str()),
            (2, "test", "a test")
        );
        assert_eq!((&own.actor, own.record_time), (&other.actor, other.record_time));
    }
    assert_eq!(
        entries(&from),
        [(Account::OwnerAvailable, -30, 70), (Account::ProgramMoved, 30, 0)]
    );
    assert_eq!(
        entries(&into),
        [(Account::OwnerAvailable, 30, 35), (Account::ProgramMoved, -30, 0)]
    );
    let balance = answer.balance.expect("the sender's balance");
    assert_eq!(
        (&balance.owner_id, of_unit(&balance, "points").available),
        (&ana, 70)
    );
    for transaction in [&from, &into] {
        let asked = pb::GetTransactionRequest {
            transaction_id: transaction.transaction_id.clone(),
        };
        let read = ledger.transactions().get_transaction(ledger.call(asked)).await;
        assert_eq!(
            read.expect("it is there").into_inner().transaction.as_ref(),
            Some(transaction)
        );
        assert_eq!(&ledger.statement(&transaction.owner_id).await[0], transaction);
    }
    let commits: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT xmin::text) FROM transaction WHERE kind = 'transfer'")
            .fetch_one(&ledger.database.owner)
            .await
            .expect("a count");
    assert_eq!(commits, 1);
    // The cache is told of both.
    for (owner, available) in [(&ana, 70), (&ben, 35)] {
        until("the cache holds the newest", async || {
            let balance = ledger.balance(owner, None).await.expect("a balance");
            of_unit(&balance, "points").available == available
        })
        .await;
    }
    assert_eq!(check_books(&ledger).await, 105);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_is_an_event_of_its_owner() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 100).await;
    sent(&ledger, transfer(&ana, &ben, 30)).await;
    for (owner, other, value) in [(&ana, &ben, -30), (&ben, &ana, 30)] {
        let request = WatchEventsRequest {
            subject_id: owner.clone(),
            ..WatchEventsRequest::default()
        };
        let mut stream = ledger
            .events()
            .watch_events(ledger.call(request))
            .await
            .expect("a stream")
            .into_inner();
        let told = loop {
            let answer = stream.message().await.expect("an answer").expect("more");
            let mut events = answer.events.into_iter().filter_map(|event| event.payload);
            let told = events.find_map(|payload| match payload {
                Payload::TransactionPosted(posted) if posted.kind == "transfer" => Some(posted),
                _ => None,
            });
            if let Some(told) = told {
                break told;
            }
        };
        assert_eq!((&told.owner_id, &told.counterpart_owner_id), (owner, other));
        assert_eq!(told.available_changes[0].value, value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_soonest_to_end_go_first_and_keep_their_ends() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    let (soon, later) = (
        timestamp(ledger.now() + days(3)),
        timestamp(ledger.now() + days(9)),
    );
    for (owner, value, end) in [
        (&ana, 40, None),
        (&ana, 20, Some(later)),
        (&ana, 10, Some(soon)),
        (&ben, 1, Some(later)),
    ] {
        let given = pb::CreditPointsRequest {
            lot_expire_time: end,
            ..credit(owner, "points", value)
        };
        ledger.credit(given).await.expect("credited");
    }
    let (_, received) = sent(&ledger, transfer(&ana, &ben, 35)).await;
    assert_eq!(lots(&ledger, &ana, "points").await, [(35, None)]);
    assert_eq!(
        lots(&ledger, &ben, "points").await,
        [(10, Some(soon)), (21, Some(later)), (5, None)]
    );
    let moved: Vec<i64> = received.lot_movements.iter().map(|it| it.value).collect();
    assert_eq!(moved, [10, 20, 5]);
    // And back again: what was emptied is not opened anew.
    sent(&ledger, transfer(&ben, &ana, 36)).await;
    assert_eq!(
        lots(&ledger, &ana, "points").await,
        [(10, Some(soon)), (21, Some(later)), (40, None)]
    );
    assert_eq!(check_books(&ledger).await, 71);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_not_sent_and_what_slides_joins_what_slides_at_the_later_end() {
    let clock = ManualClock::new("2026-03-01T00:00:00Z".parse().expect("a time"));
    let ledger = Ledger::start_at(&clock).await;
    let unit = pb::Unit {
        unit_code: "miles".to_owned(),
        display_name: "Miles".to_owned(),
        expiry_policy: Some(policy(Policy::AfterActivity(life(Length::LifeDays(30))))),
        shortfall_policy: pb::ShortfallPolicy::Waive.into(),
        transfer_rules: Some(pb::TransferRules::default()),
        ..pb::Unit::default()
    };
    let request = pb::CreateUnitRequest {
        request_id: new_id(),
        unit: Some(unit),
    };
    ledger
        .units()
        .create_unit(ledger.call(request))
        .await
        .expect("a unit");
    let (ana, ben) = two(&ledger).await;
    let miles = |from: &str, to: &str, value| pb::TransferPointsRequest {
        amount: credit(from, "miles", value).amount,
        ..transfer(from, to, value)
    };
    let own = pb::CreditPointsRequest {
        lot_expire_time: Some(timestamp(ledger.now() + days(5))),
        ..credit(&ana, "miles", 50)
    };
    ledger.credit(own).await.expect("credited");
    ledger.credit(credit(&ana, "miles", 20)).await.expect("credited");
    clock.advance(days(10));
    ledger.credit(credit(&ben, "miles", 7)).await.expect("credited");
    let status = send(&ledger, miles(&ana, &ben, 21))
        .await
        .expect_err("the fifty have ended");
    refused(
        &status,
        Code::FailedPrecondition,
        ErrorReason::InsufficientBalance,
    );
    sent(&ledger, miles(&ana, &ben, 5)).await;
    let (first, second) = (
        timestamp("2026-04-01T00:00:00Z".parse().expect("a time")),
        timestamp("2026-04-11T00:00:00Z".parse().expect("a time")),
    );
    assert_eq!(
        lots(&ledger, &ana, "miles").await,
        [(15, Some(first))],
        "no activity"
    );
    assert_eq!(lots(&ledger, &ben, "miles").await, [(12, Some(second))]);
    sent(&ledger, miles(&ben, &ana, 2)).await;
    assert_eq!(lots(&ledger, &ana, "miles").await, [(17, Some(second))]);
    check_books(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_aside_stays_and_what_arrives_pays_off_debt_first() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 100).await;
    hold(&ledger, &ana, 60).await;
    let status = send(&ledger, transfer(&ana, &ben, 41)).await.expect_err("held");
    let metadata = refused(
        &status,
        Code::FailedPrecondition,
        ErrorReason::InsufficientBalance,
    );
    assert_eq!(
        (metadata["available"].as_str(), metadata["required"].as_str()),
        ("40", "41")
    );
    let owes = pb::AdjustPointsRequest {
        allow_debt: true,
        ..adjust(&ben, "points", -25)
    };
    ledger
        .transactions()
        .adjust_points(ledger.call(owes))
        .await
        .expect("corrected");
    let (_, received) = sent(&ledger, transfer(&ana, &ben, 40)).await;
    assert_eq!(
        entries(&received),
        [
            (Account::OwnerAvailable, 15, 15),
            (Account::OwnerDebt, 25, 0),
            (Account::ProgramMoved, -40, 0)
        ]
    );
    assert_eq!(check_books(&ledger).await, 75);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_answered_as_the_first_time_also_when_it_was_refused() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 50).await;
    let request = pb::TransferPointsRequest {
        receipt_id: "order 7".to_owned(),
        ..transfer(&ana, &ben, 30)
    };
    let first = send(&ledger, request.clone()).await.expect("sent");
    let again = send(&ledger, request.clone()).await.expect("as before");
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.get_ref(), again.get_ref());
    for other in [
        transfer(&ana, &ben, 31),
        transfer(&ben, &ana, 30),
        transfer(&ana, &ledger.open_owner().await, 30),
    ] {
        let other = pb::TransferPointsRequest {
            request_id: request.request_id.clone(),
            ..other
        };
        let status = send(&ledger, other).await.expect_err("another command");
        refused(&status, Code::AlreadyExists, ErrorReason::RequestIdReused);
    }
    let used = pb::TransferPointsRequest {
        request_id: new_id(),
        ..request
    };
    let status = send(&ledger, used).await.expect_err("the order was paid");
    refused(&status, Code::AlreadyExists, ErrorReason::ReceiptAlreadyUsed);

    let too_much = transfer(&ana, &ben, 21);
    for _ in 0..2 {
        let status = send(&ledger, too_much.clone()).await.expect_err("too much");
        refused(
            &status,
            Code::FailedPrecondition,
            ErrorReason::InsufficientBalance,
        );
        ledger.give(&ana, 10).await;
    }
    assert_eq!(points_of(&ledger, &ben).await, 30);
    assert_eq!(check_books(&ledger).await, 70);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_household_send_and_receive_by_the_account_they_use() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    let household = open_household(&ledger).await;
    join(&ledger, &ana, &household).await;
    ledger.give(&household, 50).await;
    let (from, into) = sent(&ledger, transfer(&ana, &ben, 30)).await;
    assert_eq!((&from.owner_id, &from.on_behalf_of_owner_id), (&household, &ana));
    assert_eq!(
        (&into.counterpart_owner_id, into.on_behalf_of_owner_id.as_str()),
        (&household, "")
    );
    let (from, into) = sent(&ledger, transfer(&ben, &ana, 10)).await;
    assert_eq!((&into.owner_id, &into.on_behalf_of_owner_id), (&household, &ana));
    assert_eq!((&from.owner_id, &from.counterpart_owner_id), (&ben, &household));
    // Whoever was merged sends and receives as the other.
    let (twin, kept) = two(&ledger).await;
    merge(&ledger, &twin, &kept).await;
    sent(&ledger, transfer(&ben, &twin, 20)).await;
    sent(&ledger, transfer(&twin, &ana, 15)).await;
    assert_eq!(
        (
            points_of(&ledger, &household).await,
            points_of(&ledger, &ben).await,
            points_of(&ledger, &kept).await
        ),
        (45, 0, 5)
    );
    assert_eq!(check_books(&ledger).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_is_not_there_yet_is_there_for_the_same_request_later() {
    let ledger = Ledger::start().await;
    let ana = ledger.open_owner().await;
    ledger.give(&ana, 50).await;
    let (ben, unit) = (new_id(), "stars");
    let request = transfer(&ana, &ben, 30);
    let no_unit = pb::TransferPointsRequest {
        amount: credit(&ana, unit, 1).amount,
        ..transfer(&ana, &ledger.open_owner().await, 1)
    };
    for request in [&request, &transfer(&ben, &ana, 1), &no_unit] {
        let status = send(&ledger, request.clone()).await.expect_err("nobody");
        refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
    }
    let open = pb::OpenOwnerRequest {
        request_id: new_id(),
        owner_id: ben.clone(),
        kind: pb::OwnerKind::Member.into(),
    };
    ledger
        .owners()
        .open_owner(ledger.call(open))
        .await
        .expect("opened");
    let answer = send(&ledger, request).await.expect("sent");
    assert!(!is_replayed(&answer));
    assert_eq!(points_of(&ledger, &ben).await, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_can_be_spent_and_is_in_statements_of_its_kind() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 50).await;
    sent(&ledger, transfer(&ana, &ben, 30)).await;
    ledger
        .spend(spend(&ben, "points", 30))
        .await
        .expect("there is so much");
    let request = pb::ListTransactionsRequest {
        owner_id: ben.clone(),
        kinds: vec![pb::TransactionKind::Transfer.into()],
        unit_code: "points".to_owned(),
        ..pb::ListTransactionsRequest::default()
    };
    let page = ledger
        .transactions()
        .list_transactions(ledger.call(request))
        .await;
    let page = page.expect("a page").into_inner().transactions;
    assert_eq!(page.len(), 1);
    assert_eq!(page[0].counterpart_owner_id, ana);
    let balance = ledger.balance(&ben, Some(Strong(true))).await.expect("a balance");
    assert_eq!(of_unit(&balance, "points").available, 0);
}
