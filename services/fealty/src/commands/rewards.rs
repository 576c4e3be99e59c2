//! `fealty rewards`.

use std::process::ExitCode;

use fealty_rewards::{ServeError, serve};
use fealty_types::SystemClock;

use super::service;
use crate::services::ServiceName;

/// Runs the rewards service.
#[must_use]
pub fn run(args: service::Args) -> ExitCode {
    service::run(
        ("fealty-rewards", ServiceName::Rewards),
        args,
        async |config, tasks| {
            let serving = serve(&config.rewards, SystemClock::shared(), &tasks).await?;
            tracing::info!(grpc = %serving.grpc, admin = %serving.admin, "rewards listens");
            Ok::<_, ServeError>(())
        },
    )
}
