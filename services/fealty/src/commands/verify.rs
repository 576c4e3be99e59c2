//! `fealty verify`: recomputes everything that the ledger recorded.

mod show;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use fealty_ledger::verify::{self, Limits, Options, Progress};
use fealty_postgres::PoolConfig;
use fealty_types::ProgramId;
use sqlx::postgres::PgPool;

use super::database::{Database, Of};
use crate::tool;

/// What Postgres shows of the connections.
const APPLICATION: &str = "fealty-verify";

/// Questions about a whole program take longer than anything that serves calls.
const STATEMENT_TIMEOUT_MS: u64 = 3_600_000;

/// A page is read without a pause, but the machine may be busy.
const IDLE_IN_TRANSACTION_TIMEOUT_MS: u64 = 60_000;

/// A wait for a connection: there is one for each worker.
const ACQUIRE_TIMEOUT_MS: u64 = 2_000;

/// Unless told: two cores are busy then, and leave room for the services beside.
const PARALLEL_DEFAULT: u32 = 4;

/// More would take connections from the services, and a Postgres of default size has a hundred.
const PARALLEL_MAX: i64 = 64;

/// Unless told: more than anybody reads at once; all are counted.
const FINDINGS_DEFAULT: usize = 100;

/// What to verify.
#[derive(Debug, clap::Args)]
#[command(after_help = crate::config::ENVIRONMENT)]
pub struct Args {
    /// One program only. Without it, all of them.
    #[arg(long, value_name = "ID")]
    program: Option<ProgramId>,
    /// Pages of owners to read at a time, with a connection each.
    #[arg(long, value_name = "N", default_value_t = PARALLEL_DEFAULT,
          value_parser = clap::value_parser!(u32).range(1..=PARALLEL_MAX))]
    parallel: u32,
    /// Findings to print. The rest is counted.
    #[arg(long, value_name = "N", default_value_t = FINDINGS_DEFAULT)]
    findings: usize,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: Database,
}

/// Verifies.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    tool::run(verify(args))
}

async fn connect(database: &Database, parallel: u32) -> anyhow::Result<PgPool> {
    let config = PoolConfig {
        // One more plans.
        size: parallel + 1,
        acquire_timeout_ms: ACQUIRE_TIMEOUT_MS,
        statement_timeout_ms: STATEMENT_TIMEOUT_MS,
        idle_in_transaction_timeout_ms: IDLE_IN_TRANSACTION_TIMEOUT_MS,
        ..PoolConfig::default()
    };
    database.connect(Of::Ledger, APPLICATION, &config).await
}

async fn verify(args: Args) -> anyhow::Result<bool> {
    let pool = connect(&args.database, args.parallel).await?;
    let options = Options {
        program: args.program,
        parallel: args.parallel,
        findings_max: args.findings,
        limits: Limits::default(),
    };
    let progress = Arc::new(Progress::default());
    let began = Instant::now();
    let report = {
        let _display = show::Display::begin(Arc::clone(&progress));
        verify::run(&pool, &options, &progress).await
    }?;
    if args.json {
        tool::print_line(&show::json(&report, began.elapsed())?)?;
    } else {
        for line in show::lines(&report, began.elapsed()) {
            tool::print_line(&line)?;
        }
    }
    Ok(report.is_clean())
}
