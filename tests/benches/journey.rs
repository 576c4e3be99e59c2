//! Measures what the README says: how long until the four services are ready, how much memory they keep, and how long
//! each call of a member's journey takes, by one caller and by several.

mod journey {
    pub mod member;
    pub mod timings;
}

use std::fs;
use std::time::{Duration, Instant};

use fealty::services::ServiceName;
use fealty_tests::offers::{offer_reward, open_survey};
use fealty_tests::replica::Replica;
use fealty_tests::shop::Shop;
use fealty_tests::suite::{Options, Suite};
use tokio::task::JoinSet;

use crate::journey::member::{Offers, walk};
use crate::journey::timings::Timings;

const FEALTY: &str = env!("CARGO_BIN_EXE_fealty-under-test");
/// Members who go their way before anything is counted: connections, caches and plans are made by them.
const WARM_UP_COUNT: usize = 20;
/// Members of each measured round: enough that one in a hundred is two.
const MEMBER_COUNT: usize = 200;
const CALLERS: [usize; 2] = [1, 8];

fn main() {
    let begun = Instant::now();
    // On disk: what is confirmed is flushed, as it is in a shop.
    let suite = Suite::start(Options::kept(FEALTY));
    println!(
        "`up`, a new folder, Postgres and Redis started too: ready in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    println!("the four in one process, idle: {} MiB", resident_mib(suite.pid()));
    separately(&suite);

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for callers in CALLERS {
        let (timings, took) = runtime.block_on(journeys(&suite, callers));
        let count = MEMBER_COUNT;
        println!(
            "\n{count} members, {callers} at once, in {:.1} s:\n",
            took.as_secs_f64()
        );
        print!("{timings}");
    }
    println!(
        "\nthe four in one process, afterwards: {} MiB",
        resident_mib(suite.pid())
    );
}

/// Each in a process of its own, on the same databases.
fn separately(suite: &Suite) {
    for service in ServiceName::ALL {
        let begun = Instant::now();
        let replica = Replica::start(suite, service, None);
        println!(
            "`{}` in a process of its own: ready in {:.2} s, idle {} MiB",
            service.as_str(),
            begun.elapsed().as_secs_f64(),
            resident_mib(replica.pid())
        );
    }
}

async fn journeys(suite: &Suite, callers: usize) -> (Timings, Duration) {
    let shop = Shop::open(suite).await;
    let stock_count = i64::try_from(WARM_UP_COUNT + MEMBER_COUNT).expect("a small number");
    let offers = Offers {
        reward: offer_reward(&shop, stock_count).await,
        survey: open_survey(&shop).await,
    };
    for number in 0..WARM_UP_COUNT {
        walk(&shop, &offers, number, &mut Timings::default()).await;
    }
    let begun = Instant::now();
    let mut walking = JoinSet::new();
    for caller in 0..callers {
        let (shop, offers) = (shop.clone(), offers.clone());
        walking.spawn(async move {
            let mut timings = Timings::default();
            for number in (caller..MEMBER_COUNT).step_by(callers) {
                walk(&shop, &offers, WARM_UP_COUNT + number, &mut timings).await;
            }
            timings
        });
    }
    let mut all = Timings::default();
    while let Some(timings) = walking.join_next().await {
        all.add(timings.expect("a caller does not panic"));
    }
    (all, begun.elapsed())
}

/// What a process keeps in memory.
fn resident_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux tells of a process");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|rest| rest.trim().strip_suffix(" kB"));
    let kib: u64 = resident.and_then(|kib| kib.parse().ok()).expect("a number of kB");
    kib / 1024
}
