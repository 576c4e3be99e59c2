//! The tailer, and what streams need of it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use fealty_postgres::events::{EventFilter, EventPosition, EventQuery, horizon_in_tx};
use fealty_postgres::{
    DatabaseTimeline, Scope, StorageError, TransactOptions, acquire, database_timeline, in_tx, transact,
};
use sqlx::postgres::PgPool;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::tail::Tail;
use super::{EventGrpc, EventRows, FeedEvent, FeedWaker, metrics};
use crate::ground::Ground;

/// How late the tailer may notice what another replica has committed, or what an older transaction has held back.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How long the tailer waits for company after it was woken: a busy service commits a thousand times a second, and a
/// read for each would cost more than the events.
const COMPANY_WAIT: Duration = Duration::from_millis(5);

/// How often it is asked whether the database still has the same history. A failover breaks the connection too, and
/// then it is asked at once.
const TIMELINE_INTERVAL: Duration = Duration::from_secs(1);

/// Events of one read: what a busy ledger makes in some hundred milliseconds.
const PAGE_SIZE: usize = 1_000;

/// Longest read of the tailer: it reads a page by an index.
const READ_MAX: Duration = Duration::from_secs(2);

/// Pause after a read that failed.
const FAILURE_PAUSE: Duration = Duration::from_millis(250);

/// The feed of a service. Clones are the same feed.
pub struct EventFeed<R>(Arc<Shared<R>>);

struct Shared<R> {
    rows: R,
    /// Whose feed it is, for metrics.
    name: &'static str,
    service: PgPool,
    jobs: PgPool,
    waker: FeedWaker,
    tail: watch::Sender<Tail>,
    /// Somebody has begun to follow.
    followed: Notify,
}

impl<R> Clone for EventFeed<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> std::fmt::Debug for EventFeed<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventFeed")
            .field("service", &self.0.name)
            .finish_non_exhaustive()
    }
}

impl<R: EventRows> EventFeed<R> {
    /// Over a service's rows. `waker` is the one that its rooms wake.
    #[must_use]
    pub fn new(rows: R, ground: &Ground, waker: FeedWaker) -> Self {
        Self::on_pools(
            rows,
            ground.name,
            (ground.service.clone(), ground.jobs.clone()),
            waker,
        )
    }

    /// The same for a service without such a ground: by the role that sees one program, and by that of jobs.
    #[must_use]
    pub fn on_pools(rows: R, name: &'static str, pools: (PgPool, PgPool), waker: FeedWaker) -> Self {
        let (service, jobs) = pools;
        Self(Arc::new(Shared {
            rows,
            name,
            service,
            jobs,
            waker,
            tail: watch::Sender::default(),
            followed: Notify::new(),
        }))
    }

    /// The rpcs. Streams end when `closing` is cancelled: the soft end of the process.
    #[must_use]
    pub fn grpc(&self, closing: CancellationToken) -> EventGrpc<R> {
        EventGrpc::new(self.clone(), closing)
    }

    /// Reads what becomes readable, over and over; ends only by being dropped.
    pub async fn keep_tailing(self) {
        loop {
            let Err(error) = self.tail().await;
            metrics::tail_failed(self.0.name);
            tracing::warn!(service = self.0.name, %error, "the event feed cannot be read; streams wait");
            sleep(FAILURE_PAUSE).await;
        }
    }

    /// Tails until something fails, as long as anybody follows.
    async fn tail(&self) -> Result<Infallible, StorageError> {
        loop {
            if self.0.tail.send_if_modified(|tail| self.rest(tail)) {
                self.0.followed.notified().await;
            }
            self.follow_timeline().await?;
            let checked = Instant::now();
            while checked.elapsed() < TIMELINE_INTERVAL {
                if !bounded(self.read_on()).await? {
                    self.0.waker.wait(POLL_INTERVAL).await;
                    sleep(COMPANY_WAIT).await;
                }
            }
        }
    }

    /// Whether nobody follows: then what is in memory is forgotten, and whoever comes finds in Postgres what has happened
    /// meanwhile. A busy service does not read all that it writes for nobody.
    ///
    /// Asked while nobody can look at the tail: who begins to follow afterwards waits until it is there again.
    fn rest(&self, tail: &mut Tail) -> bool {
        let is_left = self.0.tail.receiver_count() == 0;
        if is_left {
            *tail = Tail::default();
        }
        is_left
    }

    /// Makes sure that what is in memory belongs to the database that is there.
    async fn follow_timeline(&self) -> Result<(), StorageError> {
        let timeline = bounded(database_timeline(&self.0.jobs)).await?;
        if self.0.tail.borrow().timeline() != Some(timeline) {
            let horizon = bounded(self.horizon()).await?;
            self.0.tail.send_modify(|tail| tail.follow(timeline, horizon));
        }
        Ok(())
    }

    /// Reads the next page, and answers whether it was full.
    ///
    /// Without a transaction: the horizon is asked for first, so that the page, read by a later statement, shows all
    /// that lies below it; and ten of these a second leave no trace in everybody's traces.
    async fn read_on(&self) -> Result<bool, StorageError> {
        let after = self.0.tail.borrow().head();
        let mut connection = acquire(&self.0.jobs).await?;
        let horizon = horizon_in_tx(&mut connection).await?;
        let rows = &self.0.rows;
        let query = EventQuery {
            after,
            horizon,
            filter: EventFilter::All,
            count_max: PAGE_SIZE,
        };
        let page = Page::new(rows.list_in_tx(&mut connection, query).await?, &query);
        if page.events.is_empty() {
            return Ok(false);
        }
        metrics::tailed(self.0.name, page.events.len());
        let full = page.full;
        self.0
            .tail
            .send_modify(|tail| tail.extend(page.events, page.reached));
        Ok(full)
    }

    async fn horizon(&self) -> Result<i64, StorageError> {
        horizon_in_tx(&mut *acquire(&self.0.jobs).await?).await
    }

    /// Which history the feed is of, asked afresh: what a token is held to.
    pub(super) async fn timeline(&self) -> Result<DatabaseTimeline, StorageError> {
        database_timeline(&self.0.jobs).await
    }

    /// Before everything that is not readable yet: where "from now on" begins.
    pub(super) async fn now(&self) -> Result<EventPosition, StorageError> {
        bounded(self.horizon()).await.map(EventPosition::before)
    }

    /// The end of the feed, to pull from and to wait for.
    pub(super) fn watch(&self) -> watch::Receiver<Tail> {
        let following = self.0.tail.subscribe();
        self.0.followed.notify_one();
        following
    }

    /// Whose feed it is.
    pub(super) fn name(&self) -> &'static str {
        self.0.name
    }

    /// A page from Postgres, behind the fence of its program.
    pub(super) async fn read_page(
        &self,
        after: EventPosition,
        filter: EventFilter,
        count_max: usize,
    ) -> Result<Page, StorageError> {
        let (pool, scope) = match filter {
            EventFilter::All => (&self.0.jobs, Scope::Suite),
            EventFilter::Program(program) | EventFilter::Subject(program, _) => {
                (&self.0.service, Scope::Program(program))
            }
        };
        let rows = &self.0.rows;
        transact(pool, "list_events", scope, TransactOptions::read_only(), |tx| {
            in_tx(async move {
                let horizon = horizon_in_tx(&mut *tx).await?;
                let query = EventQuery {
                    after,
                    horizon,
                    filter,
                    count_max,
                };
                Ok(Page::new(rows.list_in_tx(tx, query).await?, &query))
            })
        })
        .await
    }
}

/// What was read after a place.
#[derive(Debug)]
pub(super) struct Page {
    /// In order.
    pub(super) events: Vec<FeedEvent>,
    /// How far that was.
    pub(super) reached: EventPosition,
    /// There may be more.
    pub(super) full: bool,
}

impl Page {
    /// A page that is not full has reached the horizon: nothing can appear below it any more.
    fn new(events: Vec<FeedEvent>, query: &EventQuery) -> Self {
        let full = events.len() >= query.count_max;
        let last = events.last().map(|event| event.position);
        let reached = last
            .filter(|_| full)
            .unwrap_or_else(|| EventPosition::before(query.horizon));
        Self {
            events,
            reached,
            full,
        }
    }
}

async fn bounded<T>(read: impl Future<Output = Result<T, StorageError>>) -> Result<T, StorageError> {
    timeout(READ_MAX, read)
        .await
        .unwrap_or(Err(StorageError::LimitExceeded {
            transaction: "tail_events",
        }))
}
