//! Everybody posts out of one budget: what a row that all of them need costs.

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::callers::Errand;
use fealty_bench::report::{Row, Target};

const IN_FLIGHT: usize = 1_024;

pub const ROWS: Rows = Rows {
    name: "budget",
    measure: |bench| Box::pin(measure(bench)),
};

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let post = bench.post_baseline(IN_FLIGHT).await?;
    let ground = bench.ground().await?;
    ground.set_up_budget().await?;
    let members = ground.members.clone();
    let measured = bench.run(&members, Errand::FundedPost, IN_FLIGHT).await?;
    let row = Row::rate("post under one limited budget, 1,024 in flight", &measured);
    Ok(vec![row.against(post).target(Target::RatioAtLeast(0.7))])
}
