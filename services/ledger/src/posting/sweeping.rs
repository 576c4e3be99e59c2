//! Writes off what has ended, without anybody's call: the sweep that the owner's next posting would do. And tells of what
//! ends soon.
//!
//! Nothing depends on it. What has ended does not count from its instant on, for postings and reads alike; this only puts
//! it into the books, so that statements, sums and the event feed tell it soon, also of owners who never come back.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use fealty_postgres::{Failure, Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{OwnerId, ProgramId, UnitCode};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use super::books::{Books, Closed};
use super::commit::TimeSource;
use super::domain::{EntryAccount, TransactionKind};
use super::storage::{self, Ended, Holder, NewNotice, NewTransaction};
use crate::balances::{Balances, Known};
use crate::units;

const WRITE_OFF: &str = "write_off";
const LIST_ENDED: &str = "list_ended";
const LIST_HOLDERS: &str = "list_holders";

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

/// What is to be done about owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Write off what has ended.
    WriteOff,
    /// The same, and tell of what ends soon.
    Tell,
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
    /// Ends that were told ahead.
    pub(crate) notices_count: usize,
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

    /// The programs that tell of ends ahead.
    pub(crate) async fn list_telling_programs(&self) -> Result<Vec<ProgramId>, StorageError> {
        let options = TransactOptions::read_only();
        transact(&self.jobs_pool, LIST_HOLDERS, Scope::Suite, options, |tx| {
            in_tx(storage::list_telling_programs_in_tx(tx))
        })
        .await
    }

    /// The next owners of a program with open lots, and whether there is something to tell them.
    pub(crate) async fn list_holders(
        &self,
        program: ProgramId,
        after: Uuid,
        count_max: i64,
    ) -> Result<Vec<Holder>, StorageError> {
        let at = self.time.moved();
        let options = TransactOptions::read_only();
        transact(&self.jobs_pool, LIST_HOLDERS, Scope::Suite, options, |tx| {
            in_tx(storage::list_holders_in_tx(tx, program, at, after, count_max))
        })
        .await
    }

    /// Does it for all in one commit; if that does not do, one by one, so that one owner who ails keeps nobody else
    /// waiting. Answers also for whom it did not do.
    pub(crate) async fn run(
        &self,
        program: ProgramId,
        owner_ids: &[OwnerId],
        task: Task,
    ) -> Result<(Swept, Vec<OwnerId>), StorageError> {
        let error = match self.commit(program, owner_ids, task).await {
            Ok(swept) => return Ok((swept, Vec::new())),
            Err(error) if is_everybodys(&error) => return Err(error),
            Err(error) => error,
        };
        tracing::warn!(%error, ?task, owners_count = owner_ids.len(), "owners are taken one by one");
        let (mut all, mut failed) = (Swept::default(), Vec::new());
        for owner_id in owner_ids {
            match self.commit(program, &[*owner_id], task).await {
                Ok(swept) => all = all.and(swept),
                Err(error) if is_everybodys(&error) => return Err(error),
                Err(error) => {
                    tracing::error!(%error, ?task, %program, %owner_id, "it does not do for this owner");
                    failed.push(*owner_id);
                }
            }
        }
        Ok((all, failed))
    }

    /// Those who are busy are left to whoever is at it.
    async fn commit(
        &self,
        program: ProgramId,
        owner_ids: &[OwnerId],
        task: Task,
    ) -> Result<Swept, StorageError> {
        let mut debt = self.balances.owe(program, owner_ids.iter().copied());
        // Repeatable: what is written off is gone, so that nobody finds it again.
        let options = TransactOptions::default().repeatable();
        let mut runs = 0;
        let closed = transact(&self.pool, WRITE_OFF, Scope::Program(program), options, |tx| {
            runs += 1;
            in_tx(self.run_in_tx(tx, program, owner_ids, task))
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

    async fn run_in_tx(
        &self,
        tx: &mut PgConnection,
        program: ProgramId,
        owner_ids: &[OwnerId],
        task: Task,
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
        for (owner_id, at) in &times {
            books.sweep(*owner_id, *at);
        }
        let mut notices = Vec::new();
        if task == Task::Tell {
            let ahead = units::notice_times_in_tx(&mut *tx, program).await?;
            let told = storage::list_told_in_tx(&mut *tx, program, &locked, now).await?;
            for (owner_id, at) in times {
                notices.extend(tell(&mut books, (owner_id, at), &ahead, &told));
            }
        }
        let closed = books.close();
        if !closed.transactions.is_empty() {
            storage::write_in_tx(&mut *tx, program, &closed.owners, &closed.transactions).await?;
        }
        storage::insert_notices_in_tx(tx, program, &notices).await?;
        Ok(closed)
    }
}

/// Tells an owner of what ends soon, but for what was told before.
fn tell(
    books: &mut Books,
    (owner_id, at): (OwnerId, DateTime<Utc>),
    ahead: &BTreeMap<UnitCode, TimeDelta>,
    told: &HashSet<(OwnerId, UnitCode, DateTime<Utc>)>,
) -> Vec<NewNotice> {
    let owner = books.find(owner_id).expect("whoever is locked was read");
    let mut expiring = owner.expiring(at, ahead);
    expiring.retain(|it| !told.contains(&(owner_id, it.unit_code.clone(), it.end)));
    expiring
        .into_iter()
        .map(|expiring| NewNotice {
            owner_id,
            transaction_id: books.tell(owner_id, at, &expiring),
            expiring,
        })
        .collect()
}

/// Whether it is Postgres that ails, and not what is in it.
fn is_everybodys(error: &StorageError) -> bool {
    matches!(error.failure(), Failure::Connection | Failure::Resources)
}

impl Swept {
    fn of(closed: &Closed) -> Self {
        let mut swept = Self {
            owners_count: closed.owners.len(),
            ..Self::default()
        };
        for NewTransaction { transaction, .. } in &closed.transactions {
            match transaction.kind {
                TransactionKind::Release => swept.holds_count += 1,
                TransactionKind::Notice => swept.notices_count += 1,
                TransactionKind::Activate => {}
                _ => swept.lots_count += transaction.lot_movements.len(),
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
            notices_count: self.notices_count + other.notices_count,
        }
    }
}
