//! Reads of different owners that come together are one read: a cache that has just been emptied would otherwise cost a
//! transaction per owner, and take the connections from those who write.
//!
//! As in a lane no timer gathers them: whoever comes while all readers are at it waits, and the first of those whose turn
//! it is reads for all who wait. There is no task of its own in it. A reader whose callers have all left ends in the midst
//! of it; those for whom it read wait again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fealty_postgres::transact::Isolation;
use fealty_postgres::{Deadline, Failure, Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{OwnerId, ProgramId};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, Span};

use super::AccountRead;
use super::shared_reads::{Guard, Outcome, READ_BALANCE};
use crate::clock::RecordClock;
use crate::posting::domain::OwnerState;
use crate::posting::find_states_in_tx;

/// Longest that a read takes: it is nobody's alone, so no caller's own deadline can end it for the others. As long as any
/// transaction may take.
const READ_MAX: Duration = Duration::from_secs(2);

/// Owners of one read: past some dozens a read costs what its rows cost.
const OWNERS_PER_READ_MAX: usize = 128;

/// Reads at a time: while one waits for Postgres another is decoded.
const READERS_MAX: usize = 4;

/// Readers who may leave before somebody who waited for them gives up.
const READERS_LEFT_MAX: u32 = 5;

/// The reads that wait, by program.
#[derive(Debug)]
pub(super) struct GatheredReads {
    pool: PgPool,
    clock: Arc<RecordClock>,
    waiting: Mutex<HashMap<ProgramId, VecDeque<Asked>>>,
    readers: Semaphore,
}

/// Somebody who waits for an owner.
#[derive(Debug)]
struct Asked {
    guard: Arc<Guard>,
    answer: oneshot::Sender<Outcome>,
}

impl GatheredReads {
    pub(super) fn new(pool: PgPool, clock: Arc<RecordClock>) -> Arc<Self> {
        Arc::new(Self {
            pool,
            clock,
            waiting: Mutex::default(),
            readers: Semaphore::new(READERS_MAX),
        })
    }

    /// Reads the guard's owner; `None` if there is none.
    pub(super) async fn read(self: Arc<Self>, guard: Guard) -> Outcome {
        let guard = Arc::new(guard);
        let answered = timeout(READ_MAX, async {
            for _ in 0..READERS_LEFT_MAX {
                if let Ok(outcome) = self.read_in_turn(&guard).await {
                    return Some(outcome);
                }
            }
            None
        });
        let transaction = READ_BALANCE;
        match answered.await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(Arc::new(StorageError::LimitExceeded { transaction })),
            Err(_) => Err(Arc::new(StorageError::DeadlineExceeded { transaction })),
        }
    }

    /// Waits for somebody's read, or for a turn to read. Fails when the reader has left.
    async fn read_in_turn(&self, guard: &Arc<Guard>) -> Result<Outcome, RecvError> {
        let program = guard.key().program;
        let (answer, mut answered) = oneshot::channel();
        let asked = Asked {
            guard: Arc::clone(guard),
            answer,
        };
        self.lock().entry(program).or_default().push_back(asked);
        loop {
            let turn = tokio::select! {
                biased;
                outcome = &mut answered => return outcome,
                turn = self.readers.acquire() => turn,
            };
            let asked = self.take(program);
            if asked.is_empty() {
                drop(turn);
                return answered.await;
            }
            self.serve(program, asked).await;
        }
    }

    /// Those who wait, as many as one read has room for.
    fn take(&self, program: ProgramId) -> Vec<Asked> {
        let mut waiting = self.lock();
        let Some(asked) = waiting.get_mut(&program) else {
            return Vec::new();
        };
        asked.retain(|asked| !asked.answer.is_closed());
        let count = asked.len().min(OWNERS_PER_READ_MAX);
        let taken = asked.drain(..count).collect();
        if asked.is_empty() {
            waiting.remove(&program);
        }
        taken
    }

    async fn serve(&self, program: ProgramId, asked: Vec<Asked>) {
        let span = match asked.len() {
            1 => Span::current(),
            owners_count => {
                tracing::info_span!(parent: None, "read", otel.name = "balance reads", owners_count)
            }
        };
        let guards: Vec<&Guard> = asked.iter().map(|asked| asked.guard.as_ref()).collect();
        match self.look(program, &guards).instrument(span).await {
            Ok(found) => {
                for Asked { guard, answer } in asked {
                    // Not taken out: one owner may be asked for twice, by whoever is just leaving and who comes after.
                    // Whoever has gone away needs no answer.
                    let _ = answer.send(Ok(found.get(&guard.key().owner).cloned()));
                }
            }
            Err(error) if asked.len() > 1 && may_be_one_owners_fault(&error) => {
                for Asked { guard, answer } in asked {
                    let found = self.look(program, &[&guard]).await;
                    let found = found.map(|found| found.get(&guard.key().owner).cloned());
                    let _ = answer.send(found.map_err(Arc::new));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for Asked { answer, .. } in asked {
                    let _ = answer.send(Err(Arc::clone(&error)));
                }
            }
        }
    }

    async fn look(
        &self,
        program: ProgramId,
        guards: &[&Guard],
    ) -> Result<HashMap<OwnerId, AccountRead>, StorageError> {
        // Several statements, of one instant.
        let options = TransactOptions::read_only()
            .isolation(Isolation::RepeatableRead)
            .deadline(Deadline::after(READ_MAX));
        let owner_ids: Vec<OwnerId> = guards.iter().map(|guard| guard.key().owner).collect();
        let owner_ids = &owner_ids;
        transact(&self.pool, READ_BALANCE, Scope::Program(program), options, |tx| {
            for guard in guards {
                guard.starts();
            }
            in_tx(look_in_tx(tx, program, owner_ids, &self.clock))
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProgramId, VecDeque<Asked>>> {
        // Nobody panics while holding it; should it happen, the map is still whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The owners and the accounts that they use, all as one instant saw them.
async fn look_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
    clock: &RecordClock,
) -> Result<HashMap<OwnerId, AccountRead>, StorageError> {
    let asked = Instant::now();
    let (states, now) = find_states_in_tx(&mut *tx, program, owner_ids).await?;
    if let Some(now) = now {
        clock.observe(asked, now.0);
    }
    let others: Vec<OwnerId> = states
        .values()
        .filter_map(|state| state.standing.account_owner_id)
        .filter(|other| !states.contains_key(other))
        .collect();
    let mut states: HashMap<OwnerId, Arc<OwnerState>> = shared(states).collect();
    if !others.is_empty() {
        let (of_others, _) = find_states_in_tx(tx, program, &others).await?;
        states.extend(shared(of_others));
    }
    let read = |owner_id: &OwnerId| {
        let owner = states.get(owner_id)?;
        let account_owner_id = owner.standing.account_owner_id.unwrap_or(*owner_id);
        let read = AccountRead {
            owner_id: *owner_id,
            version: owner.version,
            account_owner_id,
            state: Arc::clone(states.get(&account_owner_id)?),
        };
        Some((*owner_id, read))
    };
    Ok(owner_ids.iter().filter_map(read).collect())
}

fn shared(states: HashMap<OwnerId, OwnerState>) -> impl Iterator<Item = (OwnerId, Arc<OwnerState>)> + use<> {
    states
        .into_iter()
        .map(|(owner_id, state)| (owner_id, Arc::new(state)))
}

/// Whether the owners of a read that failed so may do better one by one: a row that cannot be read is one owner's.
fn may_be_one_owners_fault(error: &StorageError) -> bool {
    matches!(error.failure(), Failure::DataError | Failure::Other)
}
