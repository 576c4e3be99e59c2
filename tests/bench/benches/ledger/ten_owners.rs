//! Everybody posts to the same few members: what locks cost.

use std::sync::Arc;

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::callers::Errand;
use fealty_bench::report::{Row, Target};

const IN_FLIGHT: usize = 256;
const OWNER_COUNT: usize = 10;

pub const ROWS: Rows = Rows {
    name: "ten-owners",
    measure: |bench| Box::pin(measure(bench)),
};

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let ten: Arc<[String]> = bench.ground().await?.members[..OWNER_COUNT].into();
    let usual = bench.usual(&ten, IN_FLIGHT).await?;
    let measured = bench.run(&ten, Errand::Post, IN_FLIGHT).await?;
    let row = Row::rate("all posts on ten owners, 256 in flight", &measured);
    Ok(vec![row.against(usual).target(Target::RatioAtLeast(15.0))])
}
