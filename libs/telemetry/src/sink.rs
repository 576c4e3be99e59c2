//! A collector for tests: takes spans over the real protocol and lets a test look at them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::{ServiceIdentity, Telemetry, TelemetryConfig};

/// Spans and log lines kept, each; a test that makes more has run away.
const KEPT_MAX: usize = 100_000;

/// How often a waiting test looks again.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A span as the collector received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSpan {
    /// `service.name` of the process that sent it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its kind as the protocol names it, such as `SPAN_KIND_SERVER`.
    pub kind: String,
    /// Its trace, in hex.
    pub trace_id: String,
    /// Itself, in hex.
    pub span_id: String,
    /// The span it is part of, in hex; empty for the first of a trace.
    pub parent_span_id: String,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
}

#[derive(Default)]
struct Received {
    spans: Vec<SinkSpan>,
    metrics: Vec<String>,
    logs: Vec<String>,
}

/// A collector on a port of its own, on a thread of its own: it outlives the runtime of a single test.
pub struct Sink {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
    _stop: oneshot::Sender<()>,
}

impl Sink {
    /// Starts a collector on a free port of 127.0.0.1.
    pub fn start() -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let received = Arc::new(Mutex::new(Received::default()));
        let (stop, stopped) = oneshot::channel::<()>();
        let collector = Collector(Arc::clone(&received));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("otlp-sink".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let listener = TcpListener::from_std(listener).expect("a bound, non-blocking socket");
                    let serving = tonic::transport::Server::builder()
                        .add_service(TraceServiceServer::new(collector.clone()))
                        .add_service(MetricsServiceServer::new(collector.clone()))
                        .add_service(LogsServiceServer::new(collector))
                        .serve_with_incoming(TcpListenerStream::new(listener));
                    tokio::select! {
                        result = serving => result.expect("the sink serves"),
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            received,
            _stop: stop,
        })
    }

    /// The endpoint to configure.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans received so far.
    #[must_use]
    pub fn spans(&self) -> Vec<SinkSpan> {
        self.received().spans.clone()
    }

    /// The spans of one trace received so far.
    #[must_use]
    pub fn trace(&self, trace_id: &str) -> Vec<SinkSpan> {
        self.received()
            .spans
            .iter()
            .filter(|span| span.trace_id == trace_id)
            .cloned()
            .collect()
    }

    /// The names of the metrics received so far.
    #[must_use]
    pub fn metrics(&self) -> Vec<String> {
        self.received().metrics.clone()
    }

    /// The log messages received so far.
    #[must_use]
    pub fn logs(&self) -> Vec<String> {
        self.received().logs.clone()
    }

    /// Waits until the spans of a trace are as wanted, and answers what there is when `timeout` is over.
    pub async fn wait_for_trace(
        &self,
        trace_id: &str,
        timeout: Duration,
        wanted: impl Fn(&[SinkSpan]) -> bool,
    ) -> Vec<SinkSpan> {
        let begun = Instant::now();
        loop {
            let spans = self.trace(trace_id);
            if wanted(&spans) || begun.elapsed() >= timeout {
                return spans;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The telemetry of a test process and the collector it sends to.
pub struct TracedTests {
    /// The process's telemetry.
    pub telemetry: Telemetry,
    /// What it sends to.
    pub sink: Sink,
}

static TRACED_TESTS: LazyLock<TracedTests> = LazyLock::new(|| {
    let sink = Sink::start().expect("a free port");
    let config = TelemetryConfig {
        otlp_endpoint: Some(sink.endpoint()),
        log_filter: "warn".to_owned(),
        batch_interval_ms: 50,
        ..TelemetryConfig::default()
    };
    let identity = ServiceIdentity {
        name: "fealty-tests".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: std::process::id().to_string(),
    };
    let telemetry = Telemetry::try_init(&config, identity).expect("the only telemetry of the test process");
    telemetry.outlast_shutdowns();
    TracedTests { telemetry, sink }
});

impl Telemetry {
    /// The telemetry that all tests of a process share: initialised by the first that asks, with a collector in the
    /// process to look into. Shutting it down only flushes it.
    #[must_use]
    pub fn for_tests() -> &'static TracedTests {
        &TRACED_TESTS
    }
}

#[derive(Clone)]
struct Collector(Arc<Mutex<Received>>);

impl Collector {
    fn received(&self) -> MutexGuard<'_, Received> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Appends, as long as there is room.
fn keep<T>(kept: &mut Vec<T>, new: impl Iterator<Item = T>) -> Result<(), Status> {
    kept.extend(new);
    if kept.len() > KEPT_MAX {
        Err(Status::resource_exhausted("the sink is full"))
    } else {
        Ok(())
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let attributes = resource
                .resource
                .map(|resource| texts(resource.attributes))
                .unwrap_or_default();
            let service = attributes.get("service.name").cloned().unwrap_or_default();
            let spans = resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans)
                .map(|span| SinkSpan {
                    service: service.clone(),
                    kind: span.kind().as_str_name().to_owned(),
                    name: span.name,
                    trace_id: hex(&span.trace_id),
                    span_id: hex(&span.span_id),
                    parent_span_id: hex(&span.parent_span_id),
                    attributes: texts(span.attributes),
                });
            keep(&mut self.received().spans, spans)?;
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let scopes = request
            .into_inner()
            .resource_metrics
            .into_iter()
            .flat_map(|resource| resource.scope_metrics);
        let names = scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name);
        keep(&mut self.received().metrics, names)?;
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let scopes = request
            .into_inner()
            .resource_logs
            .into_iter()
            .flat_map(|resource| resource.scope_logs);
        let messages = scopes
            .flat_map(|scope| scope.log_records)
            .filter_map(|record| record.body)
            .map(text);
        keep(&mut self.received().logs, messages)?;
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes
        .into_iter()
        .map(|entry| (entry.key, entry.value.map(text).unwrap_or_default()))
        .collect()
}

fn text(value: AnyValue) -> String {
    match value.value {
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
