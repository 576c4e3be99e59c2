//! Whether posts slow down as the ledger grows, and what they take of the disk. A checkpoint falls into each measurement,
//! because after one every changed page is written to the log as a whole.

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::callers::{Errand, Errands, Members};
use fealty_bench::ground::Ground;
use fealty_bench::history::History;
use fealty_bench::load::{Measured, closed_loop};
use fealty_bench::report::{Baseline, Row, Target};
use tokio::time::sleep;

const IN_FLIGHT: usize = 64;
const SMALL: usize = 10_000;
const LARGE_QUICK: usize = 200_000;
const LARGE_FULL: usize = 1_000_000;
const LARGE_BIG: usize = 20_000_000;

pub const ROWS: Rows = Rows {
    name: "growth",
    measure: |bench| Box::pin(measure(bench)),
};

/// What a measurement at one size came to.
struct AtSize {
    size: String,
    measured: Measured,
    wal_bytes: f64,
    disk_bytes: f64,
}

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let large = if bench.options.big {
        LARGE_BIG
    } else {
        bench.options.either(LARGE_QUICK, LARGE_FULL)
    };
    // A ledger of its own, whose size is known.
    let ground = Ground::start(&bench.servers).await?;
    let mut history = History::of(&ground);
    let small = at_size(bench, &ground, &mut history, SMALL).await?;
    let large = at_size(bench, &ground, &mut history, large).await?;
    let baseline = Baseline {
        name: format!("at {}", small.size),
        figure: small.measured.per_second(),
    };
    let mut at_large = Row::rate(what(&large), &large.measured)
        .cost_against(baseline)
        .target(Target::RatioAtMost(1.4));
    if !bench.options.big {
        at_large = at_large.note("20 million only with --big");
    }
    let mut rows = vec![Row::rate(what(&small), &small.measured), at_large];
    for at in [small, large] {
        rows.push(Row::new(
            format!("log per posting at {}", at.size),
            at.wal_bytes,
            "bytes",
        ));
        rows.push(Row::new(
            format!("disk per posting at {}", at.size),
            at.disk_bytes,
            "bytes",
        ));
    }
    Ok(rows)
}

fn what(at: &AtSize) -> String {
    format!("post at {} transactions, {IN_FLIGHT} in flight", at.size)
}

async fn at_size(
    bench: &Bench,
    ground: &Ground,
    history: &mut History<'_>,
    count: usize,
) -> anyhow::Result<AtSize> {
    eprintln!("  {count} transactions by SQL");
    history.fill(count).await?;
    let database = ground.database.database_name();
    bench.postgres.settle(database).await?;
    let connections = ground.connections(IN_FLIGHT)?;
    let members = Members::at_random(&ground.members);
    let caller = |number| Errands::new(&connections, number, (&members, Errand::Post));
    let round = bench.round();
    let before = bench.postgres.written(database).await?;
    let (measured, checkpoint) = tokio::join!(closed_loop(IN_FLIGHT, round, caller), async {
        sleep(round.warm_up + round.measured / 3).await;
        bench.postgres.checkpoint().await
    });
    checkpoint?;
    let after = bench.postgres.written(database).await?;
    let per_posting = |bytes: i64| per_posting(bytes, measured.answered_count);
    Ok(AtSize {
        size: size_text(history.count()),
        wal_bytes: per_posting(after.wal_bytes - before.wal_bytes),
        disk_bytes: per_posting(after.database_bytes - before.database_bytes),
        measured,
    })
}

#[expect(clippy::cast_precision_loss, reason = "bytes of seconds are far below 2^52")]
fn per_posting(bytes: i64, count: u64) -> f64 {
    bytes as f64 / count as f64
}

fn size_text(count: usize) -> String {
    match count {
        1_000_000.. => format!("{} million", count / 1_000_000),
        _ => format!("{} thousand", count / 1_000),
    }
}
