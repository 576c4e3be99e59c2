//! Follows the events of another service and applies them, each once, whatever crashes.
//!
//! A [`Consumer`] reads batches of events from a stream and hands each event to its [`Handler`], in one transaction that
//! also moves the consumer's position by compare-and-set (`feed_position`). So an event's effect and the note that it was
//! applied are there together or not at all, and of two replicas that follow side by side the one that comes second does
//! nothing, and looks where the other has got to.
//!
//! # Poison
//!
//! An event that its handler cannot apply is parked (`parked_event`), and with it all later ones of its subject, in
//! their order; everybody else's go on. A parked subject is tried again after pauses that grow to ten minutes; when its
//! first event can be applied, the rest follow. Events are parked by what [`ConsumeError::Poison`] says, by errors of the
//! data itself, by a panic, and when the same event has stopped the whole feed for a while. Parking is reported in the
//! log and in the metrics, and is bounded: a handler that can apply nothing stops its feed instead of filling a table.
//!
//! # What a handler may do
//!
//! It writes rows, in the transaction that it is given, and calls nobody: what needs another service is noted, and done
//! by a job. It runs with the role of jobs, so each of its statements names the event's program. After a restore of the
//! followed service its events come again from the first; a handler tells by its own rows (a unique key, the event's id)
//! what it has done before.
//!
//! # Traces
//!
//! A handler runs in a span of its consumer's, in the trace that the event was written in; what it notes for a job may
//! take the place in that trace along ([`fealty_telemetry::trace_parent`]), so that the job goes on with it.
//!
//! The tables are those of `events/consumer_tables.sql` in `fealty-postgres`.

mod apply;
mod metrics;
mod parked;
mod retry;

use std::sync::Arc;
use std::time::Duration;

use fealty_client::{CallError, EventsClient};
use fealty_postgres::{Failure, Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_proto::events::v1::{Event, EventType, WatchEventsRequest, WatchEventsResponse};
use fealty_proto::types::v1::ErrorReason;
use sqlx::PgConnection;
use tokio::time::sleep;

use self::apply::{Applied, Stuck};
use crate::ground::Ground;
use crate::positions;

/// First pause after a failure; it doubles from there.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// Longest pause after a failure: how late a consumer notices that what it needs is back.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often a replica that came second looks whether the first still moves: how long a feed rests when the first dies.
const STANDBY_INTERVAL: Duration = Duration::from_millis(500);

/// What happens to events.
pub trait Handler: Send + Sync + 'static {
    /// Applies an event, in the transaction that also notes that it was applied.
    fn apply_in_tx(
        &self,
        tx: &mut PgConnection,
        event: &Event,
    ) -> impl Future<Output = Result<(), ConsumeError>> + Send;
}

/// Why an event was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// Nothing is wrong with the event, and something with the database: all of the batch is tried again.
    #[error(transparent)]
    Storage(StorageError),
    /// Nothing is wrong with the event, but it cannot be applied yet: all of the batch is tried again.
    #[error("{0}")]
    Transient(String),
    /// It cannot be applied: it is parked, with what follows it for its subject.
    #[error("{0}")]
    Poison(String),
}

impl From<StorageError> for ConsumeError {
    /// What the data itself breaks will break again.
    fn from(error: StorageError) -> Self {
        let is_poison = matches!(error, StorageError::Corrupt { .. })
            || matches!(
                error.failure(),
                Failure::UniqueViolation(_)
                    | Failure::ForeignKeyViolation(_)
                    | Failure::CheckViolation(_)
                    | Failure::DataError
            );
        if is_poison {
            Self::Poison(error.to_string())
        } else {
            Self::Storage(error)
        }
    }
}

impl From<sqlx::Error> for ConsumeError {
    fn from(error: sqlx::Error) -> Self {
        StorageError::from(error).into()
    }
}

/// Which events a consumer follows.
#[derive(Debug, Clone)]
pub struct Source {
    /// Of which service.
    pub events: EventsClient,
    /// Of which kinds; empty for all.
    pub event_types: Vec<EventType>,
}

/// Follows a feed. Clones are the same consumer; replicas are told apart by nothing.
#[derive(Debug)]
pub struct Consumer<H>(Arc<Following<H>>);

#[derive(Debug)]
struct Following<H> {
    /// Names its position, its parked events and its metrics. Never changed once it has run.
    name: &'static str,
    source: Source,
    ground: Ground,
    handler: H,
}

impl<H> Clone for Consumer<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Why a consumer pauses.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Source(#[from] CallError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("event {} of {} cannot be applied now: {}", .0.version, .0.subject_id, .0.error)]
    Stuck(Stuck),
    #[error("as many events are parked as may be: the handler has to be mended first")]
    Full,
}

impl<H: Handler> Consumer<H> {
    /// Under a name that is its own in the service's database.
    #[must_use]
    pub fn new(name: &'static str, source: Source, ground: &Ground, handler: H) -> Self {
        Self(Arc::new(Following {
            name,
            source,
            ground: ground.clone(),
            handler,
        }))
    }

    /// Follows and applies; ends only by being dropped, at any moment without harm.
    pub async fn keep_consuming(self) {
        let mut pause = PAUSE_MIN;
        let mut stuck: Option<Stuck> = None;
        loop {
            match self.follow(&mut pause, stuck.as_ref()).await {
                Ok(()) => stuck = None,
                Err(error) => {
                    metrics::failed(self.0.name);
                    tracing::warn!(consumer = self.0.name, %error, ?pause, "the events are followed again after a pause");
                    stuck = Stuck::again(stuck, &error);
                    sleep(with_jitter(pause)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// Follows from the position on, until another replica comes first or something fails.
    async fn follow(&self, pause: &mut Duration, stuck: Option<&Stuck>) -> Result<(), RoundError> {
        let mut token = self.position().await?;
        let mut stream = self.0.source.events.watch(WatchEventsRequest {
            resume_token: token.clone(),
            event_types: self
                .0
                .source
                .event_types
                .iter()
                .map(|kind| i32::from(*kind))
                .collect(),
            ..WatchEventsRequest::default()
        });
        loop {
            let batch = match stream.next().await {
                Ok(batch) => batch,
                Err(error) if error.reason == Some(ErrorReason::ResumeTokenInvalid) => {
                    return self.start_over(&token).await;
                }
                Err(error) => return Err(error.into()),
            };
            match self.apply(&batch, &token, stuck).await? {
                Applied::Moved => token = batch.resume_token,
                Applied::Overtaken => return self.stand_by(&token).await,
            }
            *pause = PAUSE_MIN;
        }
    }

    async fn position(&self) -> Result<String, StorageError> {
        let (jobs, name) = (&self.0.ground.jobs, self.0.name);
        let options = TransactOptions::read_only();
        transact(jobs, "consumer_position", Scope::Suite, options, |tx| {
            in_tx(async move { Ok(positions::find_in_tx(tx, name).await?.unwrap_or_default()) })
        })
        .await
    }

    /// Lets another replica lead, for as long as it moves.
    async fn stand_by(&self, token: &str) -> Result<(), RoundError> {
        let mut last = token.to_owned();
        loop {
            sleep(with_jitter(STANDBY_INTERVAL)).await;
            let now = self.position().await?;
            if now == last {
                return Ok(());
            }
            last = now;
        }
    }

    /// The followed service does not know the position any more: it was restored. Its events come again.
    async fn start_over(&self, token: &str) -> Result<(), RoundError> {
        tracing::error!(
            consumer = self.0.name,
            "the position belongs to another history of the followed service (was it restored?): starting over"
        );
        let beginning = WatchEventsResponse::default();
        self.apply(&beginning, token, None).await?;
        Ok(())
    }
}

/// Up to a tenth more, so that replicas do not move in step.
fn with_jitter(pause: Duration) -> Duration {
    pause + pause.mul_f64(rand::random_range(0.0..0.1))
}
