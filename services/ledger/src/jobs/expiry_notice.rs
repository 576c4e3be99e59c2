//! Tells owners of what ends soon, in the event feed, once for each unit and end.
//!
//! A pass goes over all owners with open lots of the programs that tell, in bounded steps. Whom there is something to tell
//! is looked at again under the owner's lock, and written down with the transaction that tells it: so it is told once, by
//! however many replicas, and however often they are started. Who is busy is told in the next pass.

use std::sync::OnceLock;
use std::time::Duration;

use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId};
use opentelemetry::global;
use opentelemetry::metrics::Counter;
use serde::Deserialize;
use tokio::time::sleep;
use uuid::Uuid;

use crate::posting::{Sweeper, Task};

/// From one pass to the next: who is told days ahead does not mind ten minutes.
const INTERVAL_MS_DEFAULT: u64 = 600_000;

/// Owners of one step of a pass: a few milliseconds of reading.
const OWNERS_PER_STEP_DEFAULT: u32 = 500;

/// Between two steps: ten million owners are passed in a quarter of an hour, and calls have most of Postgres.
const PAUSE_MS_DEFAULT: u64 = 40;

/// Owners of one commit: some ten milliseconds of work, for which a call of one of them waits.
const OWNERS_PER_COMMIT: usize = 50;

/// How owners are told of what ends soon.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpiryNoticeConfig {
    /// Whether this replica does it.
    pub enabled: bool,
    /// From the end of one pass to the next.
    pub interval_ms: u64,
    /// Owners of one step of a pass at the most.
    pub owners_per_step: u32,
    /// How long it leaves Postgres to calls between two steps.
    pub pause_ms: u64,
}

impl Default for ExpiryNoticeConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interval_ms: INTERVAL_MS_DEFAULT,
            owners_per_step: OWNERS_PER_STEP_DEFAULT,
            pause_ms: PAUSE_MS_DEFAULT,
        }
    }
}

impl ExpiryNoticeConfig {
    /// What is wrong with the values, each with its field; empty when nothing is.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.interval_ms == 0 {
            wrong.push("interval_ms must be above 0: else it would pass without a pause".to_owned());
        }
        if self.owners_per_step == 0 {
            wrong.push("owners_per_step must be above 0: else nobody would be told".to_owned());
        }
        wrong
    }
}

/// Tells again and again; ends only by being dropped.
pub(crate) async fn keep_telling(sweeper: Sweeper, config: ExpiryNoticeConfig) {
    if !config.enabled {
        return;
    }
    loop {
        if let Err(error) = pass(&sweeper, &config).await {
            tracing::warn!(%error, "owners are told of what ends soon in the next pass");
        }
        sleep(Duration::from_millis(config.interval_ms)).await;
    }
}

async fn pass(sweeper: &Sweeper, config: &ExpiryNoticeConfig) -> Result<(), StorageError> {
    for program in sweeper.list_telling_programs().await? {
        let mut after = Uuid::nil();
        while let Some(last) = step(sweeper, config, program, after).await? {
            after = last;
            sleep(Duration::from_millis(config.pause_ms)).await;
        }
    }
    Ok(())
}

/// Tells the next owners. Answers where to go on, if there may be more.
async fn step(
    sweeper: &Sweeper,
    config: &ExpiryNoticeConfig,
    program: ProgramId,
    after: Uuid,
) -> Result<Option<Uuid>, StorageError> {
    let count_max = i64::from(config.owners_per_step);
    let holders = sweeper.list_holders(program, after, count_max).await?;
    let due = holders.iter().filter(|holder| holder.is_due);
    let due: Vec<OwnerId> = due.map(|holder| holder.owner_id).collect();
    for owner_ids in due.chunks(OWNERS_PER_COMMIT) {
        let (swept, _failed) = sweeper.run(program, owner_ids, Task::Tell).await?;
        told(swept.notices_count);
        sleep(Duration::from_millis(config.pause_ms)).await;
    }
    let is_whole = i64::try_from(holders.len()).is_ok_and(|count| count == count_max);
    Ok(holders
        .last()
        .filter(|_| is_whole)
        .map(|last| last.owner_id.as_uuid()))
}

/// So many ends were told.
fn told(notices_count: usize) {
    static TOLD: OnceLock<Counter<u64>> = OnceLock::new();
    let counter = TOLD.get_or_init(|| {
        global::meter("fealty-ledger")
            .u64_counter("fealty.ledger.expiry_notices")
            .with_description("Ends of points that owners were told of ahead")
            .build()
    });
    counter.add(u64::try_from(notices_count).unwrap_or(u64::MAX), &[]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_would_never_pause_or_never_tell_are_named() {
        let config = ExpiryNoticeConfig {
            interval_ms: 0,
            owners_per_step: 0,
            ..ExpiryNoticeConfig::default()
        };
        assert_eq!(config.violations().len(), 2);
        assert_eq!(ExpiryNoticeConfig::default().violations(), Vec::<String>::new());
    }
}
