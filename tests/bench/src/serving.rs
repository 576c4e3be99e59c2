//! What a child of the benchmark serves, as a service is served in production: the runtime's process, telemetry at its
//! default level, all layers of calls.

use std::error::Error;
use std::process::ExitCode;

use fealty_ledger::{LedgerConfig, Times, serve};
use fealty_runtime::config::{DrainConfig, load_checked};
use fealty_runtime::{Outcome, Process, Tasks, launch};
use fealty_telemetry::{ServiceIdentity, Telemetry, TelemetryConfig};
use fealty_testing::leash::Leash;
use fealty_types::SystemClock;
use serde::Deserialize;

use crate::usual::{UsualConfig, serve_baselines};

/// Tells the binary that it is a child, and which.
pub const ROLE_FLAG: &str = "--serve";

/// What a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The ledger.
    Ledger,
    /// The usual design, and the empty call.
    Baselines,
}

impl Role {
    const ALL: [Self; 2] = [Self::Ledger, Self::Baselines];

    /// Its name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Baselines => "baselines",
        }
    }

    /// What this process was asked to be, if it is a child.
    #[must_use]
    pub fn asked_for() -> Option<Self> {
        let mut arguments = std::env::args().skip(1);
        arguments.find(|argument| argument == ROLE_FLAG)?;
        let name = arguments.next()?;
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// Settings, as `fealty` itself reads them from its environment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub ledger: LedgerConfig,
    pub usual: UsualConfig,
    drain: DrainConfig,
    telemetry: TelemetryConfig,
}

/// Serves until the starter ends or asks for the end.
#[must_use]
pub fn serve_as(role: Role) -> ExitCode {
    let leash = Leash::take();
    let code = launch(async move || {
        let config: Config = match load_checked(None, "FEALTY", |config: &Config| config.ledger.violations())
        {
            Ok(config) => config,
            Err(error) => return Outcome::failed("configuration", &error),
        };
        let identity = ServiceIdentity {
            name: role.as_str().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: std::process::id().to_string(),
        };
        match Telemetry::try_init(&config.telemetry, identity) {
            Ok(telemetry) => run(role, config, telemetry).await,
            Err(error) => Outcome::failed("telemetry", &error),
        }
    });
    leash.let_go();
    code
}

async fn run(role: Role, config: Config, telemetry: Telemetry) -> Outcome {
    Process::new(&config.drain)
        .with_telemetry(telemetry)
        .run(async move |tasks| start(role, &config, tasks).await)
        .await
}

async fn start(role: Role, config: &Config, tasks: Tasks) -> Result<(), Box<dyn Error + Send + Sync>> {
    match role {
        Role::Ledger => {
            serve(&config.ledger, Times::real(SystemClock::shared()), &tasks).await?;
        }
        Role::Baselines => serve_baselines(config, &tasks).await?,
    }
    Ok(())
}
