//! What can go wrong with telemetry.

use std::time::Duration;

/// Telemetry could not be set up, or not be flushed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The settings are wrong; one sentence per field.
    #[error("telemetry settings: {}", .0.join("; "))]
    Config(Vec<String>),
    /// A process has one telemetry, and it is already there.
    #[error("telemetry is already initialised in this process")]
    AlreadyInitialised,
    /// The exporter could not be built.
    #[error("the OTLP exporter could not be built: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The Prometheus registry could not be built.
    #[error("the Prometheus registry could not be built: {0}")]
    Prometheus(String),
    /// The exporter's thread could not be started.
    #[error("the exporter's thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
    /// What was left could not be delivered.
    #[error("the last traces, metrics or logs were not delivered: {0}")]
    Flush(String),
    /// The collector took too long for what was left.
    #[error("the last traces, metrics or logs were not delivered within {0:?}")]
    FlushTimeout(Duration),
}
