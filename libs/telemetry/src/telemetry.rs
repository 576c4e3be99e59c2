//! The telemetry of a process, from its first line to the last flush.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use prometheus::TextEncoder;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use crate::export::{Pipelines, ServiceIdentity};
use crate::json::JsonEvents;
use crate::lines::Lines;
use crate::propagation::record_spans;
use crate::{LogFormat, TelemetryConfig, TelemetryError};

/// What the exporter itself is made of. Spans and events of these crates are never exported: exporting them would
/// make more of them. Their warnings still reach standard error.
const NEVER_EXPORTED: [&str; 7] = ["h2", "hyper", "tonic", "tower", "rustls", "opentelemetry", "mio"];

static INITIALISED: AtomicBool = AtomicBool::new(false);

/// The telemetry of this process. Clones are the same telemetry.
///
/// Ends with [`Telemetry::shutdown`]; when the last clone is dropped without it, the same flush happens then.
#[derive(Clone)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

struct Inner {
    pipelines: Mutex<Option<Pipelines>>,
    /// As long as it lives, lines of calls are written.
    lines: Mutex<Option<WorkerGuard>>,
    registry: prometheus::Registry,
    shutdown_timeout: Duration,
    /// Ends with the OS process only: tests share one telemetry, and none of them may end it for the others.
    lasting: AtomicBool,
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Sets up traces, metrics and logs for the whole process. A second call answers
    /// [`TelemetryError::AlreadyInitialised`].
    pub fn try_init(config: &TelemetryConfig, identity: ServiceIdentity) -> Result<Self, TelemetryError> {
        config.check()?;
        if INITIALISED.swap(true, Ordering::SeqCst) {
            return Err(TelemetryError::AlreadyInitialised);
        }
        let pipelines = Pipelines::try_new(config, identity).inspect_err(|_| {
            // Nothing was installed, so another attempt may succeed.
            INITIALISED.store(false, Ordering::SeqCst);
        })?;
        let (lines, lines_guard) = Lines::new();
        install_subscriber(config, &pipelines, lines)?;
        global::set_text_map_propagator(TraceContextPropagator::new());
        global::set_tracer_provider(pipelines.tracer.clone());
        global::set_meter_provider(pipelines.meter.clone());
        let inner = Inner {
            registry: pipelines.registry.clone(),
            pipelines: Mutex::new(Some(pipelines)),
            lines: Mutex::new(Some(lines_guard)),
            shutdown_timeout: config.shutdown_timeout(),
            lasting: AtomicBool::new(false),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// All metrics in the text format that Prometheus scrapes.
    #[must_use]
    pub fn render_metrics(&self) -> String {
        match TextEncoder::new().encode_to_string(&self.inner.registry.gather()) {
            Ok(text) => text,
            Err(error) => {
                tracing::error!(%error, "metrics could not be rendered");
                String::new()
            }
        }
    }

    /// Sends what is left and ends telemetry, within the configured bound. Later calls find nothing to do.
    pub async fn shutdown(&self) -> Result<(), TelemetryError> {
        let inner = Arc::clone(&self.inner);
        // The flush waits on threads; bounded, so that the blocking pool gets its thread back.
        tokio::task::spawn_blocking(move || inner.shutdown())
            .await
            .unwrap_or_else(|error| Err(TelemetryError::Flush(error.to_string())))
    }

    /// From now on a shutdown only flushes.
    #[cfg(feature = "sink")]
    pub(crate) fn outlast_shutdowns(&self) {
        self.inner.lasting.store(true, Ordering::SeqCst);
    }

    /// Sends what is left and goes on. For tests that look into a collector.
    pub async fn flush(&self) -> Result<(), TelemetryError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || inner.flush())
            .await
            .unwrap_or_else(|error| Err(TelemetryError::Flush(error.to_string())))
    }
}

impl Inner {
    fn shutdown(&self) -> Result<(), TelemetryError> {
        if self.lasting.load(Ordering::SeqCst) {
            return self.flush();
        }
        let Some(pipelines) = self
            .pipelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        else {
            return Ok(());
        };
        let Pipelines {
            tracer,
            meter,
            logger,
            runtime,
            ..
        } = pipelines;
        let timeout = self.shutdown_timeout;
        let result = bounded(timeout, move || {
            // Traces first: they tell most about an end.
            let traces = tracer.shutdown_with_timeout(timeout);
            let logs = logger.map_or(Ok(()), |logger| logger.shutdown_with_timeout(timeout));
            let metrics = meter.shutdown_with_timeout(timeout);
            vec![traces, logs, metrics]
        });
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
        // Waits until the last line is out.
        drop(self.lines.lock().unwrap_or_else(PoisonError::into_inner).take());
        result
    }

    fn flush(&self) -> Result<(), TelemetryError> {
        let guard = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pipelines) = guard.as_ref() else {
            return Ok(());
        };
        let (tracer, meter, logger) = (
            pipelines.tracer.clone(),
            pipelines.meter.clone(),
            pipelines.logger.clone(),
        );
        drop(guard);
        bounded(self.shutdown_timeout, move || {
            let logs = logger.map_or(Ok(()), |logger| logger.force_flush());
            vec![tracer.force_flush(), logs, meter.force_flush()]
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.shutdown() {
            tracing::warn!(%error, "telemetry ended unflushed");
        }
    }
}

/// Runs the work on a thread and waits for it no longer than `timeout`: the exporter's own bounds are per export,
/// and not all of its waits have one.
fn bounded(
    timeout: Duration,
    work: impl FnOnce() -> Vec<OTelSdkResult> + Send + 'static,
) -> Result<(), TelemetryError> {
    let (done, waiting) = mpsc::channel();
    std::thread::Builder::new()
        .name("telemetry-flush".to_owned())
        .spawn(move || {
            // Nobody waits any more after the bound.
            let _ = done.send(work());
        })?;
    let Ok(results) = waiting.recv_timeout(timeout) else {
        return Err(TelemetryError::FlushTimeout(timeout));
    };
    let failures: Vec<String> = results
        .into_iter()
        .filter_map(Result::err)
        .filter(|error| !matches!(error, OTelSdkError::AlreadyShutdown))
        .map(|error| error.to_string())
        .collect();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(TelemetryError::Flush(failures.join("; ")))
    }
}

fn install_subscriber(
    config: &TelemetryConfig,
    pipelines: &Pipelines,
    lines: Lines,
) -> Result<(), TelemetryError> {
    let log_filter = || {
        config
            .env_filter()
            .map_err(|error| TelemetryError::Config(vec![error.to_string()]))
    };
    let installed = if let Some(logger) = &pipelines.logger {
        let tracer = pipelines.tracer.tracer("fealty");
        // Which traces are kept is the sampler's business, not the log filter's. Of the events only the grave ones
        // become part of a span; the rest is in the log, tied to the span by its ids.
        let spans = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_target(false)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(exportable().and(filter_fn(|meta| meta.is_span() || *meta.level() <= Level::WARN)));
        let bridge = OpenTelemetryTracingBridge::new(logger).with_filter(log_filter()?.and(exportable()));
        tracing_subscriber::registry()
            .with(spans)
            .with(bridge)
            .with(log_lines(config.log_format, lines).with_filter(log_filter()?))
            .try_init()
    } else {
        tracing_subscriber::registry()
            .with(log_filter()?)
            .with(log_lines(config.log_format, lines))
            .try_init()
    };
    installed.map_err(|_| TelemetryError::AlreadyInitialised)?;
    if pipelines.logger.is_some() {
        record_spans();
    }
    Ok(())
}

fn exportable() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_targets(NEVER_EXPORTED.map(|target| (target, LevelFilter::OFF)))
}

fn log_lines<S>(format: LogFormat, lines: Lines) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    match format {
        LogFormat::Text => fmt::layer()
            .with_writer(lines)
            .with_ansi(std::io::stderr().is_terminal())
            .boxed(),
        LogFormat::Json => fmt::layer()
            .with_writer(lines)
            .fmt_fields(JsonFields::new())
            .event_format(JsonEvents)
            .boxed(),
    }
}
