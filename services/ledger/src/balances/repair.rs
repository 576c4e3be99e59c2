//! Puts into Redis what did not reach it when it was committed.

use std::time::Duration;

use fealty_redis::{BalanceKey, WriteOutcome};
use fealty_types::Clock;
use futures::{StreamExt, stream};
use tokio::time::Instant;

use super::shared_reads::Freshness;
use super::{Balances, Known, cached};

/// Owners of one step: some 100 ms of work.
const STEP_COUNT: usize = 100;

/// Owners that are read at a time: a few, so that calls still find a connection.
const READS_MAX: usize = 4;

/// How long an owner waits who went ahead in vain, so that the next step begins with another: what ails one owner alone
/// must not keep all waiting.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

impl Balances {
    /// Reads some owners afresh whose balances Redis may lack, and puts them there. Whether there may be more to do at
    /// once: neither when none is left, nor while Redis or Postgres does not answer.
    pub(crate) async fn repair_some(&self) -> bool {
        let due = self.owed.take_due(STEP_COUNT);
        let Some((first, rest)) = due.split_first() else {
            return false;
        };
        // One goes ahead: as long as Redis is away, one read finds it out.
        if !self.repair(*first).await {
            let now = Instant::now();
            self.owed.add([*first], now + RETRY_PAUSE);
            self.owed.add(rest.iter().copied(), now);
            return false;
        }
        let failed: Vec<BalanceKey> = stream::iter(rest.iter().copied())
            .map(async |key| (key, self.repair(key).await))
            .buffer_unordered(READS_MAX)
            .filter_map(async |(key, is_repaired)| (!is_repaired).then_some(key))
            .collect()
            .await;
        let all_answered = failed.is_empty();
        tracing::debug!(
            repaired_count = due.len() - failed.len(),
            failed_count = failed.len(),
            "balances were put again which had not reached redis"
        );
        self.owed.add(failed, Instant::now());
        all_answered
    }

    /// Whether the newest that there is of the owner, and of the account they use, is in Redis now.
    async fn repair(&self, key: BalanceKey) -> bool {
        let read = match self.reads.read(key, Freshness::AfterCall).await {
            Ok(Some(read)) => read,
            // Nobody: there is nothing to show.
            Ok(None) => return true,
            Err(_) => return false,
        };
        let now = self.clock.now();
        let balance = Known::Balance(read.balance(now));
        for known in read.redirect().map(Known::Redirect).into_iter().chain([balance]) {
            let key = BalanceKey {
                owner: known.owner_id(),
                ..key
            };
            let outcome = self.cache.put(key, &cached::encode(&known), now).await;
            if outcome == WriteOutcome::Unavailable {
                return false;
            }
        }
        true
    }
}
