//! Looks through what Redis holds, compares it with Postgres, and puts right what is wrong.
//!
//! Nothing depends on it: whoever asks for a version gets no older one, a value lives for seconds, and decisions never look
//! at the cache. It is there to tell that all this holds, and to tell it soon if some day it does not.

mod metrics;

use std::time::Duration;

use chrono::TimeDelta;
use fealty_redis::Walk;
use serde::Deserialize;
use tokio::time::sleep;

use crate::balances::Balances;
use crate::balances::check::{Finding, counts_of};

/// How often: a fault that touches one value of a thousand is found within minutes.
const INTERVAL_MS_DEFAULT: u64 = 1_000;

/// Values of one round: each costs a read of Postgres, so that a replica asks for ten more in a second.
const VALUES_PER_ROUND_DEFAULT: u32 = 10;

/// How long a value may be older than the record: two seconds after which what was left between COMMIT and its answer is
/// looked at, half a second from one repair to the next, and as much again for Redis to be found after an outage.
const BEHIND_MAX_MS_DEFAULT: u64 = 5_000;

/// How what Redis holds is compared with Postgres.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheCheckConfig {
    /// Whether this replica does it.
    pub enabled: bool,
    /// From the end of one round to the next.
    pub interval_ms: u64,
    /// Values of one round, about.
    pub values_per_round: u32,
    /// How long a value may be older than the record before that is reported: as long as a repair may take.
    pub behind_max_ms: u64,
}

impl Default for CacheCheckConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interval_ms: INTERVAL_MS_DEFAULT,
            values_per_round: VALUES_PER_ROUND_DEFAULT,
            behind_max_ms: BEHIND_MAX_MS_DEFAULT,
        }
    }
}

impl CacheCheckConfig {
    /// What is wrong with the values, each with its field; empty when nothing is.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.interval_ms == 0 {
            wrong.push("interval_ms must be above 0: else it would look without a pause".to_owned());
        }
        if self.values_per_round == 0 {
            wrong.push("values_per_round must be above 0: else nothing would be looked at".to_owned());
        }
        wrong
    }

    fn behind_max(&self) -> TimeDelta {
        TimeDelta::try_milliseconds(i64::try_from(self.behind_max_ms).unwrap_or(i64::MAX))
            .unwrap_or(TimeDelta::MAX)
    }
}

/// Checks again and again; ends only by being dropped.
pub(crate) async fn keep_checking_cache(balances: Balances, config: CacheCheckConfig) {
    if !config.enabled {
        return;
    }
    let mut walk = Walk::default();
    let values_per_round = usize::try_from(config.values_per_round).unwrap_or(usize::MAX);
    loop {
        let checked = balances.check_some(&mut walk, values_per_round, config.behind_max());
        match checked.await {
            Ok(Some(findings)) => tell(&findings),
            // Redis is away: there is nothing to compare.
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the cache is compared with the record in the next round"),
        }
        sleep(Duration::from_millis(config.interval_ms)).await;
    }
}

fn tell(findings: &[Finding]) {
    metrics::checked(findings);
    let Some(first) = findings.iter().find(|finding| finding.verdict.is_wrong()) else {
        return;
    };
    tracing::warn!(
        found = ?counts_of(findings),
        first = first.verdict.as_str(),
        program = %first.key.program,
        owner = %first.key.owner,
        "redis holds balances that the record does not know: they are put right"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_would_never_pause_or_never_look_are_named() {
        let config = CacheCheckConfig {
            interval_ms: 0,
            values_per_round: 0,
            ..CacheCheckConfig::default()
        };
        assert_eq!(config.violations().len(), 2);
        assert_eq!(CacheCheckConfig::default().violations(), Vec::<String>::new());
    }

    #[test]
    fn any_number_of_milliseconds_is_a_bound() {
        let config = |behind_max_ms| CacheCheckConfig {
            behind_max_ms,
            ..CacheCheckConfig::default()
        };
        assert_eq!(config(5_000).behind_max(), TimeDelta::seconds(5));
        assert_eq!(config(u64::MAX).behind_max(), TimeDelta::MAX);
    }
}
