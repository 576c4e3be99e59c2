//! Holds: points that are set aside, spent or given back, and that come back by themselves.

mod ends;
mod malformed;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::{EntryAccount, HoldStatus, TransactionKind};
use fealty_proto::types::v1::consistency::Requirement;
use fealty_proto::types::v1::{Amount, ErrorReason};
use futures::future::join_all;
use tonic::{Code, Response, Status};

use super::harness::{is_replayed, new_id, plant_program};
use super::postings::assert_books;
use super::support::{Ledger, credit, days, of_unit, refused, spend, timestamp};

pub fn hold(owner_id: &str, unit_code: &str, value: i64) -> pb::HoldPointsRequest {
    pb::HoldPointsRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        amount: Some(Amount {
            unit_code: unit_code.to_owned(),
            value,
        }),
        source: "rewards".to_owned(),
        ..pb::HoldPointsRequest::default()
    }
}

pub fn capture(hold: &pb::Hold, value: i64) -> pb::CaptureHoldRequest {
    pb::CaptureHoldRequest {
        request_id: new_id(),
        hold_id: hold.hold_id.clone(),
        value,
        reason: "a mug".to_owned(),
    }
}

fn release(hold: &pb::Hold) -> pb::ReleaseHoldRequest {
    pb::ReleaseHoldRequest {
        request_id: new_id(),
        hold_id: hold.hold_id.clone(),
        reason: "no mug".to_owned(),
    }
}

impl Ledger {
    async fn hold(&self, request: pb::HoldPointsRequest) -> Result<Response<pb::HoldPointsResponse>, Status> {
        self.holds().hold_points(self.call(request)).await
    }

    async fn capture(
        &self,
        request: pb::CaptureHoldRequest,
    ) -> Result<Response<pb::CaptureHoldResponse>, Status> {
        self.holds().capture_hold(self.call(request)).await
    }

    async fn release(
        &self,
        request: pb::ReleaseHoldRequest,
    ) -> Result<Response<pb::ReleaseHoldResponse>, Status> {
        self.holds().release_hold(self.call(request)).await
    }

    /// An open hold of points.
    async fn held(&self, owner_id: &str, value: i64) -> pb::Hold {
        let held = self.hold(hold(owner_id, "points", value)).await.expect("held");
        held.into_inner().hold.expect("a hold")
    }

    async fn get_hold(&self, hold: &pb::Hold) -> pb::Hold {
        let request = pb::GetHoldRequest {
            hold_id: hold.hold_id.clone(),
        };
        let got = self.holds().get_hold(self.call(request)).await.expect("a hold");
        got.into_inner().hold.expect("a hold")
    }

    /// Available, held and debt, as Postgres has them. The cache may show nothing else.
    async fn holding(&self, owner_id: &str, unit_code: &str) -> (i64, i64, i64) {
        let strong = self.balance(owner_id, Some(Requirement::Strong(true))).await;
        let strong = strong.expect("a balance");
        let cached = self.balance(owner_id, None).await.expect("a balance");
        assert_eq!(strong, cached);
        numbers(&strong, unit_code)
    }
}

fn numbers(balance: &pb::OwnerBalance, unit_code: &str) -> (i64, i64, i64) {
    let unit = of_unit(balance, unit_code);
    (unit.available, unit.held, unit.debt)
}

fn entries(transaction: &pb::Transaction) -> Vec<(EntryAccount, i64)> {
    let entries = transaction.entries.iter();
    entries.map(|entry| (entry.account(), entry.value)).collect()
}

fn kinds(statement: &[pb::Transaction]) -> Vec<TransactionKind> {
    statement.iter().map(pb::Transaction::kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn points_are_held_and_captured_and_the_statement_shows_it() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 100).await;
    let request = pb::HoldPointsRequest {
        reason: "a mug".to_owned(),
        ..hold(&owner, "points", 70)
    };
    let held = ledger.hold(request).await.expect("held").into_inner();
    let (made, transaction) = (held.hold.expect("a hold"), held.transaction.expect("one"));
    assert_eq!((made.status(), made.captured_value), (HoldStatus::Open, 0));
    assert_eq!(made.owner_id, owner);
    let duration = made.expire_time.expect("an end").seconds - made.create_time.expect("a time").seconds;
    assert_eq!(duration, 900, "a quarter of an hour unless the caller says");
    assert_eq!(
        entries(&transaction),
        [(EntryAccount::OwnerAvailable, -70), (EntryAccount::OwnerHeld, 70)]
    );
    assert_eq!(numbers(&held.balance.expect("a balance"), "points"), (30, 70, 0));
    assert_eq!(ledger.holding(&owner, "points").await, (30, 70, 0));
    assert_books(&ledger, &owner).await;

    let captured = ledger
        .capture(capture(&made, 0))
        .await
        .expect("captured")
        .into_inner();
    let (over, transaction) = (captured.hold.expect("a hold"), captured.transaction.expect("one"));
    assert_eq!((over.status(), over.captured_value), (HoldStatus::Captured, 70));
    assert_eq!(
        entries(&transaction),
        [
            (EntryAccount::OwnerHeld, -70),
            (EntryAccount::ProgramRedeemed, 70)
        ]
    );
    assert_eq!(ledger.get_hold(&made).await, over);
    assert_eq!(ledger.holding(&owner, "points").await, (30, 0, 0));

    let statement = ledger.statement(&owner).await;
    assert_eq!(
        kinds(&statement),
        [
            TransactionKind::Capture,
            TransactionKind::Hold,
            TransactionKind::Credit
        ]
    );
    let told = |it: &pb::Transaction| (it.source.clone(), it.reason.clone());
    let mug = ("rewards".to_owned(), "a mug".to_owned());
    assert_eq!((told(&statement[0]), told(&statement[1])), (mug.clone(), mug));
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_captured_and_the_rest_goes_back_to_its_lots() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let end = Some(timestamp(ledger.now() + days(3)));
    for (value, lot_expire_time) in [(30, end), (100, None)] {
        let request = pb::CreditPointsRequest {
            lot_expire_time,
            ..credit(&owner, "points", value)
        };
        ledger.credit(request).await.expect("credited");
    }
    let made = ledger.held(&owner, 70).await;
    let status = ledger
        .capture(capture(&made, 71))
        .await
        .expect_err("more than is held");
    let metadata = refused(&status, Code::FailedPrecondition, ErrorReason::CaptureExceedsHold);
    assert_eq!(
        (metadata["held"].as_str(), metadata["required"].as_str()),
        ("70", "71")
    );

    let captured = ledger
        .capture(capture(&made, 20))
        .await
        .expect("captured")
        .into_inner();
    assert_eq!(captured.hold.expect("a hold").captured_value, 20);
    let transaction = captured.transaction.expect("one");
    let moved: Vec<_> = transaction.lot_movements.iter().map(|it| it.value).collect();
    assert_eq!(
        moved,
        [10, 40],
        "what was captured came from the lot that ends sooner"
    );
    let request = pb::ListLotsRequest {
        owner_id: owner.clone(),
        ..pb::ListLotsRequest::default()
    };
    let lots = ledger
        .balances()
        .list_lots(ledger.call(request))
        .await
        .expect("lots");
    let lots = lots.into_inner().lots;
    let left: Vec<_> = lots
        .iter()
        .map(|lot| (lot.value_left, lot.value_credited))
        .collect();
    assert_eq!(left, [(10, 30), (100, 100)]);
    assert_eq!(ledger.holding(&owner, "points").await, (110, 0, 0));
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_that_race_for_the_same_points_get_them_once_and_nobody_else_spends_them() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 100).await;
    let calls = (0..20).map(|place| {
        let ledger = if place % 2 == 0 { &ledger } else { &replica };
        ledger.hold(hold(&owner, "points", 40))
    });
    let (held, refusals): (Vec<_>, Vec<_>) = join_all(calls).await.into_iter().partition(Result::is_ok);
    assert_eq!(held.len(), 2);
    for status in refusals.into_iter().filter_map(Result::err) {
        let metadata = refused(
            &status,
            Code::FailedPrecondition,
            ErrorReason::InsufficientBalance,
        );
        assert_eq!(metadata["required"], "40");
    }
    let status = replica
        .spend(spend(&owner, "points", 21))
        .await
        .expect_err("it is held");
    let metadata = refused(
        &status,
        Code::FailedPrecondition,
        ErrorReason::InsufficientBalance,
    );
    assert_eq!(metadata["available"], "20");
    assert_eq!(ledger.holding(&owner, "points").await, (20, 80, 0));

    // Those who end the same hold at once agree on how it ended.
    let made = held
        .into_iter()
        .flatten()
        .next()
        .expect("one")
        .into_inner()
        .hold
        .expect("a hold");
    let (captured, released) =
        tokio::join!(ledger.capture(capture(&made, 0)), replica.release(release(&made)));
    assert!(captured.is_ok() != released.is_ok());
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_outlives_the_process_and_its_answers_are_the_same_afterwards() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 50).await;
    let (holding, other) = (hold(&owner, "points", 30), hold(&owner, "points", 31));
    let held = ledger.hold(holding.clone()).await.expect("held");
    assert!(!is_replayed(&held));
    let held = held.into_inner();
    let made = held.hold.clone().expect("a hold");
    let restarted = ledger.replica().await;
    drop(ledger);

    let again = restarted.hold(holding.clone()).await.expect("the first answer");
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), held);
    let reused = pb::HoldPointsRequest {
        request_id: holding.request_id,
        ..other
    };
    let status = restarted.hold(reused).await.expect_err("another command");
    refused(&status, Code::AlreadyExists, ErrorReason::RequestIdReused);

    let capturing = capture(&made, 10);
    let captured = restarted
        .capture(capturing.clone())
        .await
        .expect("captured")
        .into_inner();
    let again = restarted
        .capture(capturing.clone())
        .await
        .expect("the first answer");
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), captured);
    let reused = pb::ReleaseHoldRequest {
        request_id: capturing.request_id,
        ..release(&made)
    };
    let status = restarted.release(reused).await.expect_err("another command");
    refused(&status, Code::AlreadyExists, ErrorReason::RequestIdReused);
    assert_eq!(restarted.holding(&owner, "points").await, (40, 0, 0));
    assert_eq!(restarted.statement(&owner).await.len(), 3);
    assert_books(&restarted, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_hold_is_not_found() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 50).await;
    let made = ledger.held(&owner, 30).await;
    let stranger = plant_program(&ledger.database, "UTC", "GBP").await;
    let mut holds = ledger.holds();
    let get = pb::GetHoldRequest {
        hold_id: made.hold_id.clone(),
    };
    let refusals = [
        holds.get_hold(stranger.call(get)).await.map(drop),
        holds
            .capture_hold(stranger.call(capture(&made, 0)))
            .await
            .map(drop),
        holds.release_hold(stranger.call(release(&made))).await.map(drop),
        holds
            .hold_points(stranger.call(hold(&owner, "points", 1)))
            .await
            .map(drop),
    ];
    let resources = refusals.map(|answer| {
        let status = answer.expect_err("not theirs");
        refused(&status, Code::NotFound, ErrorReason::ResourceNotFound)["resource"].clone()
    });
    assert_eq!(resources, ["hold", "hold", "hold", "owner"]);
    assert_eq!(ledger.get_hold(&made).await.status(), HoldStatus::Open);
}
