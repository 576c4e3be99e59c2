//! Callers who wait for the same owner share one read of Postgres.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use fealty_postgres::StorageError;
use fealty_redis::BalanceKey;
use fealty_types::OwnerId;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use tokio::time::Instant;

use super::AccountRead;
use super::gathered::GatheredReads;
use crate::clock::RecordClock;
use crate::posting::find_states_in_tx;

/// How fresh a read of Postgres has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// A read that is under way will do.
    AnyNow,
    /// Only a read that looks after the caller asked: it sees everything that was committed before.
    AfterCall,
}

/// Looks at an owner whose account changes between one look and the next: the second look finds them by what the first
/// saw. Accounts change a few times in the life of an owner, so that a third look is hardly ever needed.
const LOOKS_MAX: u32 = 5;

pub(super) const READ_BALANCE: &str = "read_balance";

pub(super) type Outcome = Result<Option<AccountRead>, Arc<StorageError>>;
type Read = Shared<BoxFuture<'static, Outcome>>;
type WeakRead = WeakShared<BoxFuture<'static, Outcome>>;

/// The reads that somebody waits for. Held weakly: a read that all its callers have left ends, and gives its connection
/// back.
#[derive(Debug)]
pub(super) struct SharedReads {
    pool: PgPool,
    gathered: Arc<GatheredReads>,
    reads: Mutex<Reads>,
    me: Weak<Self>,
}

#[derive(Debug, Default)]
struct Reads {
    begun_count: u64,
    owners: HashMap<BalanceKey, OwnerReads>,
}

/// The reads of one owner, each with its number.
#[derive(Debug, Default)]
struct OwnerReads {
    /// Waits for its turn: whoever joins is sure that it looks later.
    waiting: Option<(u64, WeakRead)>,
    /// Has looked, or is just looking.
    running: Option<(u64, WeakRead)>,
}

impl SharedReads {
    pub(super) fn new(pool: PgPool, clock: Arc<RecordClock>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            gathered: GatheredReads::new(pool.clone(), clock),
            pool,
            reads: Mutex::default(),
            me: me.clone(),
        })
    }

    /// Where it reads.
    pub(super) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Reads an owner; `None` if there is none.
    pub(super) async fn read(&self, key: BalanceKey, freshness: Freshness) -> Outcome {
        self.join(key, freshness).await
    }

    fn join(&self, key: BalanceKey, freshness: Freshness) -> Read {
        let mut reads = self.lock();
        let number = reads.begun_count;
        let owner = reads.owners.entry(key).or_default();
        let alive = |read: &Option<(u64, WeakRead)>| read.as_ref().and_then(|(_, read)| read.upgrade());
        if freshness == Freshness::AnyNow
            && let Some(running) = alive(&owner.running)
        {
            return running;
        }
        if let Some(waiting) = alive(&owner.waiting) {
            return waiting;
        }
        let guard = Guard {
            reads: self.me.clone(),
            key,
            number,
        };
        let read = Arc::clone(&self.gathered).read(guard).boxed().shared();
        owner.waiting = read.downgrade().map(|read| (number, read));
        reads.begun_count += 1;
        read
    }

    fn lock(&self) -> MutexGuard<'_, Reads> {
        // Nobody panics while holding it; should it happen, the map is still whole.
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The owner and the account that they use, both as one statement saw them.
pub(super) async fn look_in_tx(
    tx: &mut PgConnection,
    key: BalanceKey,
    clock: &RecordClock,
) -> Result<Option<AccountRead>, StorageError> {
    let mut owner_ids: Vec<OwnerId> = vec![key.owner];
    for _ in 0..LOOKS_MAX {
        let asked = Instant::now();
        let (mut states, now) = find_states_in_tx(&mut *tx, key.program, &owner_ids).await?;
        if let Some(now) = now {
            clock.observe(asked, now.0);
        }
        let Some(owner) = states.get(&key.owner) else {
            return Ok(None);
        };
        let version = owner.version;
        let account_owner_id = owner.standing.account_owner_id.unwrap_or(key.owner);
        if let Some(state) = states.remove(&account_owner_id) {
            return Ok(Some(AccountRead {
                owner_id: key.owner,
                version,
                account_owner_id,
                state: Arc::new(state),
            }));
        }
        owner_ids = vec![key.owner, account_owner_id];
    }
    Err(StorageError::LimitExceeded {
        transaction: READ_BALANCE,
    })
}

/// Belongs to one read: says when it looks, and clears up when it ends or all its callers have left.
///
/// It never takes a share in a read: the last share to go would end the read, and with it a guard that waits for the
/// lock.
#[derive(Debug)]
pub(super) struct Guard {
    reads: Weak<SharedReads>,
    key: BalanceKey,
    number: u64,
}

impl Guard {
    /// Whom it reads.
    pub(super) const fn key(&self) -> BalanceKey {
        self.key
    }

    /// From here on the read may miss what is committed: it can be joined by those only who do not mind.
    pub(super) fn starts(&self) {
        let Some(reads) = self.reads.upgrade() else { return };
        let mut reads = reads.lock();
        if let Some(owner) = reads.owners.get_mut(&self.key)
            && let Some(me) = owner.waiting.take_if(|(number, _)| *number == self.number)
        {
            owner.running = Some(me);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(reads) = self.reads.upgrade() else { return };
        let mut reads = reads.lock();
        if let Some(owner) = reads.owners.get_mut(&self.key) {
            owner.waiting.take_if(|(number, _)| *number == self.number);
            owner.running.take_if(|(number, _)| *number == self.number);
            if owner.waiting.is_none() && owner.running.is_none() {
                reads.owners.remove(&self.key);
            }
        }
    }
}
