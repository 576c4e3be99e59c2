//! The first minute of a ledger: empty tables that Postgres has never looked at, which must not make posts slow.

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::callers::{Errand, Errands, Members};
use fealty_bench::ground::Ground;
use fealty_bench::load::closed_loop;
use fealty_bench::report::Row;

const IN_FLIGHT: usize = 64;

pub const ROWS: Rows = Rows {
    name: "fresh",
    measure: |bench| Box::pin(measure(bench)),
};

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let post = bench.post_baseline(IN_FLIGHT).await?;
    let ground = Ground::start_fresh(&bench.servers).await?;
    let connections = ground.connections(IN_FLIGHT)?;
    let members = Members::at_random(&ground.members);
    let caller = |number| Errands::new(&connections, number, (&members, Errand::Post));
    let measured = closed_loop(IN_FLIGHT, bench.round(), caller).await;
    let row = Row::rate("post to a new, empty ledger, 64 in flight", &measured);
    Ok(vec![row.against(post)])
}
