//! Balances and lots: what owners hold, as fresh as the caller needs it.
//!
//! Postgres is the truth, Redis the fast copy. Postings write through after their commit; a read that misses fills,
//! under a lease that any write kills. A cached value says until when it is true by itself, so the end of a lot needs
//! nobody to write. What did not reach Redis is owed to it, and put again. With Redis absent, down, slow or flushed,
//! everything is read from Postgres, and callers who wait for the same owner share one read.
//!
//! An owner may use another's account: a household's, or that of whom they were merged into. The cache then holds a
//! redirect for them, under a version of their own, with the account's version as it was then. An answer goes by both:
//! the redirect must be as new as the owner's version that was asked for, and the balance as new as the redirect's, so
//! that what somebody brought along is never missing.
//!
//! What Redis holds is looked through and compared with the record all the time ([`Balances::check_some`]).

mod all_lots;
mod cached;
pub mod check;
pub mod domain;
mod gathered;
pub mod grpc;
mod owed;
mod redirect;
mod repair;
mod shared_reads;
mod storage;

use std::sync::Arc;

use fealty_redis::{BalanceCache, BalanceKey, CacheAnswer, Lease, WriteOutcome};
use fealty_types::{Clock, OwnerId, ProgramId, Version};
use sqlx::postgres::PgPool;

use crate::clock::RecordClock;
use crate::refusal::{LedgerError, Refusal, Resource};
use domain::{Consistency, LotsOf, OwnerBalance, UnitLot};
pub(crate) use owed::Debt;
use owed::Owed;
pub use redirect::AtLeast;
pub(crate) use redirect::{AccountRead, Known, Redirect};
use shared_reads::{Freshness, SharedReads};

/// Reads balances, and keeps the cache up.
#[derive(Debug, Clone)]
pub struct Balances {
    pool: PgPool,
    cache: Arc<BalanceCache>,
    clock: Arc<RecordClock>,
    reads: Arc<SharedReads>,
    owed: Arc<Owed>,
}

impl Balances {
    /// Reads from the service's pool and from the cache.
    #[must_use]
    pub fn new(pool: PgPool, cache: Arc<BalanceCache>, clock: Arc<RecordClock>) -> Self {
        Self {
            cache,
            reads: SharedReads::new(pool.clone(), Arc::clone(&clock)),
            clock,
            pool,
            owed: Arc::default(),
        }
    }

    /// The balances of the account that an owner uses, as fresh as asked for.
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
        let asked = match consistency {
            Consistency::Strong => {
                let read = self.read(key, Freshness::AfterCall).await?;
                return Ok(read.balance(self.clock.now()));
            }
            Consistency::Eventual => AtLeast::ANY,
            Consistency::AtLeast(asked) => asked,
        };
        let leased = match self.look_up(key, asked).await {
            LookedUp::Found(balance) => return Ok(balance),
            LookedUp::Missing(leased) => leased,
        };
        let read = self.read_at_least(key, asked, leased.as_ref()).await?;
        self.fill(leased, &read).await;
        Ok(read.balance(self.clock.now()))
    }

    /// The open lots of the account that an owner uses, after a position, the soonest to end first. They are bounded, and
    /// all are read: what time has given back to a lot is counted in, though nobody has written it down.
    pub async fn list_lots(&self, program: ProgramId, asked: &LotsOf) -> Result<Vec<UnitLot>, LedgerError> {
        let key = BalanceKey {
            program,
            owner: asked.owner_id,
        };
        let read = self.read(key, Freshness::AfterCall).await?;
        Ok(asked.of(&read.state, read.not_before(self.clock.now())))
    }

    /// The lots that the account ever had which an owner uses, after one, by their ids, of all units.
    pub async fn list_all_lots(
        &self,
        program: ProgramId,
        asked: &LotsOf,
    ) -> Result<Vec<UnitLot>, LedgerError> {
        let key = BalanceKey {
            program,
            owner: asked.owner_id,
        };
        all_lots::list(&self.pool, key, asked, &self.clock).await
    }

    /// What a commit that may change these owners owes to the cache. Made before the commit, so that it is owed also when
    /// the caller goes away in the midst of it.
    pub(crate) fn owe(&self, program: ProgramId, owners: impl Iterator<Item = OwnerId>) -> Debt {
        let owed = self.cache.has_redis().then(|| Arc::clone(&self.owed));
        Debt::new(owed, program, owners)
    }

    /// Puts what was just committed into the cache. Whatever becomes of it, nobody is shown less than they ask for; what
    /// Redis does not take stays owed.
    pub(crate) async fn write_through(&self, program: ProgramId, known: &[Known], mut debt: Debt) {
        if !self.cache.has_redis() {
            return;
        }
        let now = self.clock.now();
        let puts: Vec<_> = known
            .iter()
            .map(|known| {
                let key = BalanceKey {
                    program,
                    owner: known.owner_id(),
                };
                (key, cached::encode(known))
            })
            .collect();
        let outcomes = self.cache.put_all(&puts, now).await;
        for ((key, _), outcome) in puts.iter().zip(outcomes) {
            if outcome != WriteOutcome::Unavailable {
                debt.paid(key.owner);
            }
        }
    }

    /// Asks the cache for the owner, and where they use another's account, for that.
    async fn look_up(&self, key: BalanceKey, asked: AtLeast) -> LookedUp {
        let known = match self.look_up_one(key, asked.of_owner(key.owner)).await {
            Ok(known) => known,
            Err(leased) => return LookedUp::Missing(leased),
        };
        let (account, least) = match known {
            // The number of another's account: whether this owner uses it by now, only Postgres knows.
            Known::Balance(_) if asked.of.is_some_and(|of| of != key.owner) => {
                return LookedUp::Missing(None);
            }
            Known::Balance(balance) => return LookedUp::Found(balance),
            Known::Redirect(redirect) => {
                let account = redirect.account_owner_id;
                match asked.of_account(key.owner, account) {
                    Some(version) => (account, version.max(redirect.account_version)),
                    None => return LookedUp::Missing(None),
                }
            }
        };
        let account = BalanceKey {
            owner: account,
            ..key
        };
        match self.look_up_one(account, least).await {
            Ok(Known::Balance(balance)) => LookedUp::Found(balance),
            // Merged meanwhile: the redirect that led here is old.
            Ok(Known::Redirect(_)) => LookedUp::Missing(None),
            Err(leased) => LookedUp::Missing(leased),
        }
    }

    async fn look_up_one(&self, key: BalanceKey, at_least: Version) -> Result<Known, Option<Leased>> {
        #[cfg(feature = "sabotage")]
        let at_least = crate::sabotage::asked_of_cache(at_least);
        match self.cache.get(key, at_least, self.clock.now()).await {
            CacheAnswer::Hit(held) => cached::decode(key.owner, &held).ok_or(None),
            CacheAnswer::Miss(lease) => Err(Some(Leased {
                owner_id: key.owner,
                lease,
            })),
            CacheAnswer::Unavailable => Err(None),
        }
    }

    /// A read that another caller began may be older than the version, and older than what the lease was given after;
    /// one that begins now is neither.
    async fn read_at_least(
        &self,
        key: BalanceKey,
        asked: AtLeast,
        leased: Option<&Leased>,
    ) -> Result<AccountRead, LedgerError> {
        if leased.is_none() {
            let read = self.read(key, Freshness::AnyNow).await?;
            if asked.is_covered_by(&read) {
                return Ok(read);
            }
        }
        let read = self.read(key, Freshness::AfterCall).await?;
        if asked.is_reached_by(&read) {
            return Ok(read);
        }
        Err(Refusal::VersionAhead {
            version: asked.version,
            newest: read.version.max(read.state.version),
        }
        .into())
    }

    async fn read(&self, key: BalanceKey, freshness: Freshness) -> Result<AccountRead, LedgerError> {
        let read = self.reads.read(key, freshness).await?;
        read.ok_or_else(|| Refusal::not_found(Resource::Owner, key.owner).into())
    }

    /// Fills what was missing: the owner's own value, or that of the account they use.
    async fn fill(&self, leased: Option<Leased>, read: &AccountRead) {
        let Some(Leased { owner_id, lease }) = leased else {
            return;
        };
        let now = self.clock.now();
        let known = match read.redirect() {
            Some(redirect) if owner_id == read.owner_id => Known::Redirect(redirect),
            _ if owner_id == read.account_owner_id => Known::Balance(read.balance(now)),
            // The account that they used when the cache was asked.
            _ => return,
        };
        self.cache.fill(lease, &cached::encode(&known), now).await;
    }
}

/// What the cache said.
enum LookedUp {
    Found(OwnerBalance),
    /// Nothing that serves; with the right to fill what was missing.
    Missing(Option<Leased>),
}

/// The right to fill the value of an owner.
struct Leased {
    owner_id: OwnerId,
    lease: Lease,
}
