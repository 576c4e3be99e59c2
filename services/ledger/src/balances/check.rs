//! Compares what Redis holds with the record, and puts right what is wrong.
//!
//! The order is what makes it sound: first Redis is looked at, then Postgres is read afresh. Whatever was put into Redis had
//! been committed before, so the record is never older than an honest value. One that is older may be so only for as long
//! as a write takes to arrive or to be repaired; one of the same version has to say the same; a newer one nobody recorded.

mod verdict;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_redis::{BalanceKey, Seen, Walk, WriteOutcome};
use fealty_types::{Clock, Version};
use tokio::time::sleep;

use super::shared_reads::Freshness;
use super::{AccountRead, Balances, Known, cached, storage};
use crate::refusal::LedgerError;
pub use verdict::Verdict;
use verdict::{Judged, judge};

/// Before what looks wrong is looked at again: what was seen across an instant at which something ends, by clocks that
/// differ by a network's delay, is right by then.
const SECOND_LOOK_PAUSE: Duration = Duration::from_millis(250);

/// What was found of one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// Of whom.
    pub key: BalanceKey,
    /// What is to be said of it.
    pub verdict: Verdict,
    /// What became of putting it right, where that was called for.
    pub repair: Option<WriteOutcome>,
}

impl Balances {
    /// Looks at some of what is held, a little further with each call, and puts right what is wrong: about `count_max`
    /// values. `behind_max` is how long a write may take to reach Redis, its repair included. `None`: Redis does not
    /// answer.
    pub async fn check_some(
        &self,
        walk: &mut Walk,
        count_max: usize,
        behind_max: TimeDelta,
    ) -> Result<Option<Vec<Finding>>, LedgerError> {
        let Some(sample) = self.cache.sample(walk, count_max).await else {
            return Ok(None);
        };
        let mut findings = Vec::new();
        for seen in sample {
            findings.extend(self.check(&seen, behind_max).await?);
        }
        Ok(Some(findings))
    }

    /// Nothing is said of what says nothing any more: it has ended.
    async fn check(&self, seen: &Seen, behind_max: TimeDelta) -> Result<Option<Finding>, LedgerError> {
        let (mut verdict, mut read) = self.look(seen, behind_max).await?;
        if verdict.is_some_and(Verdict::is_wrong) {
            sleep(SECOND_LOOK_PAUSE).await;
            (verdict, read) = self.look(seen, behind_max).await?;
        }
        let Some(verdict) = verdict else {
            return Ok(None);
        };
        let repair = if verdict.is_wrong() {
            Some(self.put_right(seen, read.as_ref()).await)
        } else {
            None
        };
        Ok(Some(Finding {
            key: seen.key,
            verdict,
            repair,
        }))
    }

    async fn look(
        &self,
        seen: &Seen,
        behind_max: TimeDelta,
    ) -> Result<(Option<Verdict>, Option<AccountRead>), LedgerError> {
        let read = self.reads.read(seen.key, Freshness::AfterCall).await?;
        let now = self.clock.now();
        let held = seen.balances.as_ref();
        let verdict = match judge(seen.key.owner, held, read.as_ref(), now) {
            Judged::Ended => None,
            Judged::As(verdict) => Some(verdict),
            Judged::Older(version) => {
                let since = self.find_record_time(seen.key, version).await?;
                let is_late = since.is_none_or(|since| now - since > behind_max);
                Some(if is_late { Verdict::Stale } else { Verdict::Behind })
            }
        };
        Ok((verdict, read))
    }

    /// When the version after one was recorded: since then that one is old.
    async fn find_record_time(
        &self,
        key: BalanceKey,
        version: Version,
    ) -> Result<Option<DateTime<Utc>>, StorageError> {
        let Ok(next) = Version::try_new(version.get() + 1) else {
            return Ok(None);
        };
        let options = TransactOptions::read_only();
        let scope = Scope::Program(key.program);
        transact(self.reads.pool(), "check_cache", scope, options, |tx| {
            in_tx(storage::find_record_time_in_tx(tx, key, next))
        })
        .await
    }

    async fn put_right(&self, seen: &Seen, read: Option<&AccountRead>) -> WriteOutcome {
        let now = self.clock.now();
        let right = read.map(|read| match read.redirect() {
            Some(redirect) => Known::Redirect(redirect),
            None => Known::Balance(read.balance(now)),
        });
        let right = right.as_ref().map(cached::encode);
        self.cache.put_right(seen, right.as_ref(), now).await
    }
}

/// How many of each.
#[must_use]
pub fn counts_of(findings: &[Finding]) -> BTreeMap<Verdict, u64> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.verdict).or_default() += 1;
    }
    counts
}
