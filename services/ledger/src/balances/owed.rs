//! Owners whose newest balances may not have reached Redis, until somebody puts them there.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fealty_redis::BalanceKey;
use fealty_types::{OwnerId, ProgramId};
use tokio::time::Instant;

/// Owners that are remembered at most, some 100 bytes each. In an outage that touches more, the rest is repaired by the
/// time to live.
const OWNERS_MAX: usize = 10_000;

/// How long a transaction that was left between its COMMIT and the answer may still take effect: as long as any
/// transaction may take. Who reads sooner may miss it.
const SETTLE: Duration = Duration::from_secs(2);

/// The owners, each with the instant from which on a read sees what was written.
#[derive(Debug, Default)]
pub(super) struct Owed {
    owners: Mutex<HashMap<BalanceKey, Instant>>,
}

impl Owed {
    /// Some owners that can be read now; they are no longer owed.
    pub(super) fn take_due(&self, count_max: usize) -> Vec<BalanceKey> {
        let now = Instant::now();
        let mut owners = self.lock();
        let due: Vec<BalanceKey> = owners
            .iter()
            .filter(|(_, due)| **due <= now)
            .map(|(key, _)| *key)
            .take(count_max)
            .collect();
        for key in &due {
            owners.remove(key);
        }
        due
    }

    /// Owes owners, as far as there is room.
    pub(super) fn add(&self, keys: impl IntoIterator<Item = BalanceKey>, due: Instant) {
        let mut owners = self.lock();
        for key in keys {
            if let Some(known) = owners.get_mut(&key) {
                *known = due.max(*known);
            } else if owners.len() < OWNERS_MAX {
                owners.insert(key, due);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BalanceKey, Instant>> {
        // Nobody panics while holding it; should it happen, the map is still whole.
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a commit owes to the cache. Made before the commit; whatever has not been put when it is dropped stays owed, be
/// it that Redis did not answer, that the caller went away, or that the answer to COMMIT was lost.
#[derive(Debug)]
#[must_use = "dropped, it is owed"]
pub(crate) struct Debt {
    /// `None`: there is no cache.
    owed: Option<Arc<Owed>>,
    program: ProgramId,
    owners: HashSet<OwnerId>,
    is_committed: bool,
}

impl Debt {
    pub(super) fn new(
        owed: Option<Arc<Owed>>,
        program: ProgramId,
        owners: impl Iterator<Item = OwnerId>,
    ) -> Self {
        Self {
            owed,
            program,
            owners: owners.collect(),
            is_committed: false,
        }
    }

    /// The outcome is known: these were changed, and nobody else. They may be others than those who were named before:
    /// whose account it is, is known only under the locks.
    pub(crate) fn committed(&mut self, changed: HashSet<OwnerId>) {
        self.owners = changed;
        self.is_committed = true;
    }

    /// An owner's balances have reached Redis.
    pub(super) fn paid(&mut self, owner: OwnerId) {
        self.owners.remove(&owner);
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        let Some(owed) = &self.owed else { return };
        let now = Instant::now();
        let due = if self.is_committed { now } else { now + SETTLE };
        let program = self.program;
        let keys = self.owners.drain().map(|owner| BalanceKey { program, owner });
        owed.add(keys, due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn program() -> ProgramId {
        ProgramId::generate_at(DateTime::UNIX_EPOCH)
    }

    fn owner() -> OwnerId {
        OwnerId::generate_at(DateTime::UNIX_EPOCH)
    }

    fn owners_of(keys: &[BalanceKey]) -> HashSet<OwnerId> {
        keys.iter().map(|key| key.owner).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_changed_and_not_put_is_owed_at_once() {
        let owed = Arc::new(Owed::default());
        let (put, lost, refused) = (owner(), owner(), owner());
        let mut debt = Debt::new(
            Some(Arc::clone(&owed)),
            program(),
            [put, lost, refused].into_iter(),
        );
        debt.committed(HashSet::from([put, lost]));
        debt.paid(put);
        assert_eq!(owed.take_due(9), []);
        drop(debt);
        assert_eq!(owners_of(&owed.take_due(9)), HashSet::from([lost]));
        assert_eq!(owed.take_due(9), [], "it was taken");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_left_before_the_answer_to_commit_is_owed_once_it_must_have_taken_effect() {
        let owed = Arc::new(Owed::default());
        let left = owner();
        drop(Debt::new(
            Some(Arc::clone(&owed)),
            program(),
            std::iter::once(left),
        ));
        assert_eq!(owed.take_due(9), []);
        tokio::time::advance(SETTLE).await;
        assert_eq!(owners_of(&owed.take_due(9)), HashSet::from([left]));
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_remembered_and_no_more() {
        let owed = Owed::default();
        let program = program();
        let keys = (0..OWNERS_MAX + 5).map(|_| BalanceKey {
            program,
            owner: owner(),
        });
        owed.add(keys, Instant::now());
        assert_eq!(owed.take_due(100).len(), 100);
        assert_eq!(owed.take_due(usize::MAX).len(), OWNERS_MAX - 100);
    }
}
