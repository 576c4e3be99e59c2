//! How feeds are consumed: a consumer that stands still, or parks, must not go unnoticed.

use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use fealty_proto::events::v1::Event;
use opentelemetry::metrics::{Counter, Gauge, Histogram};
use opentelemetry::{KeyValue, global};

const CONSUMER: &str = "consumer";

/// Bounds of the delay in seconds: the aim is 0.3, and what is behind may be hours behind.
const DELAY_BOUNDS_S: [f64; 12] = [
    0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 5.0, 60.0, 600.0, 3_600.0,
];

struct Instruments {
    applied: Counter<u64>,
    parked: Counter<u64>,
    parked_now: Gauge<i64>,
    failures: Counter<u64>,
    delay: Histogram<f64>,
}

/// Made at the first event, after the process has set its meter provider.
fn instruments() -> &'static Instruments {
    static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
    INSTRUMENTS.get_or_init(|| {
        let meter = global::meter("fealty-service");
        Instruments {
            applied: meter
                .u64_counter("fealty.consumer.events")
                .with_description("Events that took effect, by consumer")
                .build(),
            parked: meter
                .u64_counter("fealty.consumer.parked")
                .with_description("Events that were parked, by consumer; alert on any")
                .build(),
            parked_now: meter
                .i64_gauge("fealty.consumer.parked_now")
                .with_description("Events that are parked, by consumer")
                .build(),
            failures: meter
                .u64_counter("fealty.consumer.failures")
                .with_description("Rounds that failed, by consumer; alert when it keeps growing")
                .build(),
            delay: meter
                .f64_histogram("fealty.consumer.delay")
                .with_unit("s")
                .with_description("From the recording of an event until it took effect, by consumer")
                .with_boundaries(DELAY_BOUNDS_S.to_vec())
                .build(),
        }
    })
}

/// A batch took effect; some of its events were parked.
pub(super) fn applied(consumer: &'static str, events: &[Event], parked: usize, now: DateTime<Utc>) {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let attributes = [KeyValue::new(CONSUMER, consumer)];
    let instruments = instruments();
    instruments.applied.add(count(events.len() - parked), &attributes);
    instruments.parked.add(count(parked), &attributes);
    for recorded in events.iter().filter_map(|event| event.record_time) {
        let recorded = DateTime::from_timestamp(recorded.seconds, recorded.nanos.unsigned_abs());
        let delay = recorded.and_then(|recorded| (now - recorded).to_std().ok());
        if let Some(delay) = delay {
            instruments.delay.record(delay.as_secs_f64(), &attributes);
        }
    }
}

/// That many are parked.
pub(super) fn parked_now(consumer: &'static str, count: i64) {
    instruments()
        .parked_now
        .record(count, &[KeyValue::new(CONSUMER, consumer)]);
}

/// A round failed.
pub(super) fn failed(consumer: &'static str) {
    instruments()
        .failures
        .add(1, &[KeyValue::new(CONSUMER, consumer)]);
}
