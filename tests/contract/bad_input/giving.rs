//! What the ledger refuses to give: points that wait, and budgets.

use fealty_proto::ledger::v1::credit_points_request::Begin;
use fealty_proto::ledger::v1::{
    ActivatePointsRequest, Budget, CreateBudgetRequest, CreditPointsRequest, GetBudgetRequest,
    ListBudgetsRequest, UpdateBudgetRequest,
};
use fealty_proto::types::v1::Amount;
use fealty_tests::shop::{UNIT, request_id};

use super::case::{Case, FAR_FUTURE, LONG_AGO, NO_TIME, Table, invalid, mask, not_found};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [credit_points, activate_points, create_budget, budgets]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn credit_points(world: &World) -> Vec<Case> {
    let credit = || CreditPointsRequest {
        request_id: request_id(),
        owner_id: world.ours.member_id.clone(),
        amount: Some(Amount {
            unit_code: UNIT.to_owned(),
            value: 1,
        }),
        source: "desk".to_owned(),
        reason: "sorry".to_owned(),
        ..CreditPointsRequest::default()
    };
    Table::of(world, "/fealty.ledger.v1.TransactionService/CreditPoints")
        .row(
            "no budget, at no time",
            &CreditPointsRequest {
                budget_code: "Summer!".to_owned(),
                begin: Some(Begin::BeginTime(NO_TIME)),
                ..credit()
            },
            invalid(&["budget_code", "begin_time"]),
        )
        .row(
            "when nobody calls",
            &CreditPointsRequest {
                begin: Some(Begin::BeginOnCall(false)),
                ..credit()
            },
            invalid(&["begin_on_call"]),
        )
        .row(
            "what ends before it begins",
            &CreditPointsRequest {
                begin: Some(Begin::BeginTime(FAR_FUTURE)),
                lot_expire_time: Some(FAR_FUTURE),
                ..credit()
            },
            invalid(&["lot_expire_time"]),
        )
        .row(
            "a budget that nobody set up",
            &CreditPointsRequest {
                budget_code: "nobodys".to_owned(),
                ..credit()
            },
            not_found(),
        )
        .done()
}

fn activate_points(world: &World) -> Vec<Case> {
    let of = |transaction_id: &str| ActivatePointsRequest {
        request_id: request_id(),
        transaction_id: transaction_id.to_owned(),
        source: "shop".to_owned(),
        reason: "kept".to_owned(),
    };
    Table::of(world, "/fealty.ledger.v1.TransactionService/ActivatePoints")
        .row(
            "nothing",
            &ActivatePointsRequest::default(),
            invalid(&["request_id", "transaction_id", "source", "reason"]),
        )
        .row(
            "texts without end",
            &ActivatePointsRequest {
                source: "x".repeat(65),
                reason: "x".repeat(501),
                ..of(&world.ours.transaction_id)
            },
            invalid(&["source", "reason"]),
        )
        .row("nobody's", &of(&request_id()), not_found())
        .row(
            "another program's",
            &of(&world.theirs.transaction_id),
            not_found(),
        )
        .done()
}

fn summer() -> Budget {
    Budget {
        budget_code: "summer".to_owned(),
        display_name: "Summer".to_owned(),
        unit_code: UNIT.to_owned(),
        value_max: 1,
        ..Budget::default()
    }
}

fn create_budget(world: &World) -> Vec<Case> {
    let of = |budget: Budget| CreateBudgetRequest {
        request_id: request_id(),
        budget: Some(budget),
    };
    Table::of(world, "/fealty.ledger.v1.BudgetService/CreateBudget")
        .row(
            "nothing",
            &CreateBudgetRequest::default(),
            invalid(&["request_id", "budget"]),
        )
        .row(
            "nonsense",
            &of(Budget {
                budget_code: "Summer!".to_owned(),
                display_name: "x".repeat(201),
                unit_code: "Stamps!".to_owned(),
                value_max: 0,
                partner_id: "the bank".to_owned(),
                begin_time: Some(NO_TIME),
                ..Budget::default()
            }),
            invalid(&[
                "budget.budget_code",
                "budget.display_name",
                "budget.unit_code",
                "budget.value_max",
                "budget.partner_id",
                "budget.begin_time",
            ]),
        )
        .row(
            "over before it begins",
            &of(Budget {
                begin_time: Some(FAR_FUTURE),
                end_time: Some(LONG_AGO),
                ..summer()
            }),
            invalid(&["budget.end_time"]),
        )
        .row(
            "paid by a member",
            &of(Budget {
                partner_id: world.ours.member_id.clone(),
                ..summer()
            }),
            invalid(&["budget.partner_id"]),
        )
        .row(
            "another program's unit",
            &of(Budget {
                unit_code: world.theirs.unit_code.clone(),
                ..summer()
            }),
            not_found(),
        )
        .done()
}

fn budgets(world: &World) -> Vec<Case> {
    let get = |budget_code: &str| GetBudgetRequest {
        budget_code: budget_code.to_owned(),
    };
    let read = Table::of(world, "/fealty.ledger.v1.BudgetService/GetBudget")
        .row("none", &get(""), invalid(&["budget_code"]))
        .row("nobody's", &get("nobodys"), not_found());
    let update = |budget: Budget, paths: &[&str]| UpdateBudgetRequest {
        budget: Some(budget),
        update_mask: Some(mask(paths)),
    };
    let change = Table::of(world, "/fealty.ledger.v1.BudgetService/UpdateBudget")
        .row(
            "nothing",
            &UpdateBudgetRequest::default(),
            invalid(&["update_mask", "budget"]),
        )
        .row(
            "what is fixed",
            &update(summer(), &["unit_code"]),
            invalid(&["update_mask.paths[0]"]),
        )
        .row(
            "less than nothing",
            &update(
                Budget {
                    value_max: i64::MIN,
                    ..summer()
                },
                &["value_max"],
            ),
            invalid(&["budget.value_max"]),
        )
        .row("nobody's", &update(summer(), &["display_name"]), not_found());
    let list =
        Table::of(world, "/fealty.ledger.v1.BudgetService/ListBudgets").pages(|page_size, page_token| {
            ListBudgetsRequest {
                page_size,
                page_token,
            }
        });
    [read, change, list].into_iter().flat_map(Table::done).collect()
}
