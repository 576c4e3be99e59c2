//! A lot's life, from its first credit to its last use.

use chrono::{DateTime, TimeDelta};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::TransactionKind as Kind;
use fealty_proto::types::v1::ErrorReason;
use fealty_types::ManualClock;
use tonic::{Code, Status};

use super::harness::{self, new_id};
use super::reversals::{reversal, try_reverse};
use super::sharing::{hold, join, open_household, release};
use super::support::{Ledger, credit, days, refused, spend, timestamp};

async fn page(
    ledger: &Ledger,
    request: pb::ListLotMovementsRequest,
) -> Result<pb::ListLotMovementsResponse, Status> {
    let answer = ledger
        .transactions()
        .list_lot_movements(ledger.call(request))
        .await;
    Ok(answer?.into_inner())
}

fn of(owner: &str, lot_id: &str) -> pb::ListLotMovementsRequest {
    pb::ListLotMovementsRequest {
        owner_id: owner.to_owned(),
        lot_id: lot_id.to_owned(),
        ..pb::ListLotMovementsRequest::default()
    }
}

/// All of it, in pages of that size.
async fn life(ledger: &Ledger, owner: &str, lot_id: &str, page_size: i32) -> Vec<pb::LotMovementRecord> {
    let mut request = pb::ListLotMovementsRequest {
        page_size,
        ..of(owner, lot_id)
    };
    let mut movements = Vec::new();
    loop {
        let page = page(ledger, request.clone()).await.expect("a page");
        movements.extend(page.movements);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return movements;
        }
    }
}

fn told(movements: &[pb::LotMovementRecord]) -> Vec<(Kind, i64, i64)> {
    movements
        .iter()
        .map(|it| (it.kind(), it.value, it.value_left))
        .collect()
}

async fn lots(ledger: &Ledger, request: pb::ListLotsRequest) -> pb::ListLotsResponse {
    let page = ledger.balances().list_lots(ledger.call(request)).await;
    page.expect("a page").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_is_followed_through_whatever_moved_it() {
    let clock = ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 7).await;
    clock.advance(TimeDelta::seconds(1));
    let end = Some(timestamp(DateTime::UNIX_EPOCH + TimeDelta::days(20_010)));
    let ending = |value| pb::CreditPointsRequest {
        lot_expire_time: end,
        ..credit(&owner, "points", value)
    };
    let given = ledger.credit(ending(20)).await.expect("given").into_inner();
    let given = given.transaction.expect("a transaction");
    let lot_id = given.lot_movements[0].lot_id.clone();
    ledger.credit(ending(5)).await.expect("given");
    ledger.credit(credit(&owner, "stamps", 3)).await.expect("stamps");
    let held = hold(&ledger, &owner, 10).await;
    release(&ledger, held).await;
    let spent = ledger.spend(spend(&owner, "points", 30)).await.expect("spent");
    let spent = spent
        .into_inner()
        .transaction
        .expect("a transaction")
        .transaction_id;
    try_reverse(&ledger, reversal(&spent, 12))
        .await
        .expect("reversed");
    clock.advance(days(11));
    ledger.give(&owner, 1).await;

    let expected = [
        (Kind::Credit, 20, 20),
        (Kind::Credit, 5, 25),
        (Kind::Hold, -10, 15),
        (Kind::Release, 10, 25),
        (Kind::Spend, -25, 0),
        (Kind::Reverse, 7, 7),
        (Kind::Expire, -7, 0),
    ];
    for page_size in [0, 1, 3, 7] {
        let movements = life(&ledger, &owner, &lot_id, page_size).await;
        assert_eq!(told(&movements), expected);
        assert!(movements.iter().all(|it| it.expire_time == end));
        assert_eq!(
            (
                &movements[0].transaction_id,
                movements[0].version,
                movements[0].record_time
            ),
            (&given.transaction_id, 2, given.record_time)
        );
    }
    assert_found_among_all(&ledger, &owner, &lot_id).await;
}

/// A lot with nothing left is not among those that can be spent, and among all that there ever were.
async fn assert_found_among_all(ledger: &Ledger, owner: &str, lot_id: &str) {
    let request = pb::ListLotsRequest {
        owner_id: owner.to_owned(),
        unit_code: "points".to_owned(),
        ..pb::ListLotsRequest::default()
    };
    assert!(
        lots(ledger, request.clone())
            .await
            .lots
            .iter()
            .all(|lot| lot.lot_id != lot_id)
    );
    let mut all = pb::ListLotsRequest {
        include_emptied: true,
        page_size: 1,
        ..request
    };
    let mut found = Vec::new();
    loop {
        let page = lots(ledger, all.clone()).await;
        found.extend(page.lots);
        all.page_token = page.next_page_token;
        if all.page_token.is_empty() {
            break;
        }
    }
    let found: Vec<(i64, i64)> = found
        .iter()
        .map(|lot| (lot.value_left, lot.value_credited))
        .collect();
    assert_eq!(found, [(8, 8), (0, 25)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_that_has_ended_and_is_not_written_off_yet_is_shown_empty() {
    let clock = ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    ledger.credit(credit(&owner, "stamps", 3)).await.expect("stamps");
    clock.advance(days(30));
    let request = pb::ListLotsRequest {
        owner_id: owner,
        include_emptied: true,
        ..pb::ListLotsRequest::default()
    };
    let found = lots(&ledger, request).await.lots;
    assert_eq!(
        (found.len(), found[0].value_left, found[0].value_credited),
        (1, 0, 3)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_that_moved_to_another_account_is_followed_there() {
    let ledger = Ledger::start().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    ledger.give(&household, 3).await;
    let end = Some(timestamp(ledger.now() + days(9)));
    let ending = pb::CreditPointsRequest {
        lot_expire_time: end,
        ..credit(&member, "points", 20)
    };
    let given = ledger.credit(ending).await.expect("given").into_inner();
    let lot_id = given.transaction.expect("a transaction").lot_movements[0]
        .lot_id
        .clone();
    join(&ledger, &member, &household).await;
    ledger.spend(spend(&member, "points", 5)).await.expect("spent");
    let expected = [(Kind::Move, 20, 20), (Kind::Spend, -5, 15)];
    for owner in [&member, &household] {
        assert_eq!(told(&life(&ledger, owner, &lot_id, 0).await), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_that_is_not_there_and_a_token_of_another_are_refused() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    for _ in 0..2 {
        ledger.give(&owner, 1).await;
    }
    let lot_id = ledger.statement(&owner).await[0].lot_movements[0].lot_id.clone();
    let status = page(&ledger, of(&owner, &new_id()))
        .await
        .expect_err("no such lot");
    let metadata = refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
    assert_eq!(metadata["resource"], "lot");
    let status = page(&ledger, of(&new_id(), &lot_id)).await.expect_err("nobody");
    let metadata = refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
    assert_eq!(metadata["resource"], "owner");
    let stranger = harness::plant_program(&ledger.database, "UTC", "GBP").await;
    let request = stranger.call(of(&owner, &lot_id));
    let status = ledger.transactions().list_lot_movements(request).await;
    refused(
        &status.expect_err("another program's"),
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );

    let first = pb::ListLotMovementsRequest {
        page_size: 1,
        ..of(&owner, &lot_id)
    };
    let token = page(&ledger, first).await.expect("a page").next_page_token;
    assert!(!token.is_empty());
    let other = pb::ListLotMovementsRequest {
        page_token: token,
        ..of(&owner, &new_id())
    };
    let status = page(&ledger, other).await.expect_err("not its token");
    refused(&status, Code::InvalidArgument, ErrorReason::PageTokenInvalid);
}
