//! Balances that Redis has.

use std::sync::Arc;

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::callers::Errand;
use fealty_bench::report::{Row, Target};

/// Enough to keep two cores busy, and below what makes Redis wait.
const IN_FLIGHT: usize = 256;
/// Few enough that the warm-up reads each of them. After ten seconds a value ends and is read from Postgres once: one read
/// of a hundred at the most.
const MEMBER_COUNT: usize = 1_000;

pub const ROWS: Rows = Rows {
    name: "balance",
    measure: |bench| Box::pin(measure(bench)),
};

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let empty = bench.empty(IN_FLIGHT).await?;
    let members: Arc<[String]> = bench.ground().await?.members[..MEMBER_COUNT].into();
    let measured = bench.run(&members, Errand::Read, IN_FLIGHT).await?;
    let row = Row::rate("balance read, Redis hit, 256 in flight", &measured);
    Ok(vec![row.against(empty).target(Target::RatioAtLeast(0.6))])
}
