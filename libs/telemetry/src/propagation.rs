//! The trace crosses a call: W3C Trace Context in the metadata.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, global};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Writes the span's trace context into the headers of a call that is about to leave.
///
/// A span that the subscriber does not record stands for the one around it.
pub fn inject(span: &Span, headers: &mut HeaderMap) {
    let own = span.context();
    let context = if own.span().span_context().is_valid() {
        own
    } else {
        Context::current()
    };
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut Headers(headers)));
}

/// Makes the span a child of the caller's span, if the headers name one.
///
/// To be called before the span is first entered: a span that has begun keeps its parent.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&Names(headers)));
    if parent.span().span_context().is_valid() {
        // The error says that the span is not recorded or has begun; then there is nothing to continue.
        let _ = span.set_parent(parent);
    }
}

/// The id of the span's trace in hex, as shown by every trace viewer. None without telemetry.
#[must_use]
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let span_context = context.span().span_context().clone();
    span_context
        .is_valid()
        .then(|| span_context.trace_id().to_string())
}

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        // The propagator writes fixed names and hex; anything else is not worth failing a call for.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

struct Names<'a>(&'a HeaderMap);

impl Extractor for Names<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
