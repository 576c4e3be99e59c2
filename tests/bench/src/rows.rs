//! How a benchmark runs: its rows, one after the other, each told as soon as it is known.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::Parser as _;
use fealty_testing::durable_servers;
use futures::future::LocalBoxFuture;

use crate::bench::Bench;
use crate::options::Options;
use crate::report::{Row, table, write_json};
use crate::serving::{Role, serve_as};

/// What measures some rows of the report.
pub type Measure = for<'a> fn(&'a Bench) -> LocalBoxFuture<'a, anyhow::Result<Vec<Row>>>;

/// Rows that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// For `--only`.
    pub name: &'static str,
    /// Measures them.
    pub measure: Measure,
}

/// Runs a benchmark, or what one of its children is to serve.
#[must_use]
pub fn run(all: &[Rows]) -> ExitCode {
    if let Some(role) = Role::asked_for() {
        return serve_as(role);
    }
    match measure(all, Options::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(all: &[Rows], options: Options) -> anyhow::Result<usize> {
    let wanted: Vec<Rows> = all
        .iter()
        .copied()
        .filter(|rows| options.wants(rows.name))
        .collect();
    let names: Vec<&str> = all.iter().map(|rows| rows.name).collect();
    ensure!(!wanted.is_empty(), "no such row; there are {}", names.join(", "));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure_all(&wanted, options))
}

/// Answers how many rows could not be measured. Where a floor is missed, the report says so, and that is all.
async fn measure_all(wanted: &[Rows], options: Options) -> anyhow::Result<usize> {
    let begun = Instant::now();
    let json = options.json.clone();
    let servers = durable_servers()
        .await
        .context("there are no servers to measure on")?;
    let bench = Bench::new(options, servers);
    println!("{}\n", conditions(&bench).await?);
    let (mut rows, mut failed_count) = (Vec::new(), 0);
    for Rows { name, measure } in wanted {
        eprintln!("{name}");
        match measure(&bench).await {
            Ok(measured) => {
                eprint!("{}", table(&measured));
                rows.extend(measured);
            }
            Err(error) => {
                eprintln!("{name} could not be measured: {error:#}");
                failed_count += 1;
            }
        }
    }
    println!("\n{}\nin {:.0} s", table(&rows), begun.elapsed().as_secs_f64());
    if let Some(path) = json {
        write_json(&rows, &path)?;
    }
    bench.end().await?;
    Ok(failed_count)
}

/// What the figures hold for.
async fn conditions(bench: &Bench) -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism()?;
    let round = bench.round();
    let build = if cfg!(debug_assertions) {
        "NOT OPTIMISED: figures mean nothing"
    } else {
        "optimised"
    };
    Ok(format!(
        "{cores} cores for client, service, Postgres and Redis; {build}; each row {:.1} s after {:.1} s of warm-up\n\
         {}\ndata in {}",
        round.measured.as_secs_f64(),
        round.warm_up.as_secs_f64(),
        bench.postgres.check_durable().await?,
        bench.servers.data_dir().display(),
    ))
}
