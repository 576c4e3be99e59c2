//! One caller's stream: pulls from memory, and from Postgres while it is behind.

use std::collections::HashSet;
use std::time::Duration;

use fealty_postgres::events::{EventFilter, EventPosition};
use fealty_postgres::{DatabaseTimeline, StorageError};
use fealty_proto::events::v1::{Event, WatchEventsResponse};
use fealty_rpc::errors::ApiError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::tail::{Found, Tail};
use super::{EventFeed, EventRows, FeedEvent, metrics};
use crate::status::storage_status;

/// Events of one answer. Whoever applies them does so in one transaction of two seconds at most: 20 ms for each.
const EVENTS_PER_ANSWER_MAX: usize = 100;

/// Events of one read from Postgres; what does not match is passed over in memory.
const PAGE_SIZE: usize = 500;

/// How often the token of a stream without a match is sent, if it has moved: whoever comes again with it need not pass
/// over the same events.
const TOKEN_INTERVAL: Duration = Duration::from_secs(1);

/// What a caller asked for, and how far it has come.
pub(super) struct EventStream<R> {
    pub(super) feed: EventFeed<R>,
    pub(super) wanted: Wanted,
    /// Which history the place is of.
    pub(super) timeline: DatabaseTimeline,
    /// How far it has come.
    pub(super) place: EventPosition,
    /// The place that the caller knows; None before the first answer.
    pub(super) told: Option<EventPosition>,
    /// When the token may be sent without events.
    pub(super) token_due: Instant,
    /// What was read and does not fit into one answer, the last first.
    pub(super) left: Vec<FeedEvent>,
    /// How far it has come when nothing of that is left.
    pub(super) place_after_left: EventPosition,
    pub(super) tail: watch::Receiver<Tail>,
    pub(super) end: Instant,
    pub(super) closing: CancellationToken,
}

/// Which events a caller wants.
pub(super) struct Wanted {
    /// Of whom.
    pub(super) filter: EventFilter,
    /// Numbers of kinds; empty for all.
    pub(super) event_types: HashSet<i32>,
}

impl Wanted {
    fn matches(&self, event: &FeedEvent) -> bool {
        let is_in = match self.filter {
            EventFilter::All => true,
            EventFilter::Program(program) => event.position.program == program.as_uuid(),
            EventFilter::Subject(program, subject_id) => {
                event.position.program == program.as_uuid() && event.position.subject_id == subject_id
            }
        };
        is_in && (self.event_types.is_empty() || self.event_types.contains(&event.event.event_type))
    }
}

/// What a look at the feed comes to.
enum Step {
    /// Something that matches.
    Send(Vec<Event>),
    /// Nothing that matches, but there is more to look at.
    GoOn,
    /// Nothing is left.
    Wait,
}

impl<R: EventRows> EventStream<R> {
    /// The next answer; None at the stream's end.
    pub(super) async fn next(&mut self) -> Option<Result<WatchEventsResponse, Status>> {
        loop {
            if self.closing.is_cancelled() || Instant::now() >= self.end {
                return None;
            }
            let step = match self.step().await {
                Ok(step) => step,
                Err(error) => return Some(Err(error.to_status())),
            };
            match step {
                Step::Send(events) => return Some(Ok(self.answer(events))),
                Step::GoOn | Step::Wait if self.owes_token() => {
                    return Some(Ok(self.answer(Vec::new())));
                }
                Step::GoOn => {}
                Step::Wait => self.wait().await,
            }
        }
    }

    fn answer(&mut self, events: Vec<Event>) -> WatchEventsResponse {
        self.told = Some(self.place);
        self.token_due = Instant::now() + TOKEN_INTERVAL;
        WatchEventsResponse {
            events,
            resume_token: self.place.encode(self.timeline),
        }
    }

    fn owes_token(&self) -> bool {
        self.told != Some(self.place) && Instant::now() >= self.token_due
    }

    async fn step(&mut self) -> Result<Step, ApiError> {
        if !self.left.is_empty() {
            return Ok(self.send_left());
        }
        let wanted = &self.wanted;
        let found =
            self.tail
                .borrow_and_update()
                .after(self.place, self.timeline, EVENTS_PER_ANSWER_MAX, |event| {
                    wanted.matches(event)
                });
        match found {
            Found::OtherHistory => Err(ApiError::resume_token_invalid()),
            Found::Behind => self.read_page().await.map_err(|error| storage_status(&error)),
            Found::Here(events, reached) => {
                self.place = reached;
                if events.is_empty() {
                    return Ok(Step::Wait);
                }
                metrics::sent(self.feed.name(), "memory", events.len());
                let events = events.iter().map(|event| event.event.clone()).collect();
                Ok(Step::Send(events))
            }
        }
    }

    /// Catches up by a page from Postgres.
    async fn read_page(&mut self) -> Result<Step, StorageError> {
        let page = self
            .feed
            .read_page(self.place, self.wanted.filter, PAGE_SIZE)
            .await?;
        let mut matching: Vec<FeedEvent> = page
            .events
            .into_iter()
            .filter(|event| self.wanted.matches(event))
            .collect();
        matching.reverse();
        self.left = matching;
        self.place_after_left = page.reached;
        if self.left.is_empty() {
            self.place = page.reached;
            return Ok(Step::GoOn);
        }
        Ok(self.send_left())
    }

    fn send_left(&mut self) -> Step {
        let rest = self.left.len().saturating_sub(EVENTS_PER_ANSWER_MAX);
        let events: Vec<FeedEvent> = self.left.drain(rest..).rev().collect();
        if let Some(last) = events.last() {
            self.place = last.position;
        }
        if self.left.is_empty() {
            self.place = self.place_after_left;
        }
        metrics::sent(self.feed.name(), "postgres", events.len());
        Step::Send(events.into_iter().map(|event| event.event).collect())
    }

    /// Waits for news, for the token to be due if it has moved, or for the end.
    async fn wait(&mut self) {
        let until = if self.told == Some(self.place) {
            self.end
        } else {
            self.end.min(self.token_due)
        };
        tokio::select! {
            () = self.closing.cancelled() => {}
            () = sleep_until(until) => {}
            // The feed outlives its streams, so this never fails.
            _ = self.tail.changed() => {}
        }
    }
}
