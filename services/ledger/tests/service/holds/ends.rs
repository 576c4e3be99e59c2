//! How holds end: by themselves at their instant, once, and with what comes back from lots that ended and into debt.

use chrono::TimeDelta;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::{EntryAccount, HoldStatus, TransactionKind};
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::replayed::REPLAYED_HEADER;
use fealty_types::ManualClock;
use tonic::{Code, Status};

use super::{capture, entries, hold, kinds, numbers, release};
use crate::service::harness::{is_replayed, new_id};
use crate::service::messages::{cashback, purchase_of, refund_of};
use crate::service::postings::assert_books;
use crate::service::support::{Ledger, credit, days, refused, spend};

fn clock() -> ManualClock {
    ManualClock::new("2026-03-01T12:00:00Z".parse().expect("a time"))
}

fn not_open(status: &Status, became: &str) {
    let metadata = refused(status, Code::FailedPrecondition, ErrorReason::HoldNotOpen);
    assert_eq!(metadata["status"], became);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_by_itself_at_its_instant_for_postings_and_reads() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 50).await;
    let request = pb::HoldPointsRequest {
        duration_seconds: 60,
        ..hold(&owner, "points", 50)
    };
    let made = ledger
        .hold(request)
        .await
        .expect("held")
        .into_inner()
        .hold
        .expect("a hold");
    clock.advance(TimeDelta::microseconds(59_999_999));
    assert_eq!(ledger.holding(&owner, "points").await, (0, 50, 0));
    assert_eq!(ledger.get_hold(&made).await.status(), HoldStatus::Open);

    clock.advance(TimeDelta::microseconds(1));
    assert_eq!(ledger.holding(&owner, "points").await, (50, 0, 0));
    assert_eq!(ledger.get_hold(&made).await.status(), HoldStatus::Expired);
    let request = pb::ListLotsRequest {
        owner_id: owner.clone(),
        ..pb::ListLotsRequest::default()
    };
    let lots = ledger
        .balances()
        .list_lots(ledger.call(request))
        .await
        .expect("lots");
    assert_eq!(lots.into_inner().lots[0].value_left, 50);
    assert_eq!(
        ledger.statement(&owner).await.len(),
        2,
        "nobody has written it down yet"
    );

    let late = capture(&made, 0);
    for replayed in [false, true] {
        let status = ledger.capture(late.clone()).await.expect_err("it has ended");
        not_open(&status, "expired");
        assert_eq!(status.metadata().contains_key(REPLAYED_HEADER), replayed);
    }
    ledger.spend(spend(&owner, "points", 50)).await.expect("spent");
    let statement = ledger.statement(&owner).await;
    assert_eq!(
        kinds(&statement[..2]),
        [TransactionKind::Spend, TransactionKind::Release]
    );
    assert_eq!(statement[1].actor, "ledger");
    assert_eq!(statement[1].occur_time, made.expire_time);
    assert_eq!(ledger.get_hold(&made).await.status(), HoldStatus::Expired);
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_stays_over_and_giving_back_again_changes_nothing() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 100).await;
    let captured = ledger.held(&owner, 10).await;
    ledger.capture(capture(&captured, 0)).await.expect("captured");
    let status = ledger.release(release(&captured)).await.expect_err("it is spent");
    not_open(&status, "captured");
    let status = ledger
        .capture(capture(&captured, 0))
        .await
        .expect_err("it is spent");
    not_open(&status, "captured");

    let released = ledger.held(&owner, 20).await;
    let expired = ledger.held(&owner, 30).await;
    let answer = ledger
        .release(release(&released))
        .await
        .expect("released")
        .into_inner();
    assert_eq!(answer.hold.expect("a hold").status(), HoldStatus::Released);
    assert_eq!(
        numbers(&answer.balance.expect("a balance"), "points"),
        (60, 30, 0)
    );
    let status = ledger
        .capture(capture(&released, 0))
        .await
        .expect_err("it was given back");
    not_open(&status, "released");
    clock.advance(TimeDelta::seconds(900));
    ledger.give(&owner, 1).await;
    let before = ledger.statement(&owner).await;
    for (hold, became) in [(&released, HoldStatus::Released), (&expired, HoldStatus::Expired)] {
        let request = release(hold);
        let first = ledger.release(request.clone()).await.expect("answered");
        let again = ledger.release(request.clone()).await.expect("answered");
        assert!(!is_replayed(&first) && is_replayed(&again));
        let (first, again) = (first.into_inner(), again.into_inner());
        assert_eq!(first, again);
        assert_eq!(first.hold.expect("a hold").status(), became);
        assert_eq!(numbers(&first.balance.expect("a balance"), "points"), (91, 0, 0));
        // It is remembered like any other request.
        let other = pb::SpendPointsRequest {
            request_id: request.request_id,
            ..spend(&owner, "points", 1)
        };
        let status = ledger.spend(other).await.expect_err("another command");
        refused(&status, Code::AlreadyExists, ErrorReason::RequestIdReused);
    }
    assert_eq!(ledger.statement(&owner).await, before);
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_gone_where_its_lot_has_ended() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    // Stamps end after ten days.
    ledger
        .credit(credit(&owner, "stamps", 5))
        .await
        .expect("credited");
    let request = pb::HoldPointsRequest {
        duration_seconds: 2_592_000,
        ..hold(&owner, "stamps", 3)
    };
    let made = ledger
        .hold(request)
        .await
        .expect("held")
        .into_inner()
        .hold
        .expect("a hold");
    clock.advance(days(11));
    assert_eq!(
        ledger.holding(&owner, "stamps").await,
        (0, 3, 0),
        "a hold keeps its claim"
    );
    ledger
        .credit(credit(&owner, "stamps", 1))
        .await
        .expect("credited");
    let released = ledger
        .release(release(&made))
        .await
        .expect("released")
        .into_inner();
    assert_eq!(
        numbers(&released.balance.expect("a balance"), "stamps"),
        (1, 0, 0)
    );
    let statement = ledger.statement(&owner).await;
    assert_eq!(
        entries(&statement[0]),
        [(EntryAccount::OwnerHeld, -3), (EntryAccount::ProgramExpired, 3)]
    );
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_pays_off_debt_first() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    let request = pb::CreateEarningRuleRequest {
        request_id: new_id(),
        earning_rule: Some(cashback("points", "0.01")),
    };
    let rule = ledger.rules().create_earning_rule(ledger.call(request)).await;
    rule.expect("a rule");
    let request = ledger.call(purchase_of(&owner, 1_000_000));
    let bought = ledger.purchases().record_purchase(request).await.expect("bought");
    let purchase_id = bought.into_inner().purchase.expect("a purchase").purchase_id;
    let made = ledger.held(&owner, 80).await;
    // A hundred were earned, and twenty are there.
    let request = ledger.call(refund_of(&purchase_id, 1_000_000));
    ledger
        .purchases()
        .refund_purchase(request)
        .await
        .expect("refunded");
    assert_eq!(ledger.holding(&owner, "points").await, (0, 80, 80));
    let status = ledger
        .hold(hold(&owner, "points", 1))
        .await
        .expect_err("nothing is there");
    refused(
        &status,
        Code::FailedPrecondition,
        ErrorReason::InsufficientBalance,
    );
    let captured = ledger
        .capture(capture(&made, 10))
        .await
        .expect("captured")
        .into_inner();
    assert_eq!(
        numbers(&captured.balance.expect("a balance"), "points"),
        (0, 0, 10)
    );
    assert_books(&ledger, &owner).await;
}
