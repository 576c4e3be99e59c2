//! What a ledger keeps in memory under all the load that it takes.

use std::time::{Duration, Instant};

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::callers::{Errand, Errands, Members};
use fealty_bench::child::Child;
use fealty_bench::connections::Connections;
use fealty_bench::load::closed_loop;
use fealty_bench::options::Round;
use fealty_bench::report::{Row, Target};
use tokio::time::sleep;

const IN_FLIGHT: usize = 1_024;
const FULL: Duration = Duration::from_mins(10);
const QUICK: Duration = Duration::from_secs(10);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

pub const ROWS: Rows = Rows {
    name: "memory",
    measure: |bench| Box::pin(measure(bench)),
};

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let ground = bench.ground().await?;
    // A fresh one: what the rows before have left in the other's memory is not meant.
    let ledger = ground.start_replica().await?;
    let idle_mib = ledger.resident_mib()?;
    let round = Round {
        warm_up: Duration::ZERO,
        measured: bench.options.either(QUICK, FULL),
    };
    let connections = Connections::to(ledger.url(), &ground.key, IN_FLIGHT)?;
    let members = Members::at_random(&ground.members);
    let caller = |number| Errands::new(&connections, number, (&members, Errand::Post));
    let (measured, samples) = tokio::join!(
        closed_loop(IN_FLIGHT, round, caller),
        samples(&ledger, round.measured)
    );
    let samples = samples?;
    let most = samples.iter().map(|(_, mib)| *mib).fold(0.0, f64::max);
    let seconds = round.measured.as_secs();
    let rows = vec![
        Row::rate(format!("post, 1,024 in flight for {seconds} s"), &measured),
        Row::new("resident memory of the ledger meanwhile", most, "MiB")
            .target(Target::FigureAtMost(96.0))
            .note(format!("{idle_mib:.1} MiB before the first call")),
        Row::new(
            "its growth in the second half",
            growth(&samples[samples.len() / 2..]),
            "MiB a minute",
        )
        .note(if bench.options.quick {
            "too short to tell growth from warming up"
        } else {
            "flat is what rises and falls around nothing"
        }),
    ];
    Ok(rows)
}

/// Seconds since the beginning, and MiB.
async fn samples(ledger: &Child, span: Duration) -> anyhow::Result<Vec<(f64, f64)>> {
    let begun = Instant::now();
    let mut samples = Vec::new();
    while begun.elapsed() < span {
        samples.push((begun.elapsed().as_secs_f64(), ledger.resident_mib()?));
        sleep(SAMPLE_INTERVAL).await;
    }
    Ok(samples)
}

/// The slope of the line that lies closest, in MiB a minute.
fn growth(samples: &[(f64, f64)]) -> f64 {
    let count: f64 = samples.iter().map(|_| 1.0).sum();
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (time, mib) = (mean(|sample| sample.0), mean(|sample| sample.1));
    let covariance: f64 = samples.iter().map(|(t, m)| (t - time) * (m - mib)).sum();
    let variance: f64 = samples.iter().map(|(t, _)| (t - time).powi(2)).sum();
    covariance / variance * 60.0
}
