//! Two replicas, callers who ask until they know, and faults at random: what they lived through has to go with what is in
//! the record afterwards.
//!
//! The seed decides what the callers wish and what goes wrong; how both meet is up to the machine, so the same seed finds
//! alike, not the same. `FEALTY_FAULTS_SEEDS` (comma-separated) and `FEALTY_FAULTS_SECONDS` (of each) make it longer.

mod broken;
mod callers;
mod consumers;
mod line;
mod nemesis;
mod run;
mod world;

use std::time::Duration;

use fealty_tests::bounded::within;
use run::{Ground, Plan, run};

const SEEDS: &str = "1,2";
const SECONDS: &str = "40";
/// Of each run, beside its faults: it begins, it heals, and it is checked.
const AROUND: Duration = Duration::from_mins(4);

#[tokio::test(flavor = "multi_thread")]
async fn what_callers_lived_through_goes_with_the_record_whatever_was_killed() {
    let seeds = setting("FEALTY_FAULTS_SEEDS", SEEDS);
    let seeds: Vec<u64> = seeds
        .split(',')
        .map(|seed| seed.parse().expect("seeds are numbers"))
        .collect();
    let seconds = setting("FEALTY_FAULTS_SECONDS", SECONDS);
    let faults_for = Duration::from_secs(seconds.parse().expect("seconds are a number"));
    let ground = Ground::start();
    for seed in seeds {
        let plan = Plan {
            seed,
            faults_for,
            ..Plan::default()
        };
        let report = within(faults_for + AROUND, run(&ground, plan)).await;
        eprintln!("{}", report.told());
        report.assert_lively();
        report.assert_clean();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "who runs the test says how long, and there is no config"
)]
fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
