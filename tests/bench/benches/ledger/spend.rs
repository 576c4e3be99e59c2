//! What lots cost: a spend that takes a point of the first of fifty, and one that takes of all fifty.

use std::time::Duration;

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::callers::{Errand, Members};
use fealty_bench::options::Round;
use fealty_bench::report::{Row, Target};

const IN_FLIGHT: usize = 64;
const LOT_COUNT: usize = 50;
const POINTS_PER_LOT: i64 = 1_000;
/// Takes of all fifty as long as no more than 500 points of the first were spent before.
const ALL_LOTS: i64 = 49_500;
/// Members with fifty lots: each can spend all of them once.
const MEMBERS_QUICK: usize = 1_000;
const MEMBERS_FULL: usize = 20_000;
/// However long they take, it ends.
const ALL_LOTS_BOUND: Duration = Duration::from_mins(1);

pub const ROWS: Rows = Rows {
    name: "spend",
    measure: |bench| Box::pin(measure(bench)),
};

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let post = bench.post_baseline(IN_FLIGHT).await?;
    let count = bench.options.either(MEMBERS_QUICK, MEMBERS_FULL);
    let ground = bench.ground().await?;
    let members = ground
        .add_funded_members(count, LOT_COUNT, POINTS_PER_LOT)
        .await?;
    let one = bench.run(&members, Errand::Spend(1), IN_FLIGHT).await?;
    let round = Round {
        warm_up: Duration::ZERO,
        measured: ALL_LOTS_BOUND,
    };
    let once_each = Members::once_each(&members);
    let all = bench
        .run_for(&once_each, Errand::Spend(ALL_LOTS), (IN_FLIGHT, round))
        .await?;
    Ok(vec![
        Row::rate("spend of 1 of 50 lots, 64 in flight", &one)
            .cost_against(post.clone())
            .target(Target::RatioAtMost(2.0)),
        Row::rate("spend of all 50 lots, 64 in flight", &all)
            .cost_against(post)
            .target(Target::RatioAtMost(12.0))
            .note(format!("{count} members, each once")),
    ])
}
