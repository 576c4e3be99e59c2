//! Writes off what has ended: lots whose points are nobody's any more, and holds whose points are their owner's again.
//!
//! Several replicas may do it at once. Each takes the owners that nobody else has locked, and looks again under the lock:
//! whoever comes second finds nothing.

mod metrics;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::posting::{Sweeper, Swept, Task};

/// How often it looks while nothing has ended: a statement on two small indexes, and what ends is told within a second.
const INTERVAL_MS_DEFAULT: u64 = 1_000;

/// Owners of one commit: some ten milliseconds of work, for which a call of one of them waits.
const OWNERS_PER_COMMIT_DEFAULT: u32 = 50;

/// Twice as long as a commit takes: at midnight, when many lots end at once, calls have most of Postgres.
const PAUSE_MS_DEFAULT: u64 = 40;

/// How long an owner is left alone who could not be written off, so that all others are.
const AVOIDED_FOR: Duration = Duration::from_mins(1);

/// Owners that are left alone at most. More of them are no fault of single owners any more.
const AVOIDED_MAX: usize = 1_000;

/// How what has ended is written off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WriteOffConfig {
    /// Whether this replica does it. Nothing but the record waits for it.
    pub enabled: bool,
    /// How often it looks while nothing has ended.
    pub interval_ms: u64,
    /// Owners of one commit at the most.
    pub owners_per_commit: u32,
    /// How long it leaves Postgres to calls between two commits.
    pub pause_ms: u64,
}

impl Default for WriteOffConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interval_ms: INTERVAL_MS_DEFAULT,
            owners_per_commit: OWNERS_PER_COMMIT_DEFAULT,
            pause_ms: PAUSE_MS_DEFAULT,
        }
    }
}

impl WriteOffConfig {
    /// What is wrong with the values, each with its field; empty when nothing is.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.interval_ms == 0 {
            wrong.push("interval_ms must be above 0: else it would look without a pause".to_owned());
        }
        if self.owners_per_commit == 0 {
            wrong.push("owners_per_commit must be above 0: else nothing would be written off".to_owned());
        }
        wrong
    }
}

/// Writes off again and again; ends only by being dropped.
pub(crate) async fn keep_writing_off(sweeper: Sweeper, config: WriteOffConfig) {
    if !config.enabled {
        return;
    }
    let mut job = WriteOff {
        sweeper,
        owners_per_commit: config.owners_per_commit,
        avoided: HashMap::new(),
    };
    loop {
        let pause_ms = match job.step().await {
            // There may be more.
            Ok(swept) if swept.owners_count > 0 => config.pause_ms,
            Ok(_) => config.interval_ms,
            Err(error) => {
                tracing::warn!(%error, "what has ended stays unwritten until the next round");
                config.interval_ms
            }
        };
        sleep(Duration::from_millis(pause_ms)).await;
    }
}

struct WriteOff {
    sweeper: Sweeper,
    owners_per_commit: u32,
    /// Who could not be written off, until when they are left alone.
    avoided: HashMap<OwnerId, Instant>,
}

impl WriteOff {
    /// Looks once, and writes off what it found, program by program.
    async fn step(&mut self) -> Result<Swept, StorageError> {
        let begun = Instant::now();
        self.avoided.retain(|_, until| *until > begun);
        let avoided: Vec<OwnerId> = self.avoided.keys().copied().collect();
        let count_max = i64::from(self.owners_per_commit);
        let ended = self.sweeper.list_ended(&avoided, count_max).await?;
        metrics::behind(ended.first().map(|first| first.now - first.since));
        let mut by_program: BTreeMap<ProgramId, Vec<OwnerId>> = BTreeMap::new();
        for found in ended {
            by_program.entry(found.program).or_default().push(found.owner_id);
        }
        let mut all = Swept::default();
        for (program, owner_ids) in by_program {
            let (swept, failed) = self.sweeper.run(program, &owner_ids, Task::WriteOff).await?;
            metrics::written_off(swept);
            metrics::failed(failed.len());
            for owner_id in failed {
                if self.avoided.len() < AVOIDED_MAX {
                    self.avoided.insert(owner_id, Instant::now() + AVOIDED_FOR);
                }
            }
            all = all.and(swept);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_would_never_pause_or_never_write_are_named() {
        let config = WriteOffConfig {
            interval_ms: 0,
            owners_per_commit: 0,
            ..WriteOffConfig::default()
        };
        assert_eq!(config.violations().len(), 2);
        assert_eq!(WriteOffConfig::default().violations(), Vec::<String>::new());
    }
}
