//! A batch of calls becomes one commit.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use fealty_postgres::{Scope, StorageError, TransactError, TransactOptions, in_tx, transact};
use fealty_types::{BudgetCode, OwnerId, ProgramId, RequestId, SharedClock};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use super::batch::{self, Decided, Ground};
use super::call::{Answer, Call};
use super::domain::OwnerState;
use super::led::LedLately;
use super::remembered::RememberedOwners;
use super::room::Room;
use super::rooms::{AllRooms, Loaded, Work};
use super::storage::{Earlier, Locked, Patience};
use super::{grpc, left_out, limited, storage};
use crate::balances::domain::OwnerBalance;
use crate::budgets::{self, Funds};
use crate::refusal::Refusal;
use crate::spending;

/// The nets: a row of another replica got there first, between this one's look and its write.
const NETS: [&str; 4] = [
    "transaction_pkey",
    "transaction_request",
    "transaction_receipt",
    "transaction_version",
];

/// Runs of a batch that is caught by a net, or whose owners are led to other accounts while it waits for their locks.
/// Each run sees what caught the one before, so the second finds its answer; the others are for batches of several
/// calls, each of which can be caught once more.
const RUNS_MAX: u32 = 5;

pub(super) const POSTING: &str = "posting";
const GROUP_POSTING: &str = "group_posting";

/// Postgres keeps microseconds. What is recorded is read back, and hashed, as it was written.
const TIME_DIGITS: u16 = 6;

/// Whose clock says when something is decided.
#[derive(Debug, Clone)]
pub enum TimeSource {
    /// Postgres's: the same for all replicas.
    Postgres,
    /// The process's: for tests that move time.
    Clock(SharedClock),
}

impl TimeSource {
    /// What it is by a clock that a test moves; `None` where Postgres is to say.
    pub(super) fn moved(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Postgres => None,
            Self::Clock(clock) => Some(clock.now()),
        }
    }

    /// When something is decided, later than the locks. Postgres says none where nobody is concerned: then nothing is
    /// decided, at no time.
    pub(super) fn now(&self, postgres_now: Option<storage::Now>) -> DateTime<Utc> {
        match (self, postgres_now) {
            (Self::Clock(clock), _) => clock.now().trunc_subsecs(TIME_DIGITS),
            (Self::Postgres, Some(storage::Now(now))) => now,
            (Self::Postgres, None) => DateTime::UNIX_EPOCH,
        }
    }
}

/// What was decided of a call.
pub(super) type Decision = Result<Answer, Refusal>;

/// What a batch came to.
#[derive(Debug)]
pub(super) struct Committed {
    /// One per call, in their order; `None` where somebody else kept an owner or budget locked, and for what comes after
    /// such a call for the same owner: nothing was decided.
    pub(super) decisions: Vec<Option<Decision>>,
    /// The newest balances of the owners that changed.
    pub(super) balances: Vec<OwnerBalance>,
    /// How patient it was in the end.
    pub(super) patience: Patience,
}

/// What a group came to whose calls take effect together or not at all.
#[derive(Debug)]
pub(super) enum AllOrNothing {
    /// Each was accepted.
    All(Committed),
    /// Some were refused: what each would have been answered. Nothing took effect.
    Nothing(Vec<Decision>),
}

/// Why a group was not committed.
#[derive(Debug, thiserror::Error)]
enum GroupError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("a call was refused")]
    Refused(Vec<Decision>),
    #[error("an owner was led to another account")]
    Elsewhere,
}

/// What a run of a batch came to.
struct Run {
    committed: Committed,
    /// The owners as they are then.
    states: HashMap<OwnerId, OwnerState>,
}

impl TransactError for GroupError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Refused(_) | Self::Elsewhere => None,
        }
    }
}

/// Commits batches.
#[derive(Debug, Clone)]
pub(super) struct Committer {
    pub(super) pool: PgPool,
    pub(super) time: TimeSource,
    pub(super) remembered: Arc<RememberedOwners>,
    led: Arc<LedLately>,
}

impl Committer {
    pub(super) fn new(pool: PgPool, time: TimeSource, remembered: Arc<RememberedOwners>) -> Self {
        Self {
            pool,
            time,
            remembered,
            led: Arc::default(),
        }
    }

    /// Posts calls of one program in one commit. Each is answered or refused on its own, in their order; a fault of the
    /// storage is all calls' fault, and they may be handed in again, alone or together: what took effect is answered,
    /// not done again.
    ///
    /// Who shares a batch does not pay for an owner or a budget that somebody else keeps locked: where its patience is not
    /// enough, it runs again without those.
    pub(super) async fn commit(
        &self,
        program: ProgramId,
        calls: &[Call<Work>],
        mut patience: Patience,
    ) -> Result<Committed, StorageError> {
        // Repeatable: the request ids make it take effect once, also when the answer to COMMIT was lost.
        let options = TransactOptions::default().repeatable();
        let mut runs = 0;
        loop {
            runs += 1;
            let committed = transact(&self.pool, POSTING, Scope::Program(program), options, |tx| {
                in_tx(self.run_in_tx(tx, program, calls, patience))
            });
            match committed.await {
                Err(error) if calls.len() > 1 && error.is_lock_timeout() && patience != Patience::Nobody => {
                    tracing::debug!(
                        runs,
                        "somebody else keeps a lock: the batch runs without those who need it"
                    );
                    patience = Patience::Nobody;
                }
                Err(error) if runs < RUNS_MAX && is_caught(&error) => {
                    tracing::debug!(runs, "another replica was first: the batch runs again");
                }
                Ok(None) if runs < RUNS_MAX => {
                    tracing::debug!(runs, "an owner was led to another account: the batch runs again");
                }
                Ok(Some(run)) => return Ok(self.done(program, run)),
                Ok(None) => {
                    let transaction = POSTING;
                    return Err(StorageError::LimitExceeded { transaction });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Posts calls of one program in one commit if each of them is accepted, and otherwise none. Answers what each was
    /// decided, and whether it was committed.
    pub(super) async fn commit_all_or_nothing(
        &self,
        program: ProgramId,
        calls: &[Call<Work>],
    ) -> Result<AllOrNothing, StorageError> {
        let options = TransactOptions::default().repeatable();
        let mut runs = 0;
        loop {
            runs += 1;
            let committed = transact(
                &self.pool,
                GROUP_POSTING,
                Scope::Program(program),
                options,
                |tx| {
                    in_tx(async move {
                        let run = self.run_in_tx(tx, program, calls, Patience::All).await?;
                        let run = run.ok_or(GroupError::Elsewhere)?;
                        if run.committed.decisions.iter().flatten().all(is_accepted) {
                            Ok(run)
                        } else {
                            let decisions = run.committed.decisions.into_iter().flatten();
                            Err(GroupError::Refused(decisions.collect()))
                        }
                    })
                },
            );
            let again = runs < RUNS_MAX;
            match committed.await {
                Ok(run) => return Ok(AllOrNothing::All(self.done(program, run))),
                Err(GroupError::Refused(answers)) => return Ok(AllOrNothing::Nothing(answers)),
                Err(GroupError::Storage(error)) if !again || !is_caught(&error) => return Err(error),
                Err(GroupError::Elsewhere) if !again => {
                    let transaction = GROUP_POSTING;
                    return Err(StorageError::LimitExceeded { transaction });
                }
                Err(GroupError::Storage(_) | GroupError::Elsewhere) => {
                    tracing::debug!(runs, "another commit was first: the group runs again");
                }
            }
        }
    }

    /// Keeps what a run left, now that it is committed.
    fn done(&self, program: ProgramId, run: Run) -> Committed {
        self.remembered.keep(program, &run.states);
        run.committed
    }

    /// Locks whom the calls are about: those whom they name, and unless nobody of that kind was seen for long, those to whom
    /// they are led.
    async fn lock_in_tx(
        &self,
        tx: &mut PgConnection,
        program: ProgramId,
        calls: &[Call<Work>],
        patience: Patience,
    ) -> Result<Locked, StorageError> {
        let mut owner_ids: BTreeSet<OwnerId> = calls.iter().flat_map(Call::owner_ids).collect();
        if self.led.asks() {
            let others = storage::list_others_in_tx(&mut *tx, program, &owner_ids).await?;
            if !others.is_empty() {
                self.led.seen();
                owner_ids.extend(others);
            }
        }
        storage::lock_in_tx(tx, program, &owner_ids, patience).await
    }

    /// All steps of a batch; `None` if somebody is led to an account that is not locked.
    async fn run_in_tx(
        &self,
        tx: &mut PgConnection,
        program: ProgramId,
        calls: &[Call<Work>],
        patience: Patience,
    ) -> Result<Option<Run>, StorageError> {
        let mut locked = self.lock_in_tx(&mut *tx, program, calls, patience).await?;
        let is_busy = |call: &Call<Work>| {
            !locked.busy.is_empty()
                && !locked
                    .busy
                    .is_disjoint(&left_out::concerned(call, &locked.owners))
        };
        let is_idle = left_out::decided(calls, is_busy, &locked.owners);
        let idle = only(calls, &is_idle);
        if is_elsewhere(&idle, &locked.owners) {
            self.led.seen();
            return Ok(None);
        }
        let unknown = self.remembered.fill(program, &mut locked.owners);
        storage::add_holdings_in_tx(&mut *tx, program, &unknown, &mut locked.owners).await?;
        let read = read_in_tx(&mut *tx, program, &idle, patience).await?;
        let is_busy = |call: &Call<Work>| {
            let code = || paying(&read.earlier, &read.room, call);
            !read.busy.is_empty() && code().is_some_and(|code| read.busy.contains(code))
        };
        let is_paid = left_out::decided(idle.iter().copied(), is_busy, &locked.owners);
        let accounts = limited::accounts(&idle, &locked.owners);
        let spending = spending::load_in_tx(&mut *tx, program, &accounts).await?;
        let ground = Ground {
            program,
            now: self.time.now(Some(read.now)),
            owners: locked.owners,
            earlier: read.earlier,
            funds: read.funds,
            spending,
            room: read.room,
            encode_refusal: grpc::encode_refusal,
        };
        let decided: Decided<AllRooms> = batch::decide(ground, only(idle, &is_paid));
        if !decided.transactions.is_empty() {
            storage::write_in_tx(tx, program, &decided.owners, &decided.transactions).await?;
        }
        budgets::write_used_in_tx(&mut *tx, program, &decided.funds).await?;
        spending::write_in_tx(&mut *tx, program, &decided.spending).await?;
        if !decided.rows.is_empty() {
            AllRooms::write_in_tx(tx, program, decided.rows).await?;
        }
        let mut answers = decided.answers.into_iter();
        let mut is_paid = is_paid.into_iter();
        let decisions = is_idle.into_iter().map(|is_idle| {
            let is_decided = is_idle && is_paid.next() == Some(true);
            is_decided.then(|| answers.next()).flatten()
        });
        let committed = Committed {
            decisions: decisions.collect(),
            balances: decided.balances,
            patience,
        };
        let states = decided.states;
        Ok(Some(Run { committed, states }))
    }
}

/// Those of the calls for which it is true.
fn only<T>(calls: impl IntoIterator<Item = T>, is_one: &[bool]) -> Vec<T> {
    let of_each = calls.into_iter().zip(is_one);
    of_each
        .filter_map(|(call, is_one)| is_one.then_some(call))
        .collect()
}

/// The budget of a call that is not answered yet.
fn paying<'a>(earlier: &Earlier, room: &'a Loaded, call: &'a Call<Work>) -> Option<&'a BudgetCode> {
    let is_answered = earlier.requests.contains_key(&call.request_id);
    (!is_answered).then(|| AllRooms::budget_code(room, &call.work))?
}

/// Whether somebody was led to an account that is not locked.
fn is_elsewhere(calls: &[&Call<Work>], owners: &HashMap<OwnerId, OwnerState>) -> bool {
    calls
        .iter()
        .flat_map(|call| call.owner_ids())
        .filter_map(|owner_id| owners.get(&owner_id))
        .flat_map(|owner| owner.standing.others())
        .any(|other| !owners.contains_key(&other))
}

/// What calls are decided by, beside their owners.
struct Read {
    now: storage::Now,
    earlier: Earlier,
    funds: Funds,
    room: Loaded,
    /// The budgets that somebody else has locked.
    busy: BTreeSet<BudgetCode>,
}

async fn read_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    calls: &[&Call<Work>],
    patience: Patience,
) -> Result<Read, StorageError> {
    let request_ids: Vec<RequestId> = calls.iter().map(|call| call.request_id).collect();
    let receipts: Vec<_> = calls.iter().filter_map(|call| call.receipt()).collect();
    let (earlier, now) = storage::find_earlier_in_tx(&mut *tx, program, &request_ids, &receipts).await?;
    let works: Vec<&Work> = calls.iter().map(|call| &call.work).collect();
    let room = AllRooms::load_in_tx(&mut *tx, program, &works).await?;
    let codes = calls.iter().filter_map(|call| paying(&earlier, &room, call));
    let codes = codes.cloned().collect();
    let (funds, busy) = match patience {
        Patience::All | Patience::Budgets => {
            (budgets::lock_in_tx(tx, program, &codes).await?, BTreeSet::new())
        }
        Patience::Nobody => budgets::lock_idle_in_tx(tx, program, &codes).await?,
    };
    Ok(Read {
        now,
        earlier,
        funds,
        room,
        busy,
    })
}

fn is_accepted(answer: &Decision) -> bool {
    answer.as_ref().is_ok_and(|answer| answer.accepted)
}

fn is_caught(error: &StorageError) -> bool {
    error
        .unique_violation()
        .is_some_and(|constraint| NETS.contains(&constraint.as_str()))
}
