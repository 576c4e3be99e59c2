//! `fealty up`: the whole suite on one machine, from nothing to a first call.
//!
//! In this order: the ports are taken; Postgres and Redis are started (or the given ones asked); roles, databases and
//! schemas are made; keys are planted; the services start in this process and talk gRPC to each other as they would
//! anywhere; the printed key is tried on each of them; then it says where everything is. What fails on the way ends it
//! all, and leaves nothing behind.

mod databases;
mod plant;
mod ports;
mod private;
pub(super) mod ready;
mod suite;
mod taken;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::FalseyValueParser;
use fealty_ledger::Times;
use fealty_local::{DataDir, Durability, Install, Options, Report, default_data_dir};
use fealty_members::programs::domain::Program;
use fealty_runtime::config::DrainConfig;
use fealty_runtime::{Outcome, Process, Tasks, launch};
use fealty_telemetry::{Telemetry, TelemetryConfig};
use fealty_types::SystemClock;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use self::ports::Ports;
use self::private::Servers;
use self::suite::Ground;
use super::service;
use crate::kept::{Addresses, FileOwner, Kept};
use crate::services::{PerService, ServiceName};

/// How long services may take to end. Shorter than in production: whoever pressed Ctrl-C is waiting.
const DRAIN_TIMEOUT_MS: u64 = 10_000;

/// Whoever starts this wants to read where everything is, not what is done. What ends the process is told anyway.
const LOG_DEFAULT: &str = "warn,fealty_runtime::process=off,sqlx_core=error,sqlx=error";

/// What to run, where.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder of all data and of the secrets that must be kept. Default: /var/lib/fealty for root, else
    /// ~/.local/share/fealty (or below `XDG_DATA_HOME`).
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Keep nothing: a folder of its own that goes with the end.
    #[arg(long, conflicts_with_all = ["data_dir", "postgres_url"])]
    pub(super) ephemeral: bool,
    /// Install Postgres and Redis without asking, where they are missing.
    #[arg(long, env = "FEALTY_INSTALL", value_parser = FalseyValueParser::new())]
    install: bool,
    #[command(flatten)]
    ports: Ports,
    /// Use this Postgres, by a role that may create roles and databases.
    #[arg(long, value_name = "URL", env = "FEALTY_POSTGRES_URL", hide_env_values = true)]
    postgres_url: Option<String>,
    /// Use this Redis.
    #[arg(long, value_name = "URL", env = "FEALTY_REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// Leave a private Postgres or Redis that ends by itself as it is, instead of starting it again.
    #[arg(long)]
    leave_ended: bool,
    /// Send traces, metrics and logs there by OTLP over gRPC, such as `http://127.0.0.1:4317`.
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// What is logged to standard error, as tracing's `EnvFilter` has it: `info`, `warn,fealty_ledger=debug`.
    #[arg(long, value_name = "FILTER", default_value = LOG_DEFAULT)]
    log: String,
}

/// Runs everything until asked to end.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    run_with(
        "fealty-up",
        args,
        Times::real(SystemClock::shared()),
        async |started, _| ready::print(&started),
    )
}

/// Runs everything by these clocks, and what is to be done once everything stands, until asked to end.
pub(super) fn run_with<F>(
    name: &'static str,
    args: Args,
    times: Times,
    once_ready: impl FnOnce(Started, Tasks) -> F + Send + 'static,
) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>> + 'static,
{
    launch(async move || {
        let telemetry = TelemetryConfig {
            log_filter: args.log.clone(),
            otlp_endpoint: args.otlp_endpoint.clone(),
            ..TelemetryConfig::default()
        };
        match Telemetry::try_init(&telemetry, service::identity(name)) {
            Ok(telemetry) => run_process(args, times, telemetry, once_ready).await,
            Err(error) => Outcome::failed("telemetry", &error),
        }
    })
}

async fn run_process<F>(
    args: Args,
    times: Times,
    telemetry: Telemetry,
    once_ready: impl FnOnce(Started, Tasks) -> F + Send + 'static,
) -> Outcome
where
    F: Future<Output = anyhow::Result<()>> + 'static,
{
    let drain = DrainConfig {
        // No load balancer looks at us.
        not_serving_pause_ms: 0,
        drain_timeout_ms: DRAIN_TIMEOUT_MS,
    };
    let servers = Servers::default();
    let held = servers.clone();
    let outcome = Process::new(&drain)
        .with_telemetry(telemetry)
        .run(move |tasks| start_unless_ending(args, times, held, tasks, once_ready))
        .await;
    // Only now: services that drain still need them.
    match servers.take() {
        Some(servers) => match servers.stop().await {
            Err(error) if outcome.is_clean() => Outcome::failed("stopping Postgres and Redis", &error),
            _ => outcome,
        },
        None => outcome,
    }
}

/// On a thread of its own: the compiler cannot tell that migrations are `Send`, and on one thread they need not be.
async fn start_unless_ending<F>(
    args: Args,
    times: Times,
    held: Servers,
    tasks: Tasks,
    once_ready: impl FnOnce(Started, Tasks) -> F + Send + 'static,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + 'static,
{
    let runtime = Handle::current();
    let starting = spawn_blocking(move || {
        let started = tasks.unless_ending(async {
            let started = start(&args, times, &held, &tasks).await?;
            once_ready(started, tasks.clone()).await
        });
        runtime.block_on(started).unwrap_or(Ok(()))
    });
    starting.await.context("the start broke off")?
}

/// Everything stands.
pub(super) struct Started {
    /// Secrets and addresses.
    pub kept: Kept,
    /// The program of the printed key.
    pub program: Program,
    /// Where health and metrics are.
    pub admins: PerService<SocketAddr>,
    /// Where the data lies.
    pub folder: PathBuf,
    /// The data goes with the end.
    pub is_ephemeral: bool,
}

async fn start(args: &Args, times: Times, held: &Servers, tasks: &Tasks) -> anyhow::Result<Started> {
    let sockets = args.ports.bind().await?;
    let options = options(args);
    let owner = match &options.data_dir {
        DataDir::Kept(folder) => FileOwner::of(folder),
        DataDir::Ephemeral => FileOwner::Us,
    };
    let servers = fealty_local::start(options).await?;
    let (folder, redis_url) = (servers.data_dir().to_owned(), servers.redis_url().to_owned());
    let admin_url = servers.postgres_admin_url().to_owned();
    held.put(servers);

    let kept = Kept::find(&folder)?;
    databases::check_not_orphaned(&admin_url, kept.is_some(), &folder).await?;
    let mut kept = kept.unwrap_or_else(Kept::generate);
    kept.save(&folder, owner)?;
    let urls = databases::prepare(&admin_url, &kept).await?;
    let members_jobs_url = &urls[ServiceName::Members].jobs;
    let addresses = PerService::from_fn(|service| format!("http://{}", sockets[service].grpc));
    kept.addresses = Addresses::new(addresses, members_jobs_url, &urls[ServiceName::Ledger].jobs);
    let program = plant::plant(members_jobs_url, &mut kept).await?;
    kept.save(&folder, owner)?;

    held.record(&sockets)?;
    let admins = PerService::from_fn(|service| sockets[service].admin);
    let ground = Ground {
        urls: &urls,
        redis_url: &redis_url,
        kept: &kept,
        times: &times,
    };
    let suite = suite::start(sockets.map(|bound| bound.listeners), &ground, tasks)?;
    suite.wait_until_ready(tasks).await?;
    held.look_after(tasks, args.leave_ended);
    plant::try_key(&kept, program.program_id).await?;
    Ok(Started {
        kept,
        program,
        admins,
        folder,
        is_ephemeral: args.ephemeral,
    })
}

fn options(args: &Args) -> Options {
    let data_dir = if args.ephemeral {
        DataDir::Ephemeral
    } else {
        DataDir::Kept(args.data_dir.clone().unwrap_or_else(default_data_dir))
    };
    let (install, durability) = (
        if args.install { Install::Yes } else { Install::Ask },
        if args.ephemeral {
            Durability::Fast
        } else {
            Durability::Durable
        },
    );
    Options {
        install,
        durability,
        postgres_url: args.postgres_url.clone(),
        redis_url: args.redis_url.clone(),
        report: Report::new(|sentence| eprintln!("{sentence}")),
        ..Options::new(data_dir)
    }
}
