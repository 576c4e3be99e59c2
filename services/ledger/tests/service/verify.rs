//! Verification: what the API recorded verifies clean, also while posting goes on; whatever is changed by hand is found
//! and named.

mod busy;
mod tampering;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use fealty_ledger::verify::{self, Limits, Options, Progress, Report};
use fealty_postgres::testing::TestDatabase;
use fealty_types::{ManualClock, ProgramId, SystemClock};
use futures::future::join_all;

use super::harness::plant_program;
use super::support::{Ledger, spend};

/// More than any test has.
const FINDINGS_MAX: usize = 1_000;

/// So small that a few rows make many pages, and parts of lots.
const SMALL: Limits = Limits {
    owners_per_page: 2,
    versions_per_page: 5,
    lots_at_a_time: 3,
};

async fn report_of(database: &TestDatabase, program: Option<ProgramId>) -> Report {
    let large = report_within(Limits::default(), database, program).await;
    let small = report_within(SMALL, database, program).await;
    let sorted = |report: &Report| {
        let mut found: Vec<String> = report.findings.kept().iter().map(ToString::to_string).collect();
        found.sort();
        found
    };
    assert_eq!(sorted(&large), sorted(&small), "pages of any size find the same");
    small
}

async fn report_within(limits: Limits, database: &TestDatabase, program: Option<ProgramId>) -> Report {
    let options = Options {
        limits,
        program,
        parallel: 2,
        findings_max: FINDINGS_MAX,
    };
    let report = verify::run(&database.jobs, &options, &Arc::new(Progress::default())).await;
    report.expect("it reads everything")
}

/// Asserts that all that was recorded there is as it must be.
pub async fn assert_verified(database: &TestDatabase) -> Report {
    let report = report_of(database, None).await;
    let found: Vec<String> = report.findings.kept().iter().map(ToString::to_string).collect();
    assert!(report.is_clean(), "{found:#?}");
    report
}

fn clock() -> ManualClock {
    // Finer than Postgres keeps it: what is hashed is what is kept.
    ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::nanoseconds(123_456_789))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_ledger_verifies_clean_and_every_transaction_is_in_a_chain() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let shop = busy::Shop::play(&ledger, &clock).await;
    let report = assert_verified(&ledger.database).await;
    let versions: i64 = sqlx::query_scalar("SELECT count(version) FROM transaction")
        .fetch_one(&ledger.database.owner)
        .await
        .unwrap();
    assert_eq!(report.transactions, u64::try_from(versions).unwrap());
    assert_eq!((report.programs, report.unchained), (1, 0));
    assert_eq!(report.owners, shop.owners);
    let kinds: Vec<String> = sqlx::query_scalar("SELECT DISTINCT kind FROM transaction ORDER BY kind")
        .fetch_all(&ledger.database.owner)
        .await
        .unwrap();
    let all = [
        "activate", "adjust", "capture", "credit", "expire", "hold", "move", "purchase", "refund", "release",
        "reverse", "spend", "transfer",
    ];
    assert_eq!(kinds, all, "the test posts whatever can be posted");
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_beside_a_live_ledger_finds_nothing() {
    let ledger = Ledger::start().await;
    let owners: Vec<String> = join_all((0..6).map(|_| ledger.open_owner())).await;
    let posting = async {
        for round in 0..12 {
            join_all(owners.iter().map(|owner| ledger.give(owner, 10))).await;
            join_all(owners.iter().map(|owner| async {
                ledger
                    .spend(spend(owner, "points", 3))
                    .await
                    .expect("there is enough");
            }))
            .await;
            if round % 3 == 0 {
                busy::move_points(&ledger).await;
            }
        }
    };
    let verifying = async {
        for _ in 0..12 {
            assert_verified(&ledger.database).await;
        }
    };
    tokio::join!(posting, verifying);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_program_is_verified_alone() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 10).await;
    let other = plant_program(&ledger.database, "UTC", "GBP").await;
    sqlx::query("UPDATE account SET available = available + 1")
        .execute(&ledger.database.owner)
        .await
        .unwrap();
    assert!(report_of(&ledger.database, Some(other.program)).await.is_clean());
    let report = report_of(&ledger.database, Some(ledger.shop.program)).await;
    assert!(!report.is_clean());
    let unknown = report_of(&ledger.database, Some(ProgramId::generate(&SystemClock))).await;
    assert_eq!(unknown.programs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_chain_is_counted_and_what_follows_is_chained() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 10).await;
    ledger.give(&owner, 20).await;
    // As if it had been recorded before there was a chain.
    for statement in [
        "ALTER TABLE transaction DROP CONSTRAINT transaction_chained",
        "UPDATE transaction SET chain_hash = NULL",
        "UPDATE owner SET chain_head = NULL",
        "ALTER TABLE transaction ADD CONSTRAINT transaction_chained \
         CHECK ((version IS NULL) = (chain_hash IS NULL)) NOT VALID",
    ] {
        sqlx::query(statement)
            .execute(&ledger.database.owner)
            .await
            .unwrap();
    }
    ledger.give(&owner, 30).await;
    ledger.give(&owner, 40).await;
    let report = assert_verified(&ledger.database).await;
    assert_eq!((report.transactions, report.unchained), (4, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_is_gone_with_all_that_told_of_it_is_not_seen_without_a_checkpoint_outside() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 10).await;
    ledger.give(&owner, 20).await;
    for statement in [
        "DELETE FROM transaction WHERE version = 2",
        "UPDATE owner o SET version = 1, chain_head = t.chain_hash, last_time = t.record_time FROM transaction t \
         WHERE t.owner_id = o.owner_id AND t.version = 1",
        "UPDATE account SET available = 10",
        "UPDATE lot SET value_left = 10, value_credited = 10",
    ] {
        assert_eq!(
            report_of(&ledger.database, None).await.is_clean(),
            statement.starts_with("DELETE")
        );
        sqlx::query(statement)
            .execute(&ledger.database.owner)
            .await
            .unwrap();
    }
    // Nothing in the database remembers it: whoever can write everything can take away the end.
    assert_verified(&ledger.database).await;
}
