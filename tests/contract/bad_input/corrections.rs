//! What the ledger refuses to correct, to send, to take back, and of lots to show.

use fealty_proto::ledger::v1::{
    AdjustPointsRequest, ListLotMovementsRequest, ReverseTransactionRequest, TransferPointsRequest,
};
use fealty_tests::shop::{UNIT, request_id};

use super::case::{Case, FAR_FUTURE, NO_TIME, Table, invalid, not_found};
use super::postings::{EMPTY, NONSENSE, amount};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [adjust_points, transfer_points, reverse_transaction, lot_movements]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn adjust_points(world: &World) -> Vec<Case> {
    let adjust = |value| AdjustPointsRequest {
        request_id: request_id(),
        owner_id: world.ours.member_id.clone(),
        amount: Some(amount(UNIT, value)),
        source: "desk".to_owned(),
        reason: "a mistake".to_owned(),
        ..AdjustPointsRequest::default()
    };
    Table::of(world, "/fealty.ledger.v1.TransactionService/AdjustPoints")
        .row("nothing", &AdjustPointsRequest::default(), invalid(&EMPTY))
        .row(
            "nonsense",
            &AdjustPointsRequest {
                amount: Some(amount("Stamps!", 0)),
                receipt_id: "x".repeat(129),
                occur_time: Some(FAR_FUTURE),
                ..adjust(1)
            },
            invalid(&NONSENSE),
        )
        .row("the least number", &adjust(i64::MIN), invalid(&["amount.value"]))
        .row(
            "an end of what is taken",
            &AdjustPointsRequest {
                lot_expire_time: Some(FAR_FUTURE),
                ..adjust(-1)
            },
            invalid(&["lot_expire_time"]),
        )
        .row(
            "a debt for what is given, into a lot that has ended",
            &AdjustPointsRequest {
                allow_debt: true,
                lot_expire_time: Some(NO_TIME),
                ..adjust(1)
            },
            invalid(&["allow_debt", "lot_expire_time"]),
        )
        .row(
            "another program's owner",
            &AdjustPointsRequest {
                owner_id: world.theirs.member_id.clone(),
                ..adjust(1)
            },
            not_found(),
        )
        .row(
            "another program's unit",
            &AdjustPointsRequest {
                amount: Some(amount(&world.theirs.unit_code, -1)),
                ..adjust(1)
            },
            not_found(),
        )
        .done()
}

fn transfer_points(world: &World) -> Vec<Case> {
    let transfer = |from: &str, to: &str| TransferPointsRequest {
        request_id: request_id(),
        owner_id: from.to_owned(),
        to_owner_id: to.to_owned(),
        amount: Some(amount(UNIT, 1)),
        source: "app".to_owned(),
        reason: "a gift".to_owned(),
        ..TransferPointsRequest::default()
    };
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    let empty: Vec<_> = EMPTY.into_iter().chain(["to_owner_id"]).collect();
    Table::of(world, "/fealty.ledger.v1.TransactionService/TransferPoints")
        .row("nothing", &TransferPointsRequest::default(), invalid(&empty))
        .row(
            "nonsense, to nobody",
            &TransferPointsRequest {
                amount: Some(amount("Stamps!", -1)),
                receipt_id: "x".repeat(129),
                occur_time: Some(FAR_FUTURE),
                ..transfer(ours, "Ben")
            },
            invalid(&[
                "amount.unit_code",
                "amount.value",
                "receipt_id",
                "occur_time",
                "to_owner_id",
            ]),
        )
        .row(
            "from another program's owner",
            &transfer(theirs, ours),
            not_found(),
        )
        .row("to another program's owner", &transfer(ours, theirs), not_found())
        .done()
}

fn reverse_transaction(world: &World) -> Vec<Case> {
    let reverse = |transaction_id: &str| ReverseTransactionRequest {
        request_id: request_id(),
        transaction_id: transaction_id.to_owned(),
        value: 1,
        source: "desk".to_owned(),
        reason: "a mistake".to_owned(),
        ..ReverseTransactionRequest::default()
    };
    let ours = || reverse(&world.ours.purchase_id);
    Table::of(world, "/fealty.ledger.v1.TransactionService/ReverseTransaction")
        .row(
            "nothing",
            &ReverseTransactionRequest::default(),
            invalid(&["request_id", "transaction_id", "source", "reason"]),
        )
        .row(
            "nonsense",
            &ReverseTransactionRequest {
                value: -1,
                receipt_id: "x".repeat(129),
                occur_time: Some(FAR_FUTURE),
                ..reverse("first")
            },
            invalid(&["transaction_id", "value", "receipt_id", "occur_time"]),
        )
        .row(
            "the least there is, at no time",
            &ReverseTransactionRequest {
                value: i64::MIN,
                occur_time: Some(NO_TIME),
                ..ours()
            },
            invalid(&["value", "occur_time"]),
        )
        .row("what nobody posted", &reverse(&request_id()), not_found())
        .row(
            "another program's",
            &reverse(&world.theirs.transaction_id),
            not_found(),
        )
        .done()
}

fn lot_movements(world: &World) -> Vec<Case> {
    let of = |owner_id: &str, lot_id: &str| ListLotMovementsRequest {
        owner_id: owner_id.to_owned(),
        lot_id: lot_id.to_owned(),
        ..ListLotMovementsRequest::default()
    };
    Table::of(world, "/fealty.ledger.v1.TransactionService/ListLotMovements")
        .pages(|page_size, page_token| ListLotMovementsRequest {
            page_size,
            page_token,
            ..of(&world.ours.member_id, &request_id())
        })
        .row("nothing", &of("Ana", ""), invalid(&["owner_id", "lot_id"]))
        .row(
            "no such lot",
            &of(&world.ours.member_id, &request_id()),
            not_found(),
        )
        .row(
            "another program's owner",
            &of(&world.theirs.member_id, &request_id()),
            not_found(),
        )
        .done()
}
