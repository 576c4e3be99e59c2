//! What the comparison of the cache with the record finds.

use std::sync::OnceLock;

use fealty_redis::WriteOutcome;
use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

use crate::balances::check::{Finding, Verdict, counts_of};

struct Instruments {
    values: Counter<u64>,
    repairs: Counter<u64>,
}

/// Made at the first look, after the process has set its meter provider.
fn instruments() -> &'static Instruments {
    static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
    INSTRUMENTS.get_or_init(|| {
        let meter = global::meter("fealty-ledger");
        Instruments {
            values: meter
                .u64_counter("fealty.ledger.cache_check.values")
                .with_unit("{value}")
                .with_description(
                    "Values of the balance cache that were compared with the record, by verdict: right, behind (a write \
                     is on its way), stale, wrong, ahead, unreadable; alert on the last four",
                )
                .build(),
            repairs: meter
                .u64_counter("fealty.ledger.cache_check.repairs")
                .with_unit("{value}")
                .with_description(
                    "Values of the balance cache that were to be put right, by outcome: done, changed (somebody wrote \
                     meanwhile), unavailable",
                )
                .build(),
        }
    })
}

/// So much was found. A verdict that was not met is told too, so that its series is there before anything is wrong.
pub(super) fn checked(findings: &[Finding]) {
    let counts = counts_of(findings);
    for verdict in Verdict::ALL {
        let count = counts.get(&verdict).copied().unwrap_or_default();
        instruments()
            .values
            .add(count, &[KeyValue::new("verdict", verdict.as_str())]);
    }
    for outcome in findings.iter().filter_map(|finding| finding.repair) {
        let word = match outcome {
            WriteOutcome::Stored => "done",
            WriteOutcome::NotNewer | WriteOutcome::LeaseLost => "changed",
            WriteOutcome::Unavailable => "unavailable",
        };
        instruments().repairs.add(1, &[KeyValue::new("outcome", word)]);
    }
}
