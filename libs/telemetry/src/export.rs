//! The way out: providers and exporters.
//!
//! The exporter's connection lives on a small runtime of its own. So a flush does not depend on the runtime that is
//! just ending, and nothing on that thread is traced: an exporter that exports its own activity never comes to rest.

use std::time::Duration;

use opentelemetry::{Context, ContextGuard, KeyValue};
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig as _, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{self, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{self, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tokio::runtime::Runtime;
use tonic::transport::ClientTlsConfig;

use crate::{TelemetryConfig, TelemetryError};

/// Spans and log records that may wait for the exporter, each. At ten thousand calls a second this bridges about
/// a second of a slow collector; beyond it they are dropped and counted, never waited for.
const QUEUE_MAX: usize = 16_384;

/// Records per export: about a megabyte, well below the 4 MiB that a collector takes by default.
const BATCH_MAX: usize = 2_048;

/// Who speaks: becomes `service.name`, `service.version` and `service.instance.id` of everything exported.
#[derive(Debug, Clone)]
pub struct ServiceIdentity {
    /// The service, such as `fealty-ledger`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// This very process among its replicas.
    pub instance: String,
}

impl ServiceIdentity {
    fn into_resource(self) -> Resource {
        Resource::builder()
            .with_service_name(self.name)
            .with_attributes([
                KeyValue::new("service.namespace", "fealty"),
                KeyValue::new("service.version", self.version),
                KeyValue::new("service.instance.id", self.instance),
            ])
            .build()
    }
}

/// The three providers, what is scraped, and the runtime that exports.
pub(crate) struct Pipelines {
    pub tracer: SdkTracerProvider,
    pub meter: SdkMeterProvider,
    /// Only with an endpoint: without one, log lines on standard error are all there is.
    pub logger: Option<SdkLoggerProvider>,
    pub registry: prometheus::Registry,
    pub runtime: Option<Runtime>,
}

impl Pipelines {
    pub fn try_new(config: &TelemetryConfig, identity: ServiceIdentity) -> Result<Self, TelemetryError> {
        let resource = identity.into_resource();
        let registry = prometheus::Registry::new();
        let scrape = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // One process, one set of names: the crate that recorded a metric is no dimension of it.
            .scope_info_enabled(false)
            .build()
            .map_err(|error| TelemetryError::Prometheus(error.to_string()))?;
        let mut tracer = SdkTracerProvider::builder().with_resource(resource.clone());
        let mut meter = SdkMeterProvider::builder()
            .with_resource(resource.clone())
            .with_reader(scrape);

        let Some(endpoint) = &config.otlp_endpoint else {
            // Nobody makes spans of it: `install_subscriber` leaves them out.
            let tracer = tracer.with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)));
            let (tracer, meter) = (tracer.build(), meter.build());
            return Ok(Self {
                tracer,
                meter,
                logger: None,
                registry,
                runtime: None,
            });
        };
        let runtime = exporter_runtime()?;
        // The exporter's channel attaches itself to the runtime it is built in.
        let inside = runtime.enter();
        let exporters = Exporters::try_new(endpoint, Duration::from_millis(config.export_timeout_ms))?;
        drop(inside);

        let batch_interval = Duration::from_millis(config.batch_interval_ms);
        let sampler = Sampler::TraceIdRatioBased(config.trace_sample_ratio);
        tracer = tracer
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .with_span_processor(span_processor(exporters.spans, batch_interval));
        meter = meter.with_reader(
            PeriodicReader::builder(exporters.metrics)
                .with_interval(Duration::from_millis(config.metric_interval_ms))
                .build(),
        );
        let logger = SdkLoggerProvider::builder()
            .with_resource(resource)
            .with_log_processor(log_processor(exporters.logs, batch_interval))
            .build();
        let (tracer, meter) = (tracer.build(), meter.build());
        Ok(Self {
            tracer,
            meter,
            logger: Some(logger),
            registry,
            runtime: Some(runtime),
        })
    }
}

struct Exporters {
    spans: SpanExporter,
    metrics: MetricExporter,
    logs: LogExporter,
}

impl Exporters {
    fn try_new(endpoint: &str, timeout: Duration) -> Result<Self, ExporterBuildError> {
        let spans = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(timeout);
        let metrics = MetricExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(timeout);
        let logs = LogExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(timeout);
        Ok(Self {
            spans: with_tls(spans, endpoint).build()?,
            metrics: with_tls(metrics, endpoint).build()?,
            logs: with_tls(logs, endpoint).build()?,
        })
    }
}

/// A collector behind TLS is checked against the system's certificates; the exporter by itself trusts none.
fn with_tls<B: WithTonicConfig>(builder: B, endpoint: &str) -> B {
    if endpoint.starts_with("https:") {
        builder.with_tls_config(ClientTlsConfig::new().with_enabled_roots())
    } else {
        builder
    }
}

fn span_processor(exporter: SpanExporter, interval: Duration) -> BatchSpanProcessor {
    let config = trace::BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE_MAX)
        .with_max_export_batch_size(BATCH_MAX)
        .with_scheduled_delay(interval)
        .build();
    BatchSpanProcessor::builder(exporter)
        .with_batch_config(config)
        .build()
}

fn log_processor(exporter: LogExporter, interval: Duration) -> BatchLogProcessor {
    let config = logs::BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE_MAX)
        .with_max_export_batch_size(BATCH_MAX)
        .with_scheduled_delay(interval)
        .build();
    BatchLogProcessor::builder(exporter)
        .with_batch_config(config)
        .build()
}

thread_local! {
    /// Held as long as the exporter's thread lives.
    static UNTRACED: std::cell::RefCell<Option<ContextGuard>> = const { std::cell::RefCell::new(None) };
}

fn exporter_runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("telemetry")
        .on_thread_start(|| UNTRACED.set(Some(Context::enter_telemetry_suppressed_scope())))
        // By hand: thread-locals are destroyed in no certain order, and the guard needs another one.
        .on_thread_stop(|| UNTRACED.set(None))
        .enable_all()
        .build()
}
