//! Row-level security: the second fence.

use fealty_postgres::fences;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::Amount;
use fealty_types::{ProgramId, SystemClock};

use fealty_ledger::personal::PERSONAL_TABLES;
use fealty_service::personal::unlisted;

use super::harness::{Ledger, new_id};
use super::messages::{points, purchase_of, unreferenced_refund};
use super::support::transfer;

#[tokio::test]
async fn every_table_that_names_owners_is_decided_about() {
    let ledger = Ledger::start().await;
    let mut connection = ledger.database.owner.acquire().await.unwrap();
    let forgotten = unlisted(&mut connection, PERSONAL_TABLES, &["owner_id"]).await;
    assert_eq!(
        forgotten.unwrap(),
        Vec::<String>::new(),
        "add them to PERSONAL_TABLES in src/personal.rs"
    );
}

#[tokio::test]
async fn every_table_that_carries_a_program_is_fenced_and_shows_a_stranger_nothing() {
    let ledger = Ledger::start().await;
    let database = &ledger.database;
    let violations = fences::violations(&database.owner, &database.service_database)
        .await
        .unwrap();
    assert_eq!(violations, Vec::<String>::new());

    let unit = pb::Unit {
        transfer_rules: Some(pb::TransferRules::default()),
        ..points()
    };
    ledger.define(unit).await;
    ledger.define_cashback("points", "0.01").await;
    let owner_id = ledger.open_owner().await;
    ledger.buy(purchase_of(&owner_id, 500_000)).await.unwrap();
    ledger.refund(unreferenced_refund(&owner_id, 100)).await.unwrap();
    let budget = pb::CreateBudgetRequest {
        request_id: new_id(),
        budget: Some(pb::Budget {
            budget_code: "summer".to_owned(),
            display_name: "Summer".to_owned(),
            unit_code: "points".to_owned(),
            value_max: 1,
            ..pb::Budget::default()
        }),
    };
    ledger.budgets().create_budget(ledger.call(budget)).await.unwrap();
    let sent = transfer(&owner_id, &ledger.open_owner().await, 1);
    ledger
        .transactions()
        .transfer_points(ledger.call(sent))
        .await
        .unwrap();
    let hold = pb::HoldPointsRequest {
        request_id: new_id(),
        owner_id,
        amount: Some(Amount {
            unit_code: "points".to_owned(),
            value: 1,
        }),
        ..pb::HoldPointsRequest::default()
    };
    ledger.holds().hold_points(ledger.call(hold)).await.unwrap();
    sqlx::query(
        "INSERT INTO spending (program, account_owner_id, owner_id, unit_code, day, day_value, month_value) \
         SELECT program, owner_id, owner_id, 'points', '2026-11-23', 1, 1 FROM owner LIMIT 1",
    )
    .execute(&database.jobs)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO reversal (program, transaction_id, value_before, value, reversal_id) \
         SELECT program, transaction_id, 0, 1, transaction_id FROM transaction LIMIT 1",
    )
    .execute(&database.jobs)
    .await
    .unwrap();
    // As the job writes it, which is off here.
    sqlx::query(
        "INSERT INTO expiry_notice (program, owner_id, unit_code, expire_time, value, transaction_id) \
         SELECT program, owner_id, 'points', now(), 1, transaction_id FROM transaction LIMIT 1",
    )
    .execute(&database.jobs)
    .await
    .unwrap();
    let stranger = ProgramId::generate(&SystemClock);
    let leaks = fences::leaks(&database.service, &database.jobs, stranger)
        .await
        .unwrap();
    assert_eq!(leaks.seen, Vec::<String>::new());
    // Nobody here is staff.
    assert_eq!(leaks.untried, ["staff"]);
}
