//! Balances and lots: what owners hold, as fresh as the caller needs it.
//!
//! Postgres is the truth, Redis the fast copy. Postings write through after their commit; a read that misses fills,
//! under a lease that any write kills. A cached value says until when it is true by itself, so the end of a lot needs
//! nobody to write. What did not reach Redis is owed to it, and put again. With Redis absent, down, slow or flushed, everything is read from Postgres, and callers who wait for
//! the same owner share one read.

mod cached;
pub mod domain;
pub mod grpc;
mod owed;
mod repair;
mod shared_reads;

use std::sync::Arc;

use fealty_postgres::transact::Isolation;
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_redis::{BalanceCache, BalanceKey, CacheAnswer, Lease, WriteOutcome};
use fealty_types::{OwnerId, ProgramId, SharedClock, Version};
use sqlx::postgres::PgPool;

use crate::posting::domain::OwnerState;
use crate::posting::find_states_in_tx;
use crate::refusal::{LedgerError, Refusal, Resource};
use domain::{Consistency, LotsOf, OwnerBalance, UnitLot};
use owed::{Debt, Owed};
use shared_reads::{Freshness, SharedReads};

/// Reads balances, and keeps the cache up.
#[derive(Debug, Clone)]
pub struct Balances {
    pool: PgPool,
    cache: Arc<BalanceCache>,
    clock: SharedClock,
    reads: Arc<SharedReads>,
    owed: Arc<Owed>,
}

impl Balances {
    /// Reads from the service's pool and from the cache.
    #[must_use]
    pub fn new(pool: PgPool, cache: Arc<BalanceCache>, clock: SharedClock) -> Self {
        let reads = SharedReads::new(pool.clone());
        Self {
            pool,
            cache,
            clock,
            reads,
            owed: Arc::default(),
        }
    }

    /// An owner's balances, as fresh as asked for.
    pub async fn get(
        &self,
        program: ProgramId,
        owner_id: OwnerId,
        consistency: Consistency,
    ) -> Result<OwnerBalance, LedgerError> {
        let key = BalanceKey {
            program,
            owner: owner_id,
        };
        let at_least = match consistency {
            Consistency::Strong => return self.read(key, Freshness::AfterCall).await,
            Consistency::Eventual => Version::ZERO,
            Consistency::AtLeast(version) => version,
        };
        let lease = match self.cache.get(key, at_least, self.clock.now()).await {
            CacheAnswer::Hit(held) => match cached::decode(owner_id, &held) {
                Some(balance) => return Ok(balance),
                None => None,
            },
            CacheAnswer::Miss(lease) => Some(lease),
            CacheAnswer::Unavailable => None,
        };
        let balance = self.read_at_least(key, at_least, lease.as_ref()).await?;
        self.fill(lease, &balance).await;
        Ok(balance)
    }

    /// An owner's open lots after a position, the soonest to end first. They are bounded, and all are read: what time has
    /// given back to a lot is counted in, though nobody has written it down.
    pub async fn list_lots(&self, program: ProgramId, asked: &LotsOf) -> Result<Vec<UnitLot>, LedgerError> {
        let now = self.clock.now();
        let options = TransactOptions::read_only().isolation(Isolation::RepeatableRead);
        let read = transact(&self.pool, "list_lots", Scope::Program(program), options, |tx| {
            in_tx(async move {
                let (mut states, _) = find_states_in_tx(tx, program, &[asked.owner_id]).await?;
                Ok::<_, LedgerError>(states.remove(&asked.owner_id))
            })
        });
        let state: Option<OwnerState> = read.await?;
        let state = state.ok_or_else(|| Refusal::not_found(Resource::Owner, asked.owner_id))?;
        Ok(asked.of(&state, now))
    }

    /// What a commit that may change these owners owes to the cache. Made before the commit, so that it is owed also when
    /// the caller goes away in the midst of it.
    pub(crate) fn owe(&self, program: ProgramId, owners: impl Iterator<Item = OwnerId>) -> Debt {
        let owed = self.cache.has_redis().then(|| Arc::clone(&self.owed));
        Debt::new(owed, program, owners)
    }

    /// Puts what was just committed into the cache. Whatever becomes of it, nobody is shown less than they ask for; what
    /// Redis does not take stays owed.
    pub(crate) async fn write_through(&self, program: ProgramId, balances: &[OwnerBalance], mut debt: Debt) {
        let now = self.clock.now();
        let puts = balances.iter().map(|balance| async move {
            let key = BalanceKey {
                program,
                owner: balance.owner_id,
            };
            let outcome = self.cache.put(key, &cached::encode(balance), now).await;
            (key.owner, outcome)
        });
        for (owner, outcome) in futures::future::join_all(puts).await {
            if outcome != WriteOutcome::Unavailable {
                debt.paid(owner);
            }
        }
    }

    /// A read that another caller began may be older than the version, and older than what the lease was given after;
    /// one that begins now is neither.
    async fn read_at_least(
        &self,
        key: BalanceKey,
        version: Version,
        lease: Option<&Lease>,
    ) -> Result<OwnerBalance, LedgerError> {
        if lease.is_none() {
            let balance = self.read(key, Freshness::AnyNow).await?;
            if balance.version >= version {
                return Ok(balance);
            }
        }
        let balance = self.read(key, Freshness::AfterCall).await?;
        if balance.version >= version {
            return Ok(balance);
        }
        Err(Refusal::VersionAhead {
            version,
            newest: balance.version,
        }
        .into())
    }

    async fn read(&self, key: BalanceKey, freshness: Freshness) -> Result<OwnerBalance, LedgerError> {
        let state: Option<Arc<OwnerState>> = self.reads.read(key, freshness).await?;
        let state = state.ok_or_else(|| Refusal::not_found(Resource::Owner, key.owner))?;
        Ok(OwnerBalance::of(key.owner, &state, self.clock.now()))
    }

    async fn fill(&self, lease: Option<Lease>, balance: &OwnerBalance) {
        if let Some(lease) = lease {
            self.cache
                .fill(lease, &cached::encode(balance), self.clock.now())
                .await;
        }
    }
}
