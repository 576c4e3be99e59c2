//! What is seen of each call: a span in the caller's trace, one log line, and the metrics of OpenTelemetry's RPC
//! conventions. Never a payload, never a secret.

mod metrics;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use fealty_telemetry::{CALL_TARGET, Throttle, TracePlace, continue_trace, spans_are_recorded};
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tracing::{Instrument, Span};

pub(crate) use self::metrics::CallMetrics;
use crate::call::{Call, Endpoints, Next, Stage};

/// Calls that failed by our fault: so many lines a second show what fails; in an outage that is every call, and the
/// metrics count them all.
static FAULT_LINES: Throttle = Throttle::new(20);

/// The id of the trace that the current call belongs to; without telemetry a random one, so that a fault's log line and
/// the answer about it still name the same thing.
pub(crate) fn trace_id() -> String {
    fealty_telemetry::trace_id(&Span::current()).unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string())
}

/// Observes calls from their first header to the end of their body.
#[derive(Debug, Clone)]
pub(crate) struct Observe {
    endpoints: Arc<Endpoints>,
    metrics: Arc<CallMetrics>,
}

impl Observe {
    pub(crate) fn new(endpoints: Endpoints, metrics: Arc<CallMetrics>) -> Self {
        Self {
            endpoints: Arc::new(endpoints),
            metrics,
        }
    }
}

impl Stage for Observe {
    async fn handle(&self, mut request: Request<Body>, next: &impl Next) -> Response<Body> {
        let call = self.endpoints.begin(&request);
        let span = span_of(&call, request.headers());
        let place = TracePlace::of_call(request.headers());
        let mut observation = Observation::begin(
            call.clone(),
            (span.clone(), place.clone()),
            Arc::clone(&self.metrics),
        );
        request.extensions_mut().insert(call);

        let response = place.hold(next.call(request).instrument(span)).await;
        if response.headers().contains_key(Status::GRPC_STATUS) {
            observation.end(response.headers());
        }
        response.map(|body| Body::new(ObservedBody { body, observation }))
    }
}

fn span_of(call: &Call, headers: &HeaderMap) -> Span {
    let name = call.endpoint.name();
    if !spans_are_recorded() {
        return tracing::info_span!(target: CALL_TARGET, "call", rpc.method = name);
    }
    let span = tracing::info_span!(
        target: CALL_TARGET,
        "call",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        rpc.system.name = "grpc",
        rpc.method = name,
        rpc.response.status_code = tracing::field::Empty,
        fealty.error.reason = tracing::field::Empty,
        fealty.program_id = tracing::field::Empty,
        fealty.key = tracing::field::Empty,
    );
    continue_trace(&span, headers);
    span
}

/// A call that is being observed. Dropped before its end, the caller has gone away.
struct Observation {
    call: Call,
    span: Span,
    place: TracePlace,
    metrics: Arc<CallMetrics>,
    begun: Instant,
    ended: bool,
}

impl Observation {
    fn begin(call: Call, (span, place): (Span, TracePlace), metrics: Arc<CallMetrics>) -> Self {
        metrics.begin(call.endpoint.name());
        Self {
            call,
            span,
            place,
            metrics,
            begun: Instant::now(),
            ended: false,
        }
    }

    fn end(&mut self, headers: &HeaderMap) {
        let code = headers
            .get(Status::GRPC_STATUS)
            .map_or(Code::Unknown, |code| Code::from_bytes(code.as_bytes()));
        let reason = match code {
            Code::Ok => String::new(),
            _ => reason_in(headers),
        };
        self.record(code, &reason);
    }

    fn record(&mut self, code: Code, reason: &str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let (method, code_name) = (self.call.endpoint.name(), code_name(code));
        let duration = self.begun.elapsed();
        self.metrics.end(method, code_name, duration);

        let caller = self.call.caller.get();
        let key = caller.map_or("", |caller| caller.key().short_id.as_str());
        let program = caller
            .and_then(|caller| caller.find_program())
            .map(|program| program.program_id.to_string())
            .unwrap_or_default();
        self.span.record("rpc.response.status_code", code_name);
        self.span.record("fealty.program_id", program.as_str());
        self.span.record("fealty.key", key);
        if !reason.is_empty() {
            self.span.record("fealty.error.reason", reason);
        }
        if is_servers_fault(code) {
            self.span.record("otel.status_code", "ERROR");
        }

        let duration_ms = duration.as_secs_f64() * 1_000.0;
        let _in_trace = self.place.enter();
        let _in_span = self.span.enter();
        if self.call.endpoint.is_open() {
            tracing::debug!(target: CALL_TARGET, method, code = code_name, reason, duration_ms, "call");
        } else if is_servers_fault(code) {
            let Some(held_back) = FAULT_LINES.pass() else {
                return;
            };
            tracing::warn!(target: CALL_TARGET, method, code = code_name, reason, duration_ms, program, key, held_back, "call");
        } else {
            tracing::info!(target: CALL_TARGET, method, code = code_name, reason, duration_ms, program, key, "call");
        }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.record(Code::Cancelled, "");
    }
}

fn reason_in(headers: &HeaderMap) -> String {
    Status::from_header_map(headers)
        .and_then(|status| status.get_details_error_info())
        .map(|info| info.reason)
        .unwrap_or_default()
}

/// The codes that OpenTelemetry's conventions count as a server's errors.
fn is_servers_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

struct ObservedBody {
    body: Body,
    observation: Observation,
}

impl http_body::Body for ObservedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let polled = {
            let _in_span = this.observation.span.enter();
            Pin::new(&mut this.body).poll_frame(cx)
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            this.observation.end(trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
