//! How postings are gathered.

use serde::Deserialize;

/// Lanes of a replica. On two cores, two kept both busy while one of them waited for its commit; more made batches
/// smaller and commits more.
const LANES_DEFAULT: u32 = 2;

/// Calls of one commit at the most. Past some hundreds a batch costs what its rows cost, and a larger one only makes its
/// callers wait longer.
const BATCH_CALLS_MAX_DEFAULT: usize = 256;

/// Calls that wait in one lane at the most: about half a second of work. Longer than that, a caller is better told.
const QUEUE_CALLS_MAX_DEFAULT: usize = 4_096;

/// Bytes that remembered owners take at the most: some forty thousand of the usual kind.
const REMEMBERED_BYTES_MAX_DEFAULT: u64 = 8 * 1_024 * 1_024;

/// How calls that change balances are gathered into commits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostingConfig {
    /// Lanes, each with a connection to Postgres of its own. One or two per core that Postgres has.
    pub lanes: u32,
    /// Calls of one commit at the most.
    pub batch_calls_max: usize,
    /// Calls that wait in one lane at the most; who comes then is told `RESOURCE_EXHAUSTED`.
    pub queue_calls_max: usize,
    /// Bytes for what owners have, so that posting for them again need not read it again; some 200 each of the usual kind.
    /// Zero for none.
    pub remembered_bytes_max: u64,
}

impl Default for PostingConfig {
    fn default() -> Self {
        Self {
            lanes: LANES_DEFAULT,
            batch_calls_max: BATCH_CALLS_MAX_DEFAULT,
            queue_calls_max: QUEUE_CALLS_MAX_DEFAULT,
            remembered_bytes_max: REMEMBERED_BYTES_MAX_DEFAULT,
        }
    }
}

impl PostingConfig {
    /// What is wrong with the values, each with its field; empty when nothing is.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let fields = [
            ("lanes", self.lanes == 0),
            ("batch_calls_max", self.batch_calls_max == 0),
            ("queue_calls_max", self.queue_calls_max == 0),
        ];
        let zero = fields.iter().filter(|(_, is_zero)| *is_zero);
        zero.map(|(field, _)| format!("{field} must be above 0: else no call would ever be served"))
            .collect()
    }
}
