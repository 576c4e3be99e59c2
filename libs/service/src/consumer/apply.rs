//! Applies a batch: the position moves and the events take effect, in one transaction.

use std::panic::AssertUnwindSafe;

use fealty_postgres::{Failure, Scope, StorageError, TransactError, TransactOptions, in_tx, transact};
use fealty_proto::events::v1::{Event, WatchEventsResponse};
use futures::FutureExt as _;
use sqlx::PgConnection;
use tracing::{Instrument as _, Span};

use super::parked::{self, NewParked, Subject};
use super::{ConsumeError, Consumer, Handler, RoundError, metrics};
use crate::positions;

/// How often in a row the same event may stop the feed before it is parked: with the pauses between them, about half a
/// minute, in which a failover is over.
const STOPS_MAX: u32 = 10;

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    /// It took effect, and the position moved.
    Moved,
    /// Another replica had moved the position meanwhile: nothing was done.
    Overtaken,
}

/// An event that stops the feed.
#[derive(Debug)]
pub(super) struct Stuck {
    pub(super) program_id: String,
    pub(super) subject_id: String,
    pub(super) version: i64,
    pub(super) error: String,
    /// How often in a row.
    count: u32,
}

impl Stuck {
    fn at(event: &Event, error: String) -> Self {
        Self {
            program_id: event.program_id.clone(),
            subject_id: event.subject_id.clone(),
            version: event.version,
            error,
            count: 1,
        }
    }

    fn is_at(&self, other: &Self) -> bool {
        (&self.program_id, &self.subject_id, self.version)
            == (&other.program_id, &other.subject_id, other.version)
    }

    /// What stops the feed now, and how often in a row it has.
    pub(super) fn again(before: Option<Self>, error: &RoundError) -> Option<Self> {
        let RoundError::Stuck(now) = error else {
            // Something else failed meanwhile, which says nothing about the event.
            return before;
        };
        let count = before
            .filter(|before| before.is_at(now))
            .map_or(0, |before| before.count);
        Some(Self {
            program_id: now.program_id.clone(),
            subject_id: now.subject_id.clone(),
            version: now.version,
            error: now.error.clone(),
            count: count + 1,
        })
    }

    fn is_given_up(&self, event: &Event) -> bool {
        self.count >= STOPS_MAX
            && (self.program_id.as_str(), self.subject_id.as_str(), self.version)
                == (
                    event.program_id.as_str(),
                    event.subject_id.as_str(),
                    event.version,
                )
    }
}

/// Why a batch did not take effect.
#[derive(Debug)]
enum BatchError {
    Storage(StorageError),
    Stuck(Stuck),
    /// No more events can be parked.
    Full,
    /// An event is poison: the batch is tried again, each event in a savepoint of its own.
    Poisoned,
}

impl From<StorageError> for BatchError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl TransactError for BatchError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Stuck(_) | Self::Full | Self::Poisoned => None,
        }
    }
}

impl<H: Handler> Consumer<H> {
    /// Applies what was read from `from` on, and moves the position to the batch's token, both or neither.
    pub(super) async fn apply(
        &self,
        batch: &WatchEventsResponse,
        from: &str,
        stuck: Option<&Stuck>,
    ) -> Result<Applied, RoundError> {
        // Poison is rare: only when some is met does every event get a savepoint, which costs two round trips.
        let suspects = stuck.is_some_and(|stuck| batch.events.iter().any(|event| stuck.is_given_up(event)));
        let applied = match self.try_batch(batch, from, stuck, suspects).await {
            Err(BatchError::Poisoned) => self.try_batch(batch, from, stuck, true).await,
            other => other,
        };
        match applied {
            Ok(applied) => Ok(applied),
            Err(BatchError::Storage(error)) => Err(error.into()),
            Err(BatchError::Stuck(stuck)) => Err(RoundError::Stuck(stuck)),
            Err(BatchError::Full) => Err(RoundError::Full),
            Err(BatchError::Poisoned) => unreachable!("with savepoints, poison is parked"),
        }
    }

    async fn try_batch(
        &self,
        batch: &WatchEventsResponse,
        from: &str,
        stuck: Option<&Stuck>,
        with_savepoints: bool,
    ) -> Result<Applied, BatchError> {
        // Repeatable: if the commit whose answer was lost took effect, the position has moved.
        let options = TransactOptions::default().repeatable();
        let jobs = &self.0.ground.jobs;
        let outcome = transact(jobs, "consume_events", Scope::Suite, options, |tx| {
            in_tx(async move {
                let now = self.0.ground.clock.now();
                if !positions::move_in_tx(&mut *tx, self.0.name, from, &batch.resume_token, now).await? {
                    return Ok::<_, BatchError>((Applied::Overtaken, 0));
                }
                let parked = self
                    .apply_all_in_tx(tx, &batch.events, stuck, with_savepoints)
                    .await?;
                Ok((Applied::Moved, parked))
            })
        })
        .await?;
        let (applied, parked) = outcome;
        if applied == Applied::Moved {
            metrics::applied(self.0.name, &batch.events, parked, self.0.ground.clock.now());
        }
        Ok(applied)
    }

    /// Applies or parks each event, and answers how many were parked.
    async fn apply_all_in_tx(
        &self,
        tx: &mut PgConnection,
        events: &[Event],
        stuck: Option<&Stuck>,
        with_savepoints: bool,
    ) -> Result<usize, BatchError> {
        let subjects = Subject::of_all(events).map_err(BatchError::Storage)?;
        let mut blocked = parked::find_blocked_in_tx(&mut *tx, self.0.name, &subjects).await?;
        let mut to_park = Vec::new();
        for (event, subject) in events.iter().zip(&subjects) {
            if blocked.contains(subject) {
                to_park.push(NewParked::behind(event, *subject));
                continue;
            }
            let given_up = stuck.is_some_and(|stuck| stuck.is_given_up(event));
            let outcome = if with_savepoints {
                self.apply_in_savepoint(&mut *tx, event).await?
            } else {
                self.apply_one_in_tx(&mut *tx, event).await
            };
            let poison = match outcome {
                Ok(()) => continue,
                Err(ConsumeError::Poison(_)) if !with_savepoints => return Err(BatchError::Poisoned),
                Err(ConsumeError::Poison(error)) => error,
                Err(ConsumeError::Storage(error)) if is_nobodys_fault(&error) => return Err(error.into()),
                Err(error) if given_up => error.to_string(),
                Err(error) => return Err(BatchError::Stuck(Stuck::at(event, error.to_string()))),
            };
            tracing::error!(
                consumer = self.0.name,
                event_id = event.event_id,
                program = event.program_id,
                subject = event.subject_id,
                version = event.version,
                error = poison,
                "an event cannot be applied: it is parked, and what follows it for its subject"
            );
            to_park.push(NewParked::first(event, *subject, poison));
            blocked.insert(*subject);
        }
        let now = self.0.ground.clock.now();
        if !parked::park_in_tx(tx, self.0.name, &to_park, now).await? {
            return Err(BatchError::Full);
        }
        Ok(to_park.len())
    }

    /// Applies one event so that nothing is left of it if that fails.
    pub(super) async fn apply_in_savepoint(
        &self,
        tx: &mut PgConnection,
        event: &Event,
    ) -> Result<Result<(), ConsumeError>, StorageError> {
        sqlx::query("SAVEPOINT event").execute(&mut *tx).await?;
        let outcome = self.apply_one_in_tx(&mut *tx, event).await;
        let end = if outcome.is_ok() {
            "RELEASE SAVEPOINT event"
        } else {
            "ROLLBACK TO SAVEPOINT event"
        };
        sqlx::query(end).execute(tx).await?;
        Ok(outcome)
    }

    async fn apply_one_in_tx(&self, tx: &mut PgConnection, event: &Event) -> Result<(), ConsumeError> {
        let span = span_of(self.0.name, event);
        // Nothing of the handler is used after a panic but what the transaction takes back.
        let outcome = AssertUnwindSafe(self.0.handler.apply_in_tx(tx, event))
            .catch_unwind()
            .instrument(span.clone())
            .await
            .unwrap_or_else(|_| Err(ConsumeError::Poison("the handler panicked".to_owned())));
        if outcome.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        outcome
    }
}

/// What applying an event is in the trace that the event was written in, by OpenTelemetry's conventions for messages. An
/// event of no trace begins none. The batch, which is of many traces, is linked.
fn span_of(consumer: &str, event: &Event) -> Span {
    if event.trace_parent.is_empty() {
        return Span::none();
    }
    let span = tracing::info_span!(
        "event",
        otel.name = format!("process {consumer}"),
        otel.kind = "consumer",
        otel.status_code = tracing::field::Empty,
        messaging.system = "fealty",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.consumer.group.name = consumer,
        messaging.message.id = event.event_id,
        fealty.program_id = event.program_id,
    );
    span.follows_from(Span::current());
    fealty_telemetry::continue_stored_trace(&span, &event.trace_parent);
    span
}

/// The database is away, or a neighbour came first: says nothing about the event.
pub(super) fn is_nobodys_fault(error: &StorageError) -> bool {
    matches!(
        error.failure(),
        Failure::Connection | Failure::Resources | Failure::Serialization | Failure::Deadlock
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(version: i64) -> Event {
        Event {
            program_id: "p".to_owned(),
            subject_id: "s".to_owned(),
            version,
            ..Event::default()
        }
    }

    fn stuck_at(version: i64) -> RoundError {
        RoundError::Stuck(Stuck::at(&event(version), "not now".to_owned()))
    }

    fn after(errors: impl IntoIterator<Item = RoundError>) -> Stuck {
        let stuck = errors
            .into_iter()
            .fold(None, |before, error| Stuck::again(before, &error));
        stuck.unwrap()
    }

    #[test]
    fn an_event_that_stops_the_feed_again_and_again_is_given_up() {
        let stops = || (0..STOPS_MAX).map(|_| stuck_at(7));
        assert!(after(stops()).is_given_up(&event(7)));
        assert!(!after(stops().skip(1)).is_given_up(&event(7)));
        assert!(!after(stops()).is_given_up(&event(8)), "another one is not");
    }

    #[test]
    fn another_event_counts_from_the_beginning_and_another_failure_not_at_all() {
        let stops = (1..STOPS_MAX).map(|_| stuck_at(7));
        let moved = after(stops.chain([stuck_at(8), stuck_at(7)]));
        assert!(!moved.is_given_up(&event(7)));
        let away = || RoundError::Storage(StorageError::from(sqlx::Error::PoolTimedOut));
        let stops = (0..STOPS_MAX).flat_map(|_| [stuck_at(7), away()]);
        assert!(after(stops).is_given_up(&event(7)));
    }
}
