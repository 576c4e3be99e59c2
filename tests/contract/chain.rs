//! The hash chain, recomputed by somebody who has only the page that tells how.

use std::fs;
use std::time::Duration;

use fealty_proto::ledger::v1::credit_points_request::Begin;
use fealty_proto::ledger::v1::{
    ActivatePointsRequest, Budget, CreateBudgetRequest, CreditPointsRequest, SpendPointsRequest,
};
use fealty_proto::types::v1::Amount;
use fealty_tests::bounded::within;
use fealty_tests::process::Process;
use fealty_tests::python::Python;
use fealty_tests::shop::{Shop, UNIT, purchase, request_id};
use prost_types::Timestamp;

use crate::suite;

const BOUND: Duration = Duration::from_mins(3);
/// A few thousand rows take it a second.
const SCRIPT_BOUND: Duration = Duration::from_mins(1);

/// A beginning that this test does not see.
const IN_2100: Timestamp = Timestamp {
    seconds: 4_102_444_800,
    nanos: 0,
};

/// Of one program: others are still posting.
const ROWS: &str = "SELECT to_jsonb(t)::text, program::text FROM transaction t WHERE version IS NOT NULL
                    ORDER BY program, owner_id, version";
const HEADS: &str =
    "SELECT format('%s %s %s', program, owner_id, encode(chain_head, 'hex')), program::text FROM owner
                     WHERE chain_head IS NOT NULL ORDER BY program, owner_id";

#[tokio::test(flavor = "multi_thread")]
async fn a_script_without_our_code_comes_to_the_same_chains() {
    within(BOUND, async {
        let python = Python::with_zones();
        let shop = Shop::open(suite()).await;
        for _ in 0..2 {
            let member = shop.enrol(vec![]).await.member_id;
            for amount_minor in [123_456, 0, 7_800] {
                let bought = purchase(&member, &request_id(), amount_minor);
                shop.ledger.record_purchase(bought).await.expect("bought");
            }
            let spent = SpendPointsRequest {
                request_id: request_id(),
                owner_id: member.clone(),
                amount: Some(Amount {
                    unit_code: UNIT.to_owned(),
                    value: 5,
                }),
                source: "till".to_owned(),
                reason: "Gebäck – \"süß\"".to_owned(),
                ..SpendPointsRequest::default()
            };
            shop.ledger.spend_points(spent).await.expect("spent");
            give_later(&shop, &member).await;
        }

        let rows = rows_of(&shop, ROWS).await;
        assert_eq!(rows.len(), 14);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("rows");
        fs::write(&file, rows.join("\n")).expect("written");
        let mut command = python.script("chain.py");
        command.arg(&file);
        let ended = Process::start("chain.py", command, None).wait(SCRIPT_BOUND);
        ended.assert_success();
        let heads: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!(heads, rows_of(&shop, HEADS).await);
    })
    .await;
}

/// What waits for a time and for a call, paid by a budget, and begins.
async fn give_later(shop: &Shop, member: &str) {
    let budget = CreateBudgetRequest {
        request_id: request_id(),
        budget: Some(Budget {
            budget_code: format!("of_{}", &member.replace('-', "")[4..24]),
            display_name: "Summer".to_owned(),
            unit_code: UNIT.to_owned(),
            value_max: 100,
            ..Budget::default()
        }),
    };
    let budget = shop.ledger.create_budget(budget).await.expect("a budget");
    let budget_code = budget.message.budget.expect("a budget").budget_code;
    for begin in [Begin::BeginTime(IN_2100), Begin::BeginOnCall(true)] {
        let begins_on_call = matches!(begin, Begin::BeginOnCall(_));
        let given = CreditPointsRequest {
            request_id: request_id(),
            owner_id: member.to_owned(),
            amount: Some(Amount {
                unit_code: UNIT.to_owned(),
                value: 7,
            }),
            source: "desk".to_owned(),
            reason: "later".to_owned(),
            budget_code: budget_code.clone(),
            begin: Some(begin),
            ..CreditPointsRequest::default()
        };
        let transaction_id = given.request_id.clone();
        shop.ledger.credit_points(given).await.expect("given");
        if begins_on_call {
            let begun = ActivatePointsRequest {
                request_id: request_id(),
                transaction_id,
                source: "desk".to_owned(),
                reason: "now".to_owned(),
            };
            shop.ledger.activate_points(begun).await.expect("it begins");
        }
    }
}

/// The first column of the shop's rows.
async fn rows_of(shop: &Shop, query: &'static str) -> Vec<String> {
    let program = shop.program_id.to_string();
    let rows = suite().database().ledger_rows(query).await;
    let own = rows.into_iter().filter(|row| row[1].as_ref() == Some(&program));
    own.map(|mut row| row.swap_remove(0).expect("never null"))
        .collect()
}
