//! Posts as a busy shop makes them.

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::report::{Row, Target};

const IN_FLIGHT: usize = 64;

pub const ROWS: Rows = Rows {
    name: "post-64",
    measure: |bench| Box::pin(measure(bench)),
};

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let members = &bench.ground().await?.members;
    let usual = bench.usual(members, IN_FLIGHT).await?;
    let pgbench = bench.pgbench().await?;
    let row = Row::rate("post, 64 in flight", &bench.post(IN_FLIGHT).await?);
    Ok(vec![
        row.clone().against(usual).target(Target::RatioAtLeast(6.0)),
        row.against(pgbench).target(Target::RatioAtLeast(0.8)),
    ])
}
