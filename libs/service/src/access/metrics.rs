//! How the access feed is followed: a service that does not hear of revocations must not go unnoticed.

use std::sync::OnceLock;

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

/// Which service follows: several may live in one process.
const FOLLOWER: &str = "follower";

struct Instruments {
    rounds: Counter<u64>,
    changes: Counter<u64>,
    unreadable: Counter<u64>,
}

/// Made at the first round, after the process has set its meter provider.
fn instruments() -> &'static Instruments {
    static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
    INSTRUMENTS.get_or_init(|| {
        let meter = global::meter("fealty-service");
        Instruments {
            rounds: meter
                .u64_counter("fealty.access_feed.rounds")
                .with_description(
                    "Rounds of the access feed by follower and outcome; alert when none is complete for a minute",
                )
                .build(),
            changes: meter
                .u64_counter("fealty.access_feed.changes")
                .with_description("Access records that this replica took over, by follower")
                .build(),
            unreadable: meter
                .u64_counter("fealty.access_feed.unreadable")
                .with_description("Access records that could not be read and were passed over, by follower")
                .build(),
        }
    })
}

/// A round came to its end, or did not.
pub(super) fn round_ended(follower: &'static str, complete: bool) {
    let outcome = if complete { "complete" } else { "failed" };
    instruments().rounds.add(
        1,
        &[
            KeyValue::new(FOLLOWER, follower),
            KeyValue::new("outcome", outcome),
        ],
    );
}

/// This replica took over that many records.
pub(super) fn applied(follower: &'static str, count: usize) {
    instruments().changes.add(
        u64::try_from(count).unwrap_or(u64::MAX),
        &[KeyValue::new(FOLLOWER, follower)],
    );
}

/// A record could not be read.
pub(super) fn unreadable(follower: &'static str) {
    instruments()
        .unreadable
        .add(1, &[KeyValue::new(FOLLOWER, follower)]);
}
