//! Traces, metrics and logs of one process.
//!
//! [`Telemetry::try_init`] is called once, before anything else happens. From then on:
//!
//! - **spans** of the `tracing` crate are OpenTelemetry spans, exported by OTLP over gRPC, when an endpoint is
//!   configured. Without one a call still has its [`TracePlace`], so that its log lines can be found together;
//! - **events** go to standard error, as text for people or as JSON for machines, with the ids of the trace and
//!   span they happened in, and by OTLP when there is an endpoint;
//! - **metrics** recorded through [`meter`] are rendered for Prometheus by [`Telemetry::render_metrics`], and pushed
//!   by OTLP when there is an endpoint.
//!
//! A trace crosses services by [`inject`] on the calling side and [`continue_trace`] on the called side (W3C Trace
//! Context in the gRPC metadata). It crosses the time until something is done because of it, such as what follows from
//! an event, by [`trace_parent`] where it is stored and [`continue_stored_trace`] where it is done.
//!
//! The exporter runs on a thread of its own and never reports on itself; see `export`.

mod config;
mod error;
mod export;
mod json;
mod lines;
mod propagation;
#[cfg(feature = "sink")]
mod sink;
mod telemetry;
mod throttle;

pub use config::{LogFormat, TelemetryConfig};
pub use error::TelemetryError;
pub use export::ServiceIdentity;
pub use lines::CALL_TARGET;
pub use propagation::{
    TracePlace, continue_stored_trace, continue_trace, inject, spans_are_recorded, trace_id, trace_parent,
};
#[cfg(feature = "sink")]
pub use sink::{Sink, SinkSpan, TracedTests};
pub use telemetry::Telemetry;
pub use throttle::Throttle;

/// The meter under which a crate records its metrics.
///
/// Ask for it after [`Telemetry::try_init`]: a meter taken earlier records nothing, for ever.
#[must_use]
pub fn meter(name: &'static str) -> opentelemetry::metrics::Meter {
    opentelemetry::global::meter(name)
}
