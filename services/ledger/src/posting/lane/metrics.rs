//! How calls wait, and how they are gathered.

use std::sync::OnceLock;

use opentelemetry::metrics::{Counter, Gauge, Histogram};
use opentelemetry::{KeyValue, global};

/// Bounds of the number of calls in a batch: powers of two, up to the largest batch.
const CALLS_BOUNDS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

struct Instruments {
    calls: Counter<u64>,
    batch: Histogram<u64>,
    waiting: Gauge<u64>,
}

/// Made at the first call, after the process has set its meter provider.
fn instruments() -> &'static Instruments {
    static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
    INSTRUMENTS.get_or_init(|| {
        let meter = global::meter("fealty-ledger");
        Instruments {
            calls: meter
                .u64_counter("fealty.ledger.lane.calls")
                .with_description("Calls that came to a lane, by whether there was room")
                .build(),
            batch: meter
                .u64_histogram("fealty.ledger.lane.batch.calls")
                .with_unit("{call}")
                .with_description("Calls that were committed together")
                .with_boundaries(CALLS_BOUNDS.to_vec())
                .build(),
            waiting: meter
                .u64_gauge("fealty.ledger.lane.waiting")
                .with_unit("{call}")
                .with_description("Calls that wait in a lane when it takes a batch")
                .build(),
        }
    })
}

/// Calls came, and found room or not.
pub(super) fn arrived(calls_count: usize, found_room: bool) {
    let outcome = if found_room { "waiting" } else { "refused" };
    instruments()
        .calls
        .add(count(calls_count), &[KeyValue::new("outcome", outcome)]);
}

/// A batch was taken, and so many were left waiting.
pub(super) fn taken(calls_count: usize, waiting_count: usize) {
    instruments().batch.record(count(calls_count), &[]);
    instruments().waiting.record(count(waiting_count), &[]);
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
