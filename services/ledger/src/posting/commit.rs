//! A batch of calls becomes one commit.

use std::collections::BTreeSet;

use chrono::{DateTime, SubsecRound, Utc};
use fealty_postgres::{Scope, StorageError, TransactError, TransactOptions, in_tx, transact};
use fealty_types::{OwnerId, ProgramId, RequestId, SharedClock};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use super::batch::{self, Decided, Ground};
use super::call::{Answer, Call};
use super::room::Room;
use super::rooms::{AllRooms, Work};
use super::{grpc, storage};
use crate::balances::domain::OwnerBalance;
use crate::budgets;
use crate::refusal::Refusal;

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

    /// When something is decided, later than the locks.
    pub(super) fn now(&self, postgres_now: Option<storage::Now>) -> DateTime<Utc> {
        match (self, postgres_now) {
            (Self::Clock(clock), _) => clock.now().trunc_subsecs(TIME_DIGITS),
            (Self::Postgres, Some(storage::Now(now))) => now,
            // No owner exists: nothing will be decided, at no time.
            (Self::Postgres, None) => DateTime::UNIX_EPOCH,
        }
    }
}

/// What a batch came to.
#[derive(Debug)]
pub(super) struct Committed {
    /// One per call, in their order.
    pub(super) answers: Vec<Result<Answer, Refusal>>,
    /// The newest balances of the owners that changed.
    pub(super) balances: Vec<OwnerBalance>,
}

/// What a group came to whose calls take effect together or not at all.
#[derive(Debug)]
pub(super) enum AllOrNothing {
    /// Each was accepted.
    All(Committed),
    /// Some were refused: what each would have been answered. Nothing took effect.
    Nothing(Vec<Result<Answer, Refusal>>),
}

/// Why a group was not committed.
#[derive(Debug, thiserror::Error)]
enum GroupError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("a call was refused")]
    Refused(Vec<Result<Answer, Refusal>>),
    #[error("an owner was led to another account")]
    Elsewhere,
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
}

impl Committer {
    /// Posts calls of one program in one commit. Each is answered or refused on its own, in their order; a fault of the
    /// storage is all calls' fault, and they may be handed in again, alone or together: what took effect is answered,
    /// not done again.
    pub(super) async fn commit(
        &self,
        program: ProgramId,
        calls: &[Call<Work>],
    ) -> Result<Committed, StorageError> {
        // Repeatable: the request ids make it take effect once, also when the answer to COMMIT was lost.
        let options = TransactOptions::default().repeatable();
        let mut runs = 0;
        loop {
            runs += 1;
            let committed = transact(&self.pool, POSTING, Scope::Program(program), options, |tx| {
                in_tx(self.run_in_tx(tx, program, calls))
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
                        let committed = self.run_in_tx(tx, program, calls).await?;
                        let committed = committed.ok_or(GroupError::Elsewhere)?;
                        if committed.answers.iter().all(is_accepted) {
                            Ok(committed)
                        } else {
                            Err(GroupError::Refused(committed.answers))
                        }
                    })
                },
            );
            let again = runs < RUNS_MAX;
            match committed.await {
                Ok(committed) => return Ok(AllOrNothing::All(committed)),
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

    /// All steps of a batch; `None` if an owner was led to an account that is not locked.
    async fn run_in_tx(
        &self,
        tx: &mut PgConnection,
        program: ProgramId,
        calls: &[Call<Work>],
    ) -> Result<Option<Committed>, StorageError> {
        let Some(ground) = self.load_in_tx(tx, program, calls).await? else {
            return Ok(None);
        };
        let decided: Decided<AllRooms> = batch::decide(ground, calls);
        if !decided.transactions.is_empty() {
            storage::write_in_tx(tx, program, &decided.owners, &decided.transactions).await?;
        }
        budgets::write_used_in_tx(&mut *tx, program, &decided.funds).await?;
        if !decided.rows.is_empty() {
            AllRooms::write_in_tx(tx, program, decided.rows).await?;
        }
        Ok(Some(Committed {
            answers: decided.answers,
            balances: decided.balances,
        }))
    }

    async fn load_in_tx(
        &self,
        tx: &mut PgConnection,
        program: ProgramId,
        calls: &[Call<Work>],
    ) -> Result<Option<Ground<AllRooms>>, StorageError> {
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
        let works: Vec<&Work> = calls.iter().map(|call| &call.work).collect();
        let room = AllRooms::load_in_tx(&mut *tx, program, &works).await?;
        let paying = works.iter().filter_map(|work| AllRooms::budget_code(&room, work));
        let funds = budgets::lock_in_tx(tx, program, &paying.cloned().collect()).await?;
        Ok(Some(Ground {
            program,
            now: self.time.now(postgres_now),
            owners,
            earlier,
            funds,
            room,
            encode_refusal: grpc::encode_refusal,
        }))
    }
}

fn is_accepted(answer: &Result<Answer, Refusal>) -> bool {
    answer.as_ref().is_ok_and(|answer| answer.accepted)
}

fn is_caught(error: &StorageError) -> bool {
    error
        .unique_violation()
        .is_some_and(|constraint| NETS.contains(&constraint.as_str()))
}
