//! `fealty members`.

use std::process::ExitCode;

use fealty_members::{ServeError, serve};
use fealty_types::SystemClock;

use super::service;
use crate::services::ServiceName;

/// Runs the members service.
#[must_use]
pub fn run(args: service::Args) -> ExitCode {
    service::run(
        ("fealty-members", ServiceName::Members),
        args,
        async |config, tasks| {
            let serving = serve(&config.members, SystemClock::shared(), &tasks).await?;
            tracing::info!(grpc = %serving.grpc, admin = %serving.admin, "members listens");
            Ok::<_, ServeError>(())
        },
    )
}
