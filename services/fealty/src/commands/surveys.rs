//! `fealty surveys`.

use std::process::ExitCode;

use fealty_surveys::{ServeError, serve};
use fealty_types::SystemClock;

use super::service;
use crate::services::ServiceName;

/// Runs the surveys service.
#[must_use]
pub fn run(args: service::Args) -> ExitCode {
    service::run(
        ("fealty-surveys", ServiceName::Surveys),
        args,
        async |config, tasks| {
            let serving = serve(&config.surveys, SystemClock::shared(), &tasks).await?;
            tracing::info!(grpc = %serving.grpc, admin = %serving.admin, "surveys listens");
            Ok::<_, ServeError>(())
        },
    )
}
