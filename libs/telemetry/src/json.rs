//! Log lines for machines: one JSON object each, with the ids of the trace it belongs to.
//!
//! tracing-subscriber's own JSON format has no place for the ids, hence this one.

use std::fmt::{self, Write as _};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats an event as `{"timestamp", "level", "target", "message", "fields", "span", "trace_id", "span_id"}`.
pub(crate) struct JsonEvents;

impl<S, N> FormatEvent<S, N> for JsonEvents
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut fields = Fields::default();
        event.record(&mut fields);

        let metadata = event.metadata();
        write!(
            writer,
            "{{\"timestamp\":\"{timestamp}\",\"level\":\"{}\"",
            metadata.level()
        )?;
        write!(writer, ",\"target\":{}", quoted(metadata.target()))?;
        write!(writer, ",\"message\":{}", quoted(&fields.message))?;
        if !fields.json.is_empty() {
            write!(writer, ",\"fields\":{{{}}}", fields.json)?;
        }
        if let Some(span) = context.lookup_current() {
            write!(writer, ",\"span\":{{\"name\":{}", quoted(span.name()))?;
            // The fields of the span were formatted by `JsonFields`: an object already.
            if let Some(formatted) = span.extensions().get::<FormattedFields<N>>()
                && let Some(inside) = formatted
                    .strip_prefix('{')
                    .and_then(|rest| rest.strip_suffix('}'))
                && !inside.is_empty()
            {
                write!(writer, ",{inside}")?;
            }
            writer.write_char('}')?;
        }
        // Entering a span makes its context the current one, also where the log filter hides the span.
        let otel = Context::current();
        let ids = otel.span().span_context().clone();
        if ids.is_valid() {
            write!(
                writer,
                ",\"trace_id\":\"{}\",\"span_id\":\"{}\"",
                ids.trace_id(),
                ids.span_id()
            )?;
        }
        writer.write_str("}\n")
    }
}

/// The fields of an event, the message apart.
#[derive(Default)]
struct Fields {
    message: String,
    json: String,
}

impl Fields {
    fn put(&mut self, field: &Field, value: &str) {
        let comma = if self.json.is_empty() { "" } else { "," };
        let name = quoted(field.name().trim_start_matches("r#"));
        // Writing to a string cannot fail.
        let _ = write!(self.json, "{comma}{name}:{value}");
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.put(field, &quoted(value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, if value { "true" } else { "false" });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, &value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, &value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinities; serde_json writes null for them.
        self.put(field, &serde_json::Value::from(value).to_string());
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::fmt::format::JsonFields;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("unpoisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn log(level: LevelFilter, speak: impl FnOnce()) -> Vec<serde_json::Value> {
        let lines = Lines::default();
        let written = lines.clone();
        let provider = SdkTracerProvider::builder().build();
        let subscriber = tracing_subscriber::registry()
            .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(move || written.clone())
                    .fmt_fields(JsonFields::new())
                    .event_format(JsonEvents)
                    .with_filter(level),
            );
        tracing::subscriber::with_default(subscriber, speak);
        let bytes = lines.0.lock().expect("unpoisoned").clone();
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect()
    }

    #[test]
    fn a_line_carries_the_ids_of_its_trace() {
        let lines = log(LevelFilter::INFO, || {
            tracing::info_span!("call", method = "Earn").in_scope(|| tracing::info!(points = 7, "earned"));
        });
        let line = &lines[0];
        assert_eq!(line["message"], "earned");
        assert_eq!(line["fields"]["points"], 7);
        assert_eq!(line["span"]["name"], "call");
        assert_eq!(line["span"]["method"], "Earn");
        assert_eq!(line["trace_id"].as_str().map(str::len), Some(32));
        assert_eq!(line["span_id"].as_str().map(str::len), Some(16));
    }

    #[test]
    fn ids_do_not_depend_on_the_log_filter() {
        let lines = log(LevelFilter::WARN, || {
            tracing::info_span!("hidden from the log").in_scope(|| tracing::warn!("slow"));
        });
        assert_eq!(lines[0]["trace_id"].as_str().map(str::len), Some(32));
    }

    #[test]
    fn no_value_breaks_out_of_its_line() {
        let lines = log(LevelFilter::INFO, || {
            tracing::info!(
                name = "a\"b\nc",
                rate = f64::NAN,
                held = true,
                debt = -3,
                "two\nlines"
            );
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["message"], "two\nlines");
        assert_eq!(lines[0]["fields"]["name"], "a\"b\nc");
        assert_eq!(lines[0]["fields"]["rate"], serde_json::Value::Null);
        assert_eq!(lines[0]["fields"]["held"], true);
        assert_eq!(lines[0]["fields"]["debt"], -3);
        assert!(lines[0].get("trace_id").is_none());
    }
}
