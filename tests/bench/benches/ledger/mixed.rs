//! A shop's day: mostly reads, at half of what the ledger can take, on a schedule that does not wait for it.

use std::time::Duration;

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::callers::{Errand, Errands, Members};
use fealty_bench::load_open::open_loop;
use fealty_bench::report::{Baseline, Row, Target};

/// Saturates it.
const IN_FLIGHT: usize = 256;
/// What may wait on the connections of the schedule.
const WAITING: usize = 2_048;
const MEMBER_COUNT: usize = 10_000;
/// More than all of them spend.
const POINTS: i64 = 1_000_000;

pub const ROWS: Rows = Rows {
    name: "mixed",
    measure: |bench| Box::pin(measure(bench)),
};

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let ground = bench.ground().await?;
    let ids = ground.add_funded_members(MEMBER_COUNT, 1, POINTS).await?;
    let idle = bench.run(&ids, Errand::Post, 1).await?.writes.percentile_ms(50);
    let saturated = bench.run(&ids, Errand::Mixed, IN_FLIGHT).await?;

    let connections = ground.connections(WAITING)?;
    let members = Members::at_random(&ids);
    let caller = move |number: u64| {
        let number = usize::try_from(number).unwrap_or(0);
        Errands::new(&connections, number, (&members, Errand::Mixed))
    };
    // What the saturation has left behind is over before the schedule begins.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let half = open_loop(saturated.per_second() / 2.0, bench.round(), caller).await;
    let idle = Baseline {
        name: "a post alone, p50".to_owned(),
        figure: idle,
    };
    let writes = Row::new(
        "the same at half of that, p99 of writes",
        half.writes.percentile_ms(99),
        "ms",
    );
    let reads = Row::new(
        "the same at half of that, p99 of reads",
        half.reads.percentile_ms(99),
        "ms",
    );
    Ok(vec![
        Row::rate("80 % reads, 15 % earn, 5 % redeem, 256 in flight", &saturated),
        Row::rate("the same at half of that, as scheduled", &half),
        writes.clone().target(Target::FigureAtMost(20.0)),
        writes.against(idle).target(Target::RatioAtMost(10.0)),
        reads,
    ])
}
