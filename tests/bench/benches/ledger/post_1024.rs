//! Posts as many as a ledger can be asked for.

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::report::{Row, Target};

const IN_FLIGHT: usize = 1_024;

pub const ROWS: Rows = Rows {
    name: "post-1024",
    measure: |bench| Box::pin(measure(bench)),
};

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let members = &bench.ground().await?.members;
    let usual = bench.usual(members, IN_FLIGHT).await?;
    let pgbench = bench.pgbench().await?;
    let empty = bench.empty(IN_FLIGHT).await?;
    let row = Row::rate("post, 1,024 in flight", &bench.post(IN_FLIGHT).await?);
    Ok(vec![
        row.clone().against(usual).target(Target::RatioAtLeast(12.0)),
        row.clone().against(pgbench).target(Target::RatioAtLeast(1.5)),
        row.against(empty).target(Target::RatioAtLeast(0.25)),
    ])
}
