//! What the cache is worth: how often it answers, and what becomes of what is written.

use std::sync::OnceLock;

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

use super::WriteOutcome;

/// How a read was answered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Hit,
    Miss,
    Unavailable,
}

struct Instruments {
    reads: Counter<u64>,
    writes: Counter<u64>,
}

/// Made with the first call, after the process has set its meter provider.
fn instruments() -> &'static Instruments {
    static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
    INSTRUMENTS.get_or_init(|| {
        let meter = global::meter("fealty-redis");
        Instruments {
            reads: meter
                .u64_counter("fealty.redis.balance.reads")
                .with_description("Reads of the balance cache by answer: hit, miss, unavailable")
                .build(),
            writes: meter
                .u64_counter("fealty.redis.balance.writes")
                .with_description(
                    "Writes to the balance cache by outcome: stored, not_newer, lease_lost, unavailable",
                )
                .build(),
        }
    })
}

pub(super) fn read(answer: Answer) {
    let word = match answer {
        Answer::Hit => "hit",
        Answer::Miss => "miss",
        Answer::Unavailable => "unavailable",
    };
    instruments().reads.add(1, &[KeyValue::new("answer", word)]);
}

pub(super) fn written(outcome: WriteOutcome) {
    let word = match outcome {
        WriteOutcome::Stored => "stored",
        WriteOutcome::NotNewer => "not_newer",
        WriteOutcome::LeaseLost => "lease_lost",
        WriteOutcome::Unavailable => "unavailable",
    };
    instruments().writes.add(1, &[KeyValue::new("outcome", word)]);
}
