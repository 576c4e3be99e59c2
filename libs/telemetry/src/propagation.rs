//! The trace crosses a call, in its metadata, and a table, in a column: W3C Trace Context in both.

use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::context::{FutureExt as _, WithContext};
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceState};
use opentelemetry::{Context, ContextGuard, global};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header of W3C Trace Context that says where in which trace its sender is.
const TRACE_PARENT: &str = "traceparent";

/// Characters of a `traceparent` of the format's version 00, the only one there is. What stores it allows no other
/// length, so another is never answered: no row is refused for the sake of a trace.
const TRACE_PARENT_LENGTH: usize = 55;

/// Whether spans of `tracing` are spans of OpenTelemetry. Without an endpoint they are not: nobody would ever see them,
/// and they would cost each call as much as its protobuf does.
static SPANS_ARE_RECORDED: AtomicBool = AtomicBool::new(false);

pub(crate) fn record_spans() {
    SPANS_ARE_RECORDED.store(true, Ordering::Relaxed);
}

/// Whether spans are recorded, and so worth their attributes.
#[must_use]
pub fn spans_are_recorded() -> bool {
    SPANS_ARE_RECORDED.load(Ordering::Relaxed)
}

/// Where in which trace a call is when spans are not recorded: its caller's place, or a new trace. Log lines, and calls
/// that are made for it, bear its id all the same. Where spans are recorded they know it, and this is empty.
#[derive(Debug, Clone)]
pub struct TracePlace(Option<Context>);

impl TracePlace {
    /// Of a call with these headers.
    #[must_use]
    pub fn of_call(headers: &HeaderMap) -> Self {
        if spans_are_recorded() {
            return Self(None);
        }
        let callers = global::get_text_map_propagator(|propagator| propagator.extract(&Names(headers)));
        if callers.span().span_context().is_valid() {
            return Self(Some(callers));
        }
        let ids = RandomIdGenerator::default();
        let begun = SpanContext::new(
            ids.new_trace_id(),
            ids.new_span_id(),
            TraceFlags::NOT_SAMPLED,
            false,
            TraceState::NONE,
        );
        Self(Some(Context::new().with_remote_span_context(begun)))
    }

    /// Does all of that work there.
    pub fn hold<F: Future>(&self, work: F) -> WithContext<F> {
        work.with_context(self.0.clone().unwrap_or_else(Context::current))
    }

    /// Whatever happens until it is dropped happens there.
    #[must_use]
    pub fn enter(&self) -> Option<ContextGuard> {
        self.0.clone().map(Context::attach)
    }
}

/// Writes the span's trace context into the headers of a call that is about to leave.
///
/// A span that the subscriber does not record stands for the one around it.
pub fn inject(span: &Span, headers: &mut HeaderMap) {
    inject_into(&context_of(span), &mut Headers(headers));
}

/// The span's place in its trace, to be stored with what will be done later because of it: a `traceparent` of 55
/// characters, for [`continue_stored_trace`]. None where the trace is not sampled: nobody would look for what follows.
///
/// A span that the subscriber does not record stands for the one around it.
#[must_use]
pub fn trace_parent(span: &Span) -> Option<String> {
    let context = context_of(span);
    if !context.span().span_context().is_sampled() {
        return None;
    }
    let mut stored = Stored(None);
    inject_into(&context, &mut stored);
    stored.0.filter(|text| text.len() == TRACE_PARENT_LENGTH)
}

/// Makes the span a child of the caller's span, if the headers name one.
///
/// To be called before the span is first entered: a span that has begun keeps its parent.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    continue_from(span, &Names(headers));
}

/// Makes the span a child of the one whose [`trace_parent`] was stored. What is no `traceparent` is passed over.
///
/// To be called before the span is first entered, like [`continue_trace`].
pub fn continue_stored_trace(span: &Span, trace_parent: &str) {
    continue_from(span, &Stored(Some(trace_parent.to_owned())));
}

fn context_of(span: &Span) -> Context {
    let own = span.context();
    if own.span().span_context().is_valid() {
        own
    } else {
        Context::current()
    }
}

fn inject_into(context: &Context, carrier: &mut dyn Injector) {
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, carrier));
}

fn continue_from(span: &Span, carrier: &dyn Extractor) {
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(carrier));
    if parent.span().span_context().is_valid() {
        // The error says that the span is not recorded or has begun; then there is nothing to continue.
        let _ = span.set_parent(parent);
    }
}

/// The id of the span's trace in hex, as shown by every trace viewer; of the [`TracePlace`] where spans are not
/// recorded. None outside of any trace.
#[must_use]
pub fn trace_id(span: &Span) -> Option<String> {
    let context = context_of(span);
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

/// The one header that is worth a column: what vendors add beside it is lost.
struct Stored(Option<String>);

impl Injector for Stored {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACE_PARENT {
            self.0 = Some(value);
        }
    }
}

impl Extractor for Stored {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.as_deref().filter(|_| key == TRACE_PARENT)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACE_PARENT]
    }
}
