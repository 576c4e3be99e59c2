//! The check's own test: ledgers, callers and servers that are broken on purpose are found out, and by the right name.
//!
//! Each meets the faults that bring it to light soonest. What is broken in the ledger is compiled in only with its feature
//! `sabotage`; `.ci/full` says how these are run.

use std::time::Duration;

use fealty_tests::bounded::within;
use fealty_tests::history::Kind;

use super::nemesis::Fault;
use super::run::{Ground, Plan, run};

/// Runs at the most, each with the next seed: how what is broken meets the callers is up to the machine.
const RUNS_MAX: u64 = 10;
/// Faults of one run.
const FAULTS_FOR: Duration = Duration::from_secs(20);
const BOUND: Duration = Duration::from_mins(20);

async fn found_out(ground: &Ground, plan: Plan, kind: Kind) {
    within(BOUND, async {
        for seed in 1..=RUNS_MAX {
            let plan = Plan {
                seed,
                faults_for: FAULTS_FOR,
                ..plan
            };
            let report = run(ground, plan).await;
            let found = report.violations().iter().filter(|it| it.kind == kind);
            eprintln!("{}", report.summary());
            if let Some(first) = found.clone().next() {
                eprintln!(
                    "{} of the kind that was looked for; the first: {first}",
                    found.count()
                );
                return;
            }
        }
        panic!("{kind:?} was not found in {RUNS_MAX} runs: {plan:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of the long run"]
async fn callers_who_retry_without_their_id_are_found_out() {
    let plan = Plan {
        forgets_ids: true,
        ..Plan::default()
    };
    found_out(&Ground::start(), plan, Kind::DoubledWrite).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of the long run"]
async fn a_database_that_answers_before_it_has_written_is_found_out() {
    let ground = Ground::start();
    let lazy = "ALTER DATABASE fealty_ledger SET synchronous_commit = off";
    ground.suite.database().change(lazy).await;
    let plan = Plan {
        faults: &[Fault::KillPostgres],
        ..Plan::default()
    };
    found_out(&ground, plan, Kind::LostWrite).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a build with the feature sabotage of fealty-ledger"]
async fn a_cache_that_is_read_whatever_its_version_is_found_out() {
    let plan = Plan {
        // What it lacks when it thaws, it lacks until it is repaired.
        faults: &[Fault::FreezeRedis],
        sabotage: Some(("unversioned_cache", [true, true])),
        ..Plan::default()
    };
    found_out(&Ground::start(), plan, Kind::StaleRead).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a build with the feature sabotage of fealty-ledger"]
async fn a_replica_that_locks_the_other_way_around_is_found_out() {
    let plan = Plan {
        sabotage: Some(("reversed_locks", [false, true])),
        ..Plan::default()
    };
    found_out(&Ground::start(), plan, Kind::Deadlock).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a build with the feature sabotage of fealty-ledger"]
async fn a_feed_that_skips_rows_is_found_out() {
    let plan = Plan {
        sabotage: Some(("skipped_rows", [true, true])),
        ..Plan::default()
    };
    found_out(&Ground::start(), plan, Kind::MissingEvent).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a build with the feature sabotage of fealty-ledger"]
async fn a_replica_that_trusts_what_it_remembers_is_found_out() {
    let plan = Plan {
        sabotage: Some(("unchecked_memory", [true, true])),
        ..Plan::default()
    };
    found_out(&Ground::start(), plan, Kind::BalanceNotSum).await;
}
