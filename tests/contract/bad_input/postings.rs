//! What the ledger refuses to record, and of what it has recorded to show.

use fealty_proto::ledger::v1::points_posting::Posting;
use fealty_proto::ledger::v1::refund_purchase_request::Target;
use fealty_proto::ledger::v1::{
    BatchPostPointsRequest, CreditPointsRequest, GetPurchaseRequest, GetTransactionRequest,
    ListPurchasesRequest, ListTransactionsRequest, PointsPosting, RecordPurchaseRequest,
    RefundPurchaseRequest, SpendPointsRequest, SummarizePurchasesRequest,
};
use fealty_proto::types::v1::{Amount, Money};
use fealty_tests::shop::{UNIT, money, purchase, request_id};

use super::case::{Case, Expected, FAR_FUTURE, LONG_AGO, NO_TIME, Table, invalid, not_found};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [
        record_purchase,
        refund_purchase,
        purchases,
        credit_points,
        spend_points,
        batch_post_points,
        transactions,
    ]
    .into_iter()
    .flat_map(|cases| cases(world))
    .collect()
}

fn record_purchase(world: &World) -> Vec<Case> {
    let good = || purchase(&world.ours.member_id, "bad-1", 100);
    let paid = |currency_code: &str, amount_minor| RecordPurchaseRequest {
        money: Some(Money {
            currency_code: currency_code.to_owned(),
            amount_minor,
        }),
        ..good()
    };
    let happened = |occur_time| RecordPurchaseRequest {
        occur_time: Some(occur_time),
        ..good()
    };
    Table::of(world, "/fealty.ledger.v1.PurchaseService/RecordPurchase")
        .row(
            "nothing",
            &RecordPurchaseRequest::default(),
            invalid(&["request_id", "owner_id", "source", "receipt_id", "money"]),
        )
        .row(
            "texts without end",
            &RecordPurchaseRequest {
                source: "x".repeat(65),
                receipt_id: "x".repeat(129),
                ..good()
            },
            invalid(&["source", "receipt_id"]),
        )
        .row(
            "less than nothing, in pounds",
            &paid("pounds", -1),
            invalid(&["money.currency_code", "money.amount_minor"]),
        )
        .row("a time to come", &happened(FAR_FUTURE), invalid(&["occur_time"]))
        .row("no time", &happened(NO_TIME), invalid(&["occur_time"]))
        .row(
            "another program's owner",
            &purchase(&world.theirs.member_id, "bad-2", 100),
            not_found(),
        )
        .done()
}

fn refund_purchase(world: &World) -> Vec<Case> {
    let of = |target: Option<Target>, amount_minor| RefundPurchaseRequest {
        request_id: request_id(),
        target,
        source: "till-4".to_owned(),
        receipt_id: "bad-3".to_owned(),
        money: money(amount_minor),
        ..RefundPurchaseRequest::default()
    };
    let named = |purchase_id: &str| Some(Target::PurchaseId(purchase_id.to_owned()));
    let unnamed = |owner_id: &str| Some(Target::UnreferencedOwnerId(owner_id.to_owned()));
    Table::of(world, "/fealty.ledger.v1.PurchaseService/RefundPurchase")
        .row(
            "nothing",
            &RefundPurchaseRequest::default(),
            invalid(&["request_id", "target", "source", "receipt_id", "money"]),
        )
        .row("no purchase", &of(named("mine"), 1), invalid(&["purchase_id"]))
        .row(
            "of nobody",
            &of(unnamed("Ana"), 1),
            invalid(&["unreferenced_owner_id"]),
        )
        .row(
            "of nothing",
            &of(named(&world.ours.purchase_id), 0),
            invalid(&["money.amount_minor"]),
        )
        .row(
            "a reason without end, to come",
            &RefundPurchaseRequest {
                reason: "x".repeat(501),
                occur_time: Some(FAR_FUTURE),
                ..of(named(&world.ours.purchase_id), 1)
            },
            invalid(&["reason", "occur_time"]),
        )
        .row(
            "another program's purchase",
            &of(named(&world.theirs.purchase_id), 1),
            not_found(),
        )
        .row(
            "another program's owner",
            &of(unnamed(&world.theirs.member_id), 1),
            not_found(),
        )
        .done()
}

fn purchases(world: &World) -> Vec<Case> {
    let get = |purchase_id: &str| GetPurchaseRequest {
        purchase_id: purchase_id.to_owned(),
    };
    let read = Table::of(world, "/fealty.ledger.v1.PurchaseService/GetPurchase")
        .row("none", &get(""), invalid(&["purchase_id"]))
        .row("no id", &get("mine"), invalid(&["purchase_id"]))
        .row("another program's", &get(&world.theirs.purchase_id), not_found());
    let of = |owner_id: &str| ListPurchasesRequest {
        owner_id: owner_id.to_owned(),
        ..ListPurchasesRequest::default()
    };
    let list = Table::of(world, "/fealty.ledger.v1.PurchaseService/ListPurchases")
        .pages(|page_size, page_token| ListPurchasesRequest {
            page_size,
            page_token,
            ..of(&world.ours.member_id)
        })
        .row("nobody's", &of(""), invalid(&["owner_id"]))
        .row("another program's", &of(&world.theirs.member_id), not_found());
    let sum_of = |source: &str, from, before| SummarizePurchasesRequest {
        source: source.to_owned(),
        occurred_from_time: from,
        occurred_before_time: before,
    };
    let sum = Table::of(world, "/fealty.ledger.v1.PurchaseService/SummarizePurchases")
        .row(
            "nothing, at no time",
            &sum_of("", Some(NO_TIME), None),
            invalid(&["source", "occurred_from_time"]),
        )
        .row(
            "an end before the beginning",
            &sum_of("till-4", Some(FAR_FUTURE), Some(LONG_AGO)),
            invalid(&["occurred_before_time"]),
        );
    [read, list, sum].into_iter().flat_map(Table::done).collect()
}

pub fn amount(unit_code: &str, value: i64) -> Amount {
    Amount {
        unit_code: unit_code.to_owned(),
        value,
    }
}

/// What is missing where nothing is given, and what is wrong with the nonsense, whether points are given or taken.
/// What a posting lacks that has nothing.
pub const EMPTY: [&str; 5] = ["request_id", "owner_id", "amount", "source", "reason"];
/// What is wrong with one that is nonsense.
pub const NONSENSE: [&str; 4] = ["amount.unit_code", "amount.value", "receipt_id", "occur_time"];

fn credit_points(world: &World) -> Vec<Case> {
    let credit = || CreditPointsRequest {
        request_id: request_id(),
        owner_id: world.ours.member_id.clone(),
        amount: Some(amount(UNIT, 1)),
        source: "desk".to_owned(),
        reason: "sorry".to_owned(),
        ..CreditPointsRequest::default()
    };
    Table::of(world, "/fealty.ledger.v1.TransactionService/CreditPoints")
        .row("nothing", &CreditPointsRequest::default(), invalid(&EMPTY))
        .row(
            "nonsense",
            &CreditPointsRequest {
                amount: Some(amount("Stamps!", 0)),
                receipt_id: "x".repeat(129),
                occur_time: Some(FAR_FUTURE),
                ..credit()
            },
            invalid(&NONSENSE),
        )
        .row(
            "a lot that has ended",
            &CreditPointsRequest {
                lot_expire_time: Some(LONG_AGO),
                ..credit()
            },
            invalid(&["lot_expire_time"]),
        )
        .row(
            "another program's owner",
            &CreditPointsRequest {
                owner_id: world.theirs.member_id.clone(),
                ..credit()
            },
            not_found(),
        )
        .row(
            "another program's unit",
            &CreditPointsRequest {
                amount: Some(amount(&world.theirs.unit_code, 1)),
                ..credit()
            },
            not_found(),
        )
        .done()
}

fn spend_points(world: &World) -> Vec<Case> {
    let spend = || SpendPointsRequest {
        request_id: request_id(),
        owner_id: world.ours.member_id.clone(),
        amount: Some(amount(UNIT, 1)),
        source: "desk".to_owned(),
        reason: "a coffee".to_owned(),
        ..SpendPointsRequest::default()
    };
    Table::of(world, "/fealty.ledger.v1.TransactionService/SpendPoints")
        .row("nothing", &SpendPointsRequest::default(), invalid(&EMPTY))
        .row(
            "nonsense",
            &SpendPointsRequest {
                amount: Some(amount("Stamps!", -1)),
                receipt_id: "x".repeat(129),
                occur_time: Some(FAR_FUTURE),
                ..spend()
            },
            invalid(&NONSENSE),
        )
        .row(
            "another program's owner",
            &SpendPointsRequest {
                owner_id: world.theirs.member_id.clone(),
                ..spend()
            },
            not_found(),
        )
        .done()
}

fn batch_post_points(world: &World) -> Vec<Case> {
    let batch = |postings: Vec<Option<Posting>>| BatchPostPointsRequest {
        postings: postings
            .into_iter()
            .map(|posting| PointsPosting { posting })
            .collect(),
        ..BatchPostPointsRequest::default()
    };
    let credit = || CreditPointsRequest {
        request_id: request_id(),
        owner_id: world.ours.member_id.clone(),
        amount: Some(amount(UNIT, 1)),
        source: "desk".to_owned(),
        reason: "sorry".to_owned(),
        ..CreditPointsRequest::default()
    };
    let same = credit();
    Table::of(world, "/fealty.ledger.v1.TransactionService/BatchPostPoints")
        .row("nothing", &batch(Vec::new()), invalid(&["postings"]))
        .row(
            "too many",
            &batch((0..1_001).map(|_| Some(Posting::Credit(credit()))).collect()),
            invalid(&["postings"]),
        )
        .row(
            "neither credit nor spend, and an empty spend",
            &batch(vec![
                Some(Posting::Credit(credit())),
                None,
                Some(Posting::Spend(SpendPointsRequest::default())),
            ]),
            invalid(&[
                "postings[1].posting",
                "postings[2].spend.request_id",
                "postings[2].spend.owner_id",
                "postings[2].spend.amount",
                "postings[2].spend.source",
                "postings[2].spend.reason",
            ]),
        )
        .row(
            "one request id twice",
            &batch(vec![
                Some(Posting::Credit(same.clone())),
                Some(Posting::Credit(same)),
            ]),
            invalid(&["postings[1].credit.request_id"]),
        )
        .done()
}

fn transactions(world: &World) -> Vec<Case> {
    let get = |transaction_id: &str| GetTransactionRequest {
        transaction_id: transaction_id.to_owned(),
    };
    let read = Table::of(world, "/fealty.ledger.v1.TransactionService/GetTransaction")
        .row("none", &get(""), invalid(&["transaction_id"]))
        .row("no id", &get("first"), invalid(&["transaction_id"]))
        .row(
            "another program's",
            &get(&world.theirs.transaction_id),
            not_found(),
        );
    let of = |owner_id: &str| ListTransactionsRequest {
        owner_id: owner_id.to_owned(),
        ..ListTransactionsRequest::default()
    };
    let nonsense: Expected = invalid(&[
        "owner_id",
        "kinds[0]",
        "kinds[1]",
        "unit_code",
        "occurred_from_time",
        "source",
    ]);
    let list = Table::of(world, "/fealty.ledger.v1.TransactionService/ListTransactions")
        .pages(|page_size, page_token| ListTransactionsRequest {
            page_size,
            page_token,
            ..of(&world.ours.member_id)
        })
        .row(
            "nonsense",
            &ListTransactionsRequest {
                kinds: vec![0, 99],
                unit_code: "Stamps!".to_owned(),
                occurred_from_time: Some(NO_TIME),
                source: "x".repeat(101),
                ..of("Ana")
            },
            nonsense,
        )
        .row("another program's", &of(&world.theirs.member_id), not_found());
    [read, list].into_iter().flat_map(Table::done).collect()
}
