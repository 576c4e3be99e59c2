//! A lane: commits together whatever came while its last commit was in flight.
//!
//! No timer gathers calls: an idle lane serves a lone call at once, and load makes batches grow. A lane has one
//! connection and serves one batch after the other, and an owner's calls always come to the same lane of a replica: so a
//! lane waits for no other lane's locks, but where owners share an account or send each other points (a transfer waits in
//! the sender's lane, and locks both). Other replicas, groups and moves hold locks, too. Whom somebody else has locked is
//! left out of a batch, and waited for when the others of it have their answers.
//!
//! What fails is told apart by whose fault it is. The storage's (no connection, no room, going down) is everybody's, at
//! once. What is about values (a net that another replica filled, a row that cannot be read, a bug) may be one call's
//! fault alone: then the calls run one by one, so that only that one fails, and who lost a race finds its answer.

mod callers;
mod metrics;
mod queue;
mod size;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use fealty_postgres::{Failure, StorageError};
use fealty_service::events::FeedWaker;
use fealty_types::{OwnerId, ProgramId};
use futures::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, Span};

use super::call::Call;
use super::commit::{Committed, Committer, Decision};
use super::config::PostingConfig;
use super::rooms::Work;
use super::storage::Patience;
use crate::balances::{Balances, Debt, Known};
use callers::{CallersEnd, try_again};
pub(super) use callers::{Companions, Outcome};
use queue::Queue;
pub(super) use queue::{Haste, Refused};
use size::{BatchOutcome, BatchSize};

/// Batches whose balances wait for Redis. Redis is faster than commits; when it is not, the rest is owed to it.
const PUTS_WAITING_MAX: usize = 64;

/// A call that waits for its lane.
#[derive(Debug)]
struct Waiting {
    call: Call<Work>,
    caller: CallersEnd,
    /// Of the caller's call.
    span: Span,
}

/// The way into a lane.
#[derive(Debug, Clone)]
pub(super) struct LaneEntry {
    queue: Arc<Queue<Waiting>>,
}

/// A lane, until somebody runs it.
#[derive(Debug)]
pub struct Lane {
    queue: Arc<Queue<Waiting>>,
    committer: Committer,
    balances: Balances,
    feed: FeedWaker,
    puts: (mpsc::Sender<Put>, mpsc::Receiver<Put>),
    batch_calls_max: usize,
}

/// What was committed, on its way to Redis.
#[derive(Debug)]
struct Put {
    program: ProgramId,
    known: Vec<Known>,
    debt: Debt,
}

impl LaneEntry {
    /// Lets calls wait for their turn, in their order; the answers come by the channels, in the same. Where there is no
    /// room for all, none waits.
    pub(super) fn try_push(
        &self,
        program: ProgramId,
        haste: Haste,
        companions: Option<&Arc<Companions>>,
        calls: Vec<Call<Work>>,
    ) -> Result<Vec<oneshot::Receiver<Outcome>>, Refused> {
        let calls_count = calls.len();
        let (waiting, answered) = calls
            .into_iter()
            .map(|call| {
                let (answer, answered) = oneshot::channel();
                let caller = CallersEnd {
                    owner_ids: call.owner_ids().collect(),
                    answer,
                    companions: companions.cloned(),
                };
                let span = Span::current();
                (Waiting { call, caller, span }, answered)
            })
            .unzip();
        let pushed = self.queue.try_push(program, haste, waiting);
        metrics::arrived(calls_count, pushed.is_ok());
        pushed.map(|()| answered)
    }
}

impl Lane {
    pub(super) fn new(
        committer: Committer,
        balances: Balances,
        feed: FeedWaker,
        config: &PostingConfig,
    ) -> Self {
        Self {
            queue: Arc::new(Queue::new(config.queue_calls_max)),
            committer,
            balances,
            feed,
            puts: mpsc::channel(PUTS_WAITING_MAX),
            batch_calls_max: config.batch_calls_max,
        }
    }

    pub(super) fn entry(&self) -> LaneEntry {
        LaneEntry {
            queue: Arc::clone(&self.queue),
        }
    }

    /// Serves calls for ever.
    pub async fn run(self) {
        let (putting, puts) = self.puts;
        let lane = Running {
            queue: self.queue,
            committer: self.committer,
            balances: self.balances.clone(),
            feed: self.feed,
            putting,
            batch_calls_max: self.batch_calls_max,
        };
        tokio::join!(lane.post(), put(self.balances, puts));
    }
}

/// Callers do not wait for Redis: what they are shown says which version it is, and who needs it asks for it.
async fn put(balances: Balances, mut puts: mpsc::Receiver<Put>) {
    while let Some(Put { program, known, debt }) = puts.recv().await {
        balances.write_through(program, &known, debt).await;
    }
}

struct Running {
    queue: Arc<Queue<Waiting>>,
    committer: Committer,
    balances: Balances,
    feed: FeedWaker,
    putting: mpsc::Sender<Put>,
    batch_calls_max: usize,
}

impl Drop for Running {
    /// Whoever waits is told that nobody comes.
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Running {
    async fn post(self) {
        let mut size = BatchSize::new(self.batch_calls_max);
        loop {
            let (program, mut waiting) = self.queue.take(size.get()).await;
            waiting.retain(|waiting| !waiting.caller.is_gone());
            let waiting = leave_behind(waiting);
            metrics::taken(waiting.len(), self.queue.count());
            if !waiting.is_empty() {
                let outcome = self.serve(program, waiting).await;
                size.learn(outcome);
            }
        }
    }

    /// Serves a batch, and answers everybody in it: first those whom nobody else has locked, so that they do not wait for
    /// the others.
    async fn serve(&self, program: ProgramId, waiting: Vec<Waiting>) -> BatchOutcome {
        let span = span_of(&waiting);
        let served = async {
            let batch: Vec<_> = waiting.into_iter().map(|it| (it.call, it.caller)).collect();
            // A lone call holds nobody up.
            let patience = if batch.len() == 1 {
                Patience::All
            } else {
                Patience::Budgets
            };
            let (outcome, mut busy) = self.serve_batch(program, batch, patience).await;
            busy.retain(|(_, caller)| !caller.is_gone());
            if !busy.is_empty() {
                let (_, busy) = self.serve_batch(program, busy, Patience::All).await;
                debug_assert!(busy.is_empty(), "they were waited for");
            }
            outcome
        };
        served.instrument(span).await
    }

    /// Answers whom it can, and gives back those who have not been waited for.
    async fn serve_batch(
        &self,
        program: ProgramId,
        batch: Vec<(Call<Work>, CallersEnd)>,
        patience: Patience,
    ) -> (BatchOutcome, Vec<(Call<Work>, CallersEnd)>) {
        let (calls, callers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let outcome = match self.commit(program, &calls, patience).await {
            Ok((decisions, Patience::Budgets)) => {
                let busy = tell_decided(calls.into_iter().zip(callers), decisions);
                return (BatchOutcome::Committed, busy);
            }
            Ok((decisions, _)) => {
                tell_all(callers, decisions);
                BatchOutcome::Committed
            }
            Err(error) if calls.len() > 1 && may_be_one_calls_fault(&error) => {
                tracing::warn!(%error, calls_count = calls.len(), "a batch failed: its calls run one by one");
                self.serve_one_by_one(program, calls, callers).await
            }
            Err(error) => fail_all(callers, error),
        };
        (outcome, Vec::new())
    }

    /// Until one of them meets what all would meet.
    async fn serve_one_by_one(
        &self,
        program: ProgramId,
        calls: Vec<Call<Work>>,
        callers: Vec<CallersEnd>,
    ) -> BatchOutcome {
        let mut rest = calls.into_iter().zip(callers);
        while let Some((call, caller)) = rest.next() {
            if caller.is_gone() {
                continue;
            }
            if caller.is_left_behind() {
                caller.fail(&try_again());
                continue;
            }
            match self
                .commit(program, std::slice::from_ref(&call), Patience::All)
                .await
            {
                Ok((decisions, _)) => tell_all([caller], decisions),
                Err(error) if may_be_one_calls_fault(&error) => caller.fail(&Arc::new(error)),
                Err(error) => {
                    let callers = std::iter::once(caller).chain(rest.map(|(_, caller)| caller));
                    return fail_all(callers, error);
                }
            }
        }
        BatchOutcome::Committed
    }

    /// Commits calls, and sends what came of it on its way.
    async fn commit(
        &self,
        program: ProgramId,
        calls: &[Call<Work>],
        patience: Patience,
    ) -> Result<(Vec<Option<Decision>>, Patience), StorageError> {
        let mut debt = self.balances.owe(program, calls.iter().flat_map(Call::owner_ids));
        let committed = AssertUnwindSafe(self.committer.commit(program, calls, patience)).catch_unwind();
        let committed = committed.await.unwrap_or_else(|_panic| {
            // The process's panic hook has told where.
            Err(StorageError::corrupt("posting", "deciding it panicked"))
        });
        let Committed {
            decisions,
            balances,
            patience,
        } = committed?;
        self.feed.wake();
        let known: Vec<Known> = balances.into_iter().map(Known::Balance).collect();
        debt.committed(changed(calls, &decisions, &known));
        // Where there is no room, the debt is dropped here, and stays owed.
        let _ = self.putting.try_send(Put { program, known, debt });
        Ok((decisions, patience))
    }
}

/// A lone call's batch is a part of its trace; one of many belongs to all of theirs.
fn span_of(waiting: &[Waiting]) -> Span {
    if let [lone] = waiting {
        return lone.span.clone();
    }
    let span =
        tracing::info_span!(parent: None, "batch", otel.name = "posting batch", calls_count = waiting.len());
    for waiting in waiting {
        span.follows_from(&waiting.span);
    }
    span
}

/// Answers those who come after one that failed, and gives the others.
fn leave_behind(waiting: Vec<Waiting>) -> Vec<Waiting> {
    let (behind, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|it| it.caller.is_left_behind());
    for waiting in behind {
        waiting.caller.fail(&try_again());
    }
    rest
}

/// Whose owner somebody else kept locked is told to try again.
fn tell_all(callers: impl IntoIterator<Item = CallersEnd>, decisions: Vec<Option<Decision>>) {
    for (caller, decision) in callers.into_iter().zip(decisions) {
        match decision {
            Some(decision) => caller.tell(decision),
            None => caller.fail(&try_again()),
        }
    }
}

/// Answers what was decided, and gives the others.
fn tell_decided(
    batch: impl Iterator<Item = (Call<Work>, CallersEnd)>,
    decisions: Vec<Option<Decision>>,
) -> Vec<(Call<Work>, CallersEnd)> {
    let mut busy = Vec::new();
    for ((call, caller), decision) in batch.zip(decisions) {
        match decision {
            Some(decision) => caller.tell(decision),
            None => busy.push((call, caller)),
        }
    }
    busy
}

fn fail_all(callers: impl IntoIterator<Item = CallersEnd>, error: StorageError) -> BatchOutcome {
    let took_too_long = matches!(error, StorageError::LimitExceeded { .. });
    let error = Arc::new(error);
    for caller in callers {
        caller.fail(&error);
    }
    if took_too_long {
        BatchOutcome::TookTooLong
    } else {
        BatchOutcome::Failed
    }
}

/// Whether the calls of a batch that failed so may do better one by one.
fn may_be_one_calls_fault(error: &StorageError) -> bool {
    match error.failure() {
        Failure::UniqueViolation(_)
        | Failure::ForeignKeyViolation(_)
        | Failure::CheckViolation(_)
        | Failure::DataError
        | Failure::Fenced
        | Failure::Other => true,
        // Of the others or of time: each call would meet it again, one after the other.
        Failure::Serialization
        | Failure::Deadlock
        | Failure::Resources
        | Failure::Connection
        | Failure::Timeout => false,
    }
}

/// Whose balances have changed. Also by what is replayed: the answer to COMMIT may have been lost, and then this is the
/// first to know of it, with no balances to put.
pub(super) fn changed<W>(
    calls: &[Call<W>],
    decisions: &[Option<Decision>],
    known: &[Known],
) -> HashSet<OwnerId> {
    let replayed = |decision: &Option<Decision>| {
        let answer = decision.as_ref().and_then(|decision| decision.as_ref().ok());
        answer.is_some_and(|answer| answer.accepted && answer.replayed)
    };
    let replayed = calls
        .iter()
        .zip(decisions)
        .filter(|(_, decision)| replayed(decision))
        .flat_map(|(call, _)| call.owner_ids());
    known.iter().map(Known::owner_id).chain(replayed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_values_runs_one_by_one() {
        assert!(may_be_one_calls_fault(&StorageError::corrupt(
            "lot",
            "a column is missing"
        )));
        let late = StorageError::LimitExceeded {
            transaction: "posting",
        };
        assert!(!may_be_one_calls_fault(&late));
        let full = StorageError::from(sqlx::Error::PoolTimedOut);
        assert!(!may_be_one_calls_fault(&full));
    }
}
