//! `fealty ledger`.

use std::process::ExitCode;

use fealty_ledger::{ServeError, Times, serve};
use fealty_types::SystemClock;

use super::service;
use crate::services::ServiceName;

/// Runs the ledger service.
#[must_use]
pub fn run(args: service::Args) -> ExitCode {
    service::run(
        ("fealty-ledger", ServiceName::Ledger),
        args,
        async |config, tasks| {
            let serving = serve(&config.ledger, Times::real(SystemClock::shared()), &tasks).await?;
            tracing::info!(grpc = %serving.grpc, admin = %serving.admin, "ledger listens");
            Ok::<_, ServeError>(())
        },
    )
}
