//! What is written off, and how far behind it is.

use std::sync::OnceLock;

use chrono::TimeDelta;
use opentelemetry::KeyValue;
use opentelemetry::global;
use opentelemetry::metrics::{Counter, Gauge};

use crate::posting::Swept;

struct Instruments {
    written_off: Counter<u64>,
    points: Counter<u64>,
    failures: Counter<u64>,
    behind: Gauge<f64>,
}

/// Made at the first look, after the process has set its meter provider.
fn instruments() -> &'static Instruments {
    static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
    INSTRUMENTS.get_or_init(|| {
        let meter = global::meter("fealty-ledger");
        Instruments {
            written_off: meter
                .u64_counter("fealty.ledger.write_off.ended")
                .with_description("Lots and holds whose end was written off by the job, by which of the two")
                .build(),
            points: meter
                .u64_counter("fealty.ledger.write_off.points")
                .with_description("Points that expired by it, in smallest parts, all units together")
                .build(),
            failures: meter
                .u64_counter("fealty.ledger.write_off.failures")
                .with_description("Owners who could not be written off; alert on any")
                .build(),
            behind: meter
                .f64_gauge("fealty.ledger.write_off.behind")
                .with_unit("s")
                .with_description(
                    "Since when the oldest end waits to be written off; alert when it keeps growing",
                )
                .build(),
        }
    })
}

/// The oldest end has waited for so long; `None` if nothing waits.
pub(super) fn behind(waited: Option<TimeDelta>) {
    let waited = waited.and_then(|waited| waited.to_std().ok());
    instruments()
        .behind
        .record(waited.unwrap_or_default().as_secs_f64(), &[]);
}

/// Something was written off.
pub(super) fn written_off(swept: Swept) {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let instruments = instruments();
    for (what, ended_count) in [("lot", swept.lots_count), ("hold", swept.holds_count)] {
        instruments
            .written_off
            .add(count(ended_count), &[KeyValue::new("what", what)]);
    }
    instruments
        .points
        .add(u64::try_from(swept.points).unwrap_or_default(), &[]);
}

/// So many owners could not be written off.
pub(super) fn failed(owners_count: usize) {
    let count = u64::try_from(owners_count).unwrap_or(u64::MAX);
    instruments().failures.add(count, &[]);
}
