//! What the feed reads and sends.

use std::sync::OnceLock;

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

struct Instruments {
    tailed: Counter<u64>,
    tail_failures: Counter<u64>,
    sent: Counter<u64>,
}

/// Made at the first event, after the process has set its meter provider.
fn instruments() -> &'static Instruments {
    static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
    INSTRUMENTS.get_or_init(|| {
        let meter = global::meter("fealty-service");
        Instruments {
            tailed: meter
                .u64_counter("fealty.events.tailed")
                .with_description("Events that the tailer has read, by service")
                .build(),
            tail_failures: meter
                .u64_counter("fealty.events.tail_failures")
                .with_description("Rounds of the tailer that failed, by service; alert when it keeps growing")
                .build(),
            sent: meter
                .u64_counter("fealty.events.sent")
                .with_description(
                    "Events that were put into streams, by service and by where they were found",
                )
                .build(),
        }
    })
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The tailer has read that many.
pub(super) fn tailed(service: &'static str, number: usize) {
    instruments()
        .tailed
        .add(count(number), &[KeyValue::new("service", service)]);
}

/// The tailer could not read.
pub(super) fn tail_failed(service: &'static str) {
    instruments()
        .tail_failures
        .add(1, &[KeyValue::new("service", service)]);
}

/// A stream was given that many, found in memory or in Postgres.
pub(super) fn sent(service: &'static str, found_in: &'static str, number: usize) {
    let attributes = [
        KeyValue::new("service", service),
        KeyValue::new("found_in", found_in),
    ];
    instruments().sent.add(count(number), &attributes);
}
