//! The write path: a slice of calls becomes one commit.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{Money, OwnerId, ProgramId, RequestId, SharedClock, Version};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use super::batch::{self, Decided, Ground};
use super::domain::{Transaction, TransactionKind};
use super::room::{Moment, Room};
use super::{grpc, storage};
use crate::balances::domain::OwnerBalance;
use crate::balances::{Balances, Known};
use crate::refusal::{LedgerError, Refusal};

/// The nets: a row of another replica got there first, between this one's look and its write.
const NETS: [&str; 3] = [
    "transaction_request",
    "transaction_receipt",
    "transaction_version",
];

/// Runs of a batch that is caught by a net. Each run sees what caught the one before, so the second finds its answer;
/// the others are for batches of several calls, each of which can be caught once more.
const RUNS_MAX: u32 = 5;

const POSTING: &str = "posting";

/// A call that changes an owner's balances, parsed.
#[derive(Debug, Clone)]
pub struct Call<W> {
    /// The attempt.
    pub request_id: RequestId,
    /// Of the command: another one under the same id is refused.
    pub command_hash: [u8; 32],
    /// Whose balances.
    pub owner_id: OwnerId,
    /// What kind of transaction it makes.
    pub kind: TransactionKind,
    /// System in which it happened.
    pub source: String,
    /// That system's own number for it: recorded once.
    pub receipt_id: Option<String>,
    /// The money of a purchase or refund.
    pub money: Option<Money>,
    /// Who asks.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it happened; now if the caller does not say.
    pub occur_time: Option<DateTime<Utc>>,
    /// What only the call's room knows.
    pub work: W,
}

impl<W> Call<W> {
    /// Source and number of its receipt.
    pub(super) fn receipt(&self) -> Option<(String, String)> {
        Some((self.source.clone(), self.receipt_id.clone()?))
    }

    /// What it will be recorded as, but for what is decided.
    pub(super) fn transaction(&self, moment: &Moment, account_owner_id: OwnerId) -> Transaction {
        Transaction {
            transaction_id: moment.transaction_id,
            owner_id: account_owner_id,
            on_behalf_of: Some(self.owner_id).filter(|named| *named != account_owner_id),
            version: Version::ZERO,
            kind: self.kind,
            entries: Vec::new(),
            lot_movements: Vec::new(),
            source: self.source.clone(),
            receipt_id: self.receipt_id.clone(),
            purchase_id: None,
            money: self.money,
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            request_id: Some(self.request_id),
            occur_time: moment.occur_time,
            record_time: moment.record_time,
        }
    }
}

/// What a call is answered, now or when it came first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it was accepted: then the message is the method's response, else a `google.rpc.Status`.
    pub accepted: bool,
    /// Whether it was given before.
    pub replayed: bool,
    /// The message, encoded.
    pub message: Vec<u8>,
}

/// Whose clock says when something is decided.
#[derive(Debug, Clone)]
pub enum TimeSource {
    /// Postgres's: the same for all replicas.
    Postgres,
    /// The process's: for tests that move time.
    Clock(SharedClock),
}

/// Runs postings.
#[derive(Debug, Clone)]
pub struct Posting {
    pool: PgPool,
    time: TimeSource,
    balances: Balances,
    feed: FeedWaker,
}

impl Posting {
    /// Postings on the service's pool. What was committed goes to `balances`, and wakes the event feed.
    #[must_use]
    pub const fn new(pool: PgPool, time: TimeSource, balances: Balances, feed: FeedWaker) -> Self {
        Self {
            pool,
            time,
            balances,
            feed,
        }
    }

    /// Posts one call.
    pub async fn post_one<R: Room>(
        &self,
        program: ProgramId,
        call: Call<R::Work>,
    ) -> Result<Answer, LedgerError> {
        let mut answers = self.post::<R>(program, vec![call]).await?;
        let answer = answers.pop().expect("one answer per call");
        Ok(answer?)
    }

    /// Posts calls of one program in one commit. Each is answered or refused on its own, in their order; a fault of the
    /// storage is all calls' fault, and they may be handed in again, alone or together: what took effect is answered,
    /// not done again.
    pub async fn post<R: Room>(
        &self,
        program: ProgramId,
        calls: Vec<Call<R::Work>>,
    ) -> Result<Vec<Result<Answer, Refusal>>, StorageError> {
        let mut debt = self.balances.owe(program, calls.iter().map(|call| call.owner_id));
        let (answers, balances) = self.commit::<R>(program, &calls).await?;
        self.feed.wake();
        let known: Vec<Known> = balances.into_iter().map(Known::Balance).collect();
        debt.committed(changed(&calls, &answers, &known));
        self.balances.write_through(program, &known, debt).await;
        Ok(answers)
    }

    /// Runs the batch until no net catches it.
    async fn commit<R: Room>(
        &self,
        program: ProgramId,
        calls: &[Call<R::Work>],
    ) -> Result<(Vec<Result<Answer, Refusal>>, Vec<OwnerBalance>), StorageError> {
        // Repeatable: the request ids make it take effect once, also when the answer to COMMIT was lost.
        let options = TransactOptions::default().repeatable();
        let mut runs = 0;
        loop {
            runs += 1;
            let committed = transact(&self.pool, POSTING, Scope::Program(program), options, |tx| {
                in_tx(self.run_in_tx::<R>(tx, program, calls))
            });
            match committed.await {
                Err(error) if runs < RUNS_MAX && is_caught(&error) => {
                    tracing::debug!(runs, "another replica was first: the batch runs again");
                }
                Ok(None) if runs < RUNS_MAX => {
                    tracing::debug!(runs, "an owner was led to another account: the batch runs again");
                }
                Ok(Some(committed)) => return Ok(committed),
                Ok(None) => {
                    let transaction = POSTING;
                    return Err(StorageError::LimitExceeded { transaction });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// All steps of a batch; `None` if an owner was led to an account that is not locked.
    async fn run_in_tx<R: Room>(
        &self,
        tx: &mut PgConnection,
        program: ProgramId,
        calls: &[Call<R::Work>],
    ) -> Result<Option<(Vec<Result<Answer, Refusal>>, Vec<OwnerBalance>)>, StorageError> {
        let Some(ground) = self.load_in_tx::<R>(tx, program, calls).await? else {
            return Ok(None);
        };
        let decided: Decided<R> = batch::decide(ground, calls);
        if !decided.transactions.is_empty() {
            storage::write_in_tx(tx, program, &decided.owners, &decided.transactions).await?;
        }
        if !decided.rows.is_empty() {
            R::write_in_tx(tx, program, &decided.rows).await?;
        }
        Ok(Some((decided.answers, decided.balances)))
    }

    async fn load_in_tx<R: Room>(
        &self,
        tx: &mut PgConnection,
        program: ProgramId,
        calls: &[Call<R::Work>],
    ) -> Result<Option<Ground<R>>, StorageError> {
        let owner_ids: BTreeSet<OwnerId> = calls.iter().map(|call| call.owner_id).collect();
        let owner_ids: Vec<OwnerId> = owner_ids.into_iter().collect();
        let locked = storage::lock_owners_in_tx(tx, program, &owner_ids).await?;
        let (owners, postgres_now) = storage::find_states_in_tx(tx, program, &locked).await?;
        let is_elsewhere = owner_ids
            .iter()
            .filter_map(|owner_id| owners.get(owner_id))
            .flat_map(|owner| owner.standing.others())
            .any(|other| !owners.contains_key(&other));
        if is_elsewhere {
            return Ok(None);
        }
        let request_ids: Vec<RequestId> = calls.iter().map(|call| call.request_id).collect();
        let receipts: Vec<_> = calls.iter().filter_map(Call::receipt).collect();
        let earlier = storage::find_earlier_in_tx(tx, program, &request_ids, &receipts).await?;
        let works: Vec<&R::Work> = calls.iter().map(|call| &call.work).collect();
        let room = R::load_in_tx(tx, program, &works).await?;
        Ok(Some(Ground {
            now: self.now(postgres_now),
            owners,
            earlier,
            room,
            encode_refusal: grpc::encode_refusal,
        }))
    }

    /// When something is decided, later than the locks.
    pub(super) fn now(&self, postgres_now: Option<storage::Now>) -> DateTime<Utc> {
        match (&self.time, postgres_now) {
            (TimeSource::Clock(clock), _) => clock.now(),
            (TimeSource::Postgres, Some(storage::Now(now))) => now,
            // No owner exists: nothing will be decided, at no time.
            (TimeSource::Postgres, None) => DateTime::UNIX_EPOCH,
        }
    }

    /// Something was committed that the event feed has to tell.
    pub(crate) fn wake_feed(&self) {
        self.feed.wake();
    }

    /// Where what was committed goes.
    pub(crate) const fn balances(&self) -> &Balances {
        &self.balances
    }
}

/// Whose balances have changed. Also by what is replayed: the answer to COMMIT may have been lost, and then this is the
/// first to know of it, with no balances to put.
fn changed<W>(calls: &[Call<W>], answers: &[Result<Answer, Refusal>], known: &[Known]) -> HashSet<OwnerId> {
    let replayed = |answer: &Result<Answer, Refusal>| {
        let answer = answer.as_ref();
        answer.is_ok_and(|answer| answer.accepted && answer.replayed)
    };
    let replayed = calls
        .iter()
        .zip(answers)
        .filter(|(_, answer)| replayed(answer))
        .map(|(call, _)| call.owner_id);
    known.iter().map(Known::owner_id).chain(replayed).collect()
}

fn is_caught(error: &StorageError) -> bool {
    error
        .unique_violation()
        .is_some_and(|constraint| NETS.contains(&constraint.as_str()))
}
