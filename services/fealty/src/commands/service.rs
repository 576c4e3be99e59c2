//! What the commands that run one service have in common.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use fealty_runtime::{Outcome, Process, Tasks, launch};
use fealty_telemetry::{ServiceIdentity, Telemetry};
use uuid::Uuid;

use crate::config::Config;
use crate::services::ServiceName;

/// What a service is told on its command line.
#[derive(Debug, clap::Args)]
#[command(after_help = crate::config::ENVIRONMENT)]
pub struct Args {
    /// The config file. Without one the defaults hold.
    #[arg(long, value_name = "FILE", env = "FEALTY_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Runs a service from its config until it is asked to end.
pub(crate) fn run<F, E>(
    (name, service): (&'static str, ServiceName),
    args: Args,
    start: impl FnOnce(Config, Tasks) -> F + Send + 'static,
) -> ExitCode
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Error + Send + Sync + 'static,
{
    launch(async move || {
        let config = match Config::load(args.config.as_deref(), &[service]) {
            Ok(config) => config,
            Err(error) => return Outcome::failed("configuration", &error),
        };
        let telemetry = match Telemetry::try_init(&config.telemetry, identity(name)) {
            Ok(telemetry) => telemetry,
            Err(error) => return Outcome::failed("telemetry", &error),
        };
        Process::new(&config.drain)
            .with_telemetry(telemetry)
            .run(move |tasks| start(config, tasks))
            .await
    })
}

/// How this process names itself in traces, metrics and logs.
pub(crate) fn identity(name: &str) -> ServiceIdentity {
    ServiceIdentity {
        name: name.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: Uuid::new_v4().to_string(),
    }
}
