//! Writes off what has ended, without anybody's call: the sweep that the owner's next posting would do.
//!
//! Nothing depends on it. What has ended does not count from its instant on, for postings and reads alike; this only puts
//! it into the books, so that statements, sums and the event feed tell it soon, also of owners who never come back.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{OwnerId, ProgramId};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use super::books::{Books, Closed};
use super::commit::TimeSource;
use super::domain::{EntryAccount, TransactionKind};
use super::storage::{self, Ended, NewTransaction};
use crate::balances::{Balances, Known};

const WRITE_OFF: &str = "write_off";
const LIST_ENDED: &str = "list_ended";

/// Finds and writes off what has ended.
#[derive(Debug, Clone)]
pub(crate) struct Sweeper {
    /// By the role that sees one program at a time.
    pub(crate) pool: PgPool,
    /// By the role that crosses programs.
    pub(crate) jobs_pool: PgPool,
    pub(crate) time: TimeSource,
    /// Where what was committed goes.
    pub(crate) balances: Balances,
    pub(crate) feed: FeedWaker,
}

/// What was written off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Owners that had something.
    pub(crate) owners_count: usize,
    /// Lots that ended.
    pub(crate) lots_count: usize,
    /// Holds that ended.
    pub(crate) holds_count: usize,
    /// Points that expired, those of ended lots that a hold gave back included; units are not told apart.
    pub(crate) points: i64,
}

impl Sweeper {
    /// Owners with something that has ended, of all programs, the longest ago first; without those to avoid.
    pub(crate) async fn list_ended(
        &self,
        avoided: &[OwnerId],
        count_max: i64,
    ) -> Result<Vec<Ended>, StorageError> {
        let at = self.time.moved();
        let options = TransactOptions::read_only();
        transact(&self.jobs_pool, LIST_ENDED, Scope::Suite, options, |tx| {
            in_tx(storage::list_ended_in_tx(tx, at, avoided, count_max))
        })
        .await
    }

    /// Writes off what of these owners has ended, in one commit. Those who are busy are left to whoever is at it.
    pub(crate) async fn sweep(
        &self,
        program: ProgramId,
        owner_ids: &[OwnerId],
    ) -> Result<Swept, StorageError> {
        let mut debt = self.balances.owe(program, owner_ids.iter().copied());
        // Repeatable: what is written off is gone, so that nobody finds it again.
        let options = TransactOptions::default().repeatable();
        let mut runs = 0;
        let closed = transact(&self.pool, WRITE_OFF, Scope::Program(program), options, |tx| {
            runs += 1;
            in_tx(self.sweep_in_tx(tx, program, owner_ids))
        })
        .await?;
        let swept = Swept::of(&closed);
        if swept.owners_count > 0 {
            self.feed.wake();
        }
        let known: Vec<Known> = closed.balances.into_iter().map(Known::Balance).collect();
        let changed: HashSet<OwnerId> = if runs == 1 {
            known.iter().map(Known::owner_id).collect()
        } else {
            // The answer to a COMMIT may have been lost: then this is the first to know of it.
            owner_ids.iter().copied().collect()
        };
        debt.committed(changed);
        self.balances.write_through(program, &known, debt).await;
        Ok(swept)
    }

    async fn sweep_in_tx(
        &self,
        tx: &mut PgConnection,
        program: ProgramId,
        owner_ids: &[OwnerId],
    ) -> Result<Closed, StorageError> {
        let locked = storage::lock_idle_owners_in_tx(&mut *tx, program, owner_ids).await?;
        // In a new statement: what was found before the lock may be old.
        let (owners, postgres_now) = storage::find_states_in_tx(&mut *tx, program, &locked).await?;
        let now = self.time.now(postgres_now);
        let times: Vec<(OwnerId, DateTime<Utc>)> = owners
            .iter()
            .map(|(owner_id, owner)| (*owner_id, now.max(owner.last_time)))
            .collect();
        let mut books = Books::open(program, owners);
        for (owner_id, at) in times {
            books.sweep(owner_id, at);
        }
        let closed = books.close();
        if !closed.transactions.is_empty() {
            storage::write_in_tx(tx, program, &closed.owners, &closed.transactions).await?;
        }
        Ok(closed)
    }
}

impl Swept {
    fn of(closed: &Closed) -> Self {
        let mut swept = Self {
            owners_count: closed.owners.len(),
            ..Self::default()
        };
        for NewTransaction { transaction, .. } in &closed.transactions {
            if transaction.kind == TransactionKind::Release {
                swept.holds_count += 1;
            } else {
                swept.lots_count += transaction.lot_movements.len();
            }
            let entries = transaction.entries.iter();
            let expired = entries.filter(|entry| entry.account == EntryAccount::ProgramExpired);
            for entry in expired {
                swept.points = swept.points.saturating_add(entry.value.get());
            }
        }
        swept
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            owners_count: self.owners_count + other.owners_count,
            lots_count: self.lots_count + other.lots_count,
            holds_count: self.holds_count + other.holds_count,
            points: self.points.saturating_add(other.points),
        }
    }
}
