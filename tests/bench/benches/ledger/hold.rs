//! A hold that is captured: two calls instead of one.

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::callers::Errand;
use fealty_bench::report::{Row, Target};

const IN_FLIGHT: usize = 64;
const MEMBER_COUNT: usize = 10_000;
/// More than all holds together take.
const POINTS: i64 = 1_000_000;

pub const ROWS: Rows = Rows {
    name: "hold",
    measure: |bench| Box::pin(measure(bench)),
};

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let post = bench.post_baseline(IN_FLIGHT).await?;
    let ground = bench.ground().await?;
    let members = ground.add_funded_members(MEMBER_COUNT, 1, POINTS).await?;
    let measured = bench.run(&members, Errand::HoldAndCapture, IN_FLIGHT).await?;
    let row = Row::rate("hold and capture, 64 in flight", &measured);
    Ok(vec![row.cost_against(post).target(Target::RatioAtMost(2.5))])
}
