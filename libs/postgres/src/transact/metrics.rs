//! How often transactions run, run again, and how long they take, by name.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::{KeyValue, global};

use crate::sqlstate::Failure;

/// Bounds of the duration in seconds: a commit is one disk flush (1 to 10 ms), the limit of a transaction is 2 s.
const DURATION_BOUNDS_S: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

struct Instruments {
    transactions: Counter<u64>,
    retries: Counter<u64>,
    duration: Histogram<f64>,
}

/// Made at the first transaction, after the process has set its meter provider.
fn instruments() -> &'static Instruments {
    static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
    INSTRUMENTS.get_or_init(|| {
        let meter = global::meter("fealty-postgres");
        Instruments {
            transactions: meter
                .u64_counter("fealty.postgres.transactions")
                .with_description("Transactions by name and outcome")
                .build(),
            retries: meter
                .u64_counter("fealty.postgres.transaction.retries")
                .with_description("Further attempts by name and cause")
                .build(),
            duration: meter
                .f64_histogram("fealty.postgres.transaction.duration")
                .with_unit("s")
                .with_description(
                    "From the call until the answer, with all attempts and the wait for a connection",
                )
                .with_boundaries(DURATION_BOUNDS_S.to_vec())
                .build(),
        }
    })
}

/// A transaction is about to run again.
pub(super) fn retried(name: &'static str, cause: &Failure) {
    let attributes = [
        KeyValue::new("transaction", name),
        KeyValue::new("cause", cause.as_str()),
    ];
    instruments().retries.add(1, &attributes);
}

/// A transaction has its answer.
pub(super) fn ended(name: &'static str, outcome: &'static str, duration: Duration) {
    let attributes = [
        KeyValue::new("transaction", name),
        KeyValue::new("outcome", outcome),
    ];
    instruments().transactions.add(1, &attributes);
    instruments().duration.record(duration.as_secs_f64(), &attributes);
}
