//! The newest events, in memory: what all streams of a process pull from.

use std::collections::VecDeque;
use std::sync::Arc;

use fealty_postgres::DatabaseTimeline;
use fealty_postgres::events::EventPosition;

use super::FeedEvent;

/// Events kept: some seconds of a busy ledger, and a few megabytes.
const EVENTS_MAX: usize = 4_096;

/// The end of the feed as far as the tailer has read it.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// None before the database was reached.
    timeline: Option<DatabaseTimeline>,
    /// Every event after this place and up to the head is here.
    start: EventPosition,
    /// How far was read.
    head: EventPosition,
    events: VecDeque<Arc<FeedEvent>>,
}

/// What a stream finds after its place.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// These events, and how far it has come with them; there may be more.
    Here(Vec<Arc<FeedEvent>>, EventPosition),
    /// Its place lies before what is kept: Postgres has the rest.
    Behind,
    /// What it followed is no more: the database has another history.
    OtherHistory,
}

impl Tail {
    /// Which history of the database this is.
    pub(super) const fn timeline(&self) -> Option<DatabaseTimeline> {
        self.timeline
    }

    /// How far was read.
    pub(super) const fn head(&self) -> EventPosition {
        self.head
    }

    /// Begins at the horizon of another history. In the same one it goes on where it was.
    pub(super) fn follow(&mut self, timeline: DatabaseTimeline, horizon: i64) {
        if self.timeline == Some(timeline) {
            return;
        }
        let head = EventPosition::before(horizon);
        *self = Self {
            timeline: Some(timeline),
            start: head,
            head,
            events: VecDeque::new(),
        };
    }

    /// Takes in what was read after the head, and how far that was.
    pub(super) fn extend(&mut self, events: Vec<FeedEvent>, head: EventPosition) {
        self.events.extend(events.into_iter().map(Arc::new));
        self.head = self.head.max(head);
        while self.events.len() > EVENTS_MAX {
            if let Some(forgotten) = self.events.pop_front() {
                self.start = forgotten.position;
            }
        }
    }

    /// What comes after a place: at most so many of those that match.
    pub(super) fn after(
        &self,
        place: EventPosition,
        timeline: DatabaseTimeline,
        count_max: usize,
        matches: impl Fn(&FeedEvent) -> bool,
    ) -> Found {
        if self.timeline != Some(timeline) {
            return Found::OtherHistory;
        }
        if place < self.start {
            return Found::Behind;
        }
        let first = self.events.partition_point(|event| event.position <= place);
        let mut found = Vec::new();
        let mut reached = place;
        for event in self.events.range(first..) {
            reached = event.position;
            if matches(event) {
                found.push(Arc::clone(event));
                if found.len() == count_max {
                    break;
                }
            }
        }
        Found::Here(found, reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use fealty_types::EventId;
    use uuid::Uuid;

    const TIMELINE: DatabaseTimeline = DatabaseTimeline {
        system_identifier: 1,
        database_oid: 2,
        timeline_id: 3,
    };

    const NONE: [i64; 0] = [];

    fn event(feed_xid: i64) -> FeedEvent {
        let position = EventPosition {
            feed_xid,
            program: Uuid::from_u128(1),
            subject_id: Uuid::from_u128(2),
            version: feed_xid,
        };
        let time = DateTime::UNIX_EPOCH;
        FeedEvent::new(position, EventId::generate_at(time), None, time, time)
    }

    fn tail(events: std::ops::RangeInclusive<i64>) -> Tail {
        let mut tail = Tail::default();
        tail.follow(TIMELINE, *events.start());
        let head = EventPosition::before(events.end() + 1);
        tail.extend(events.map(event).collect(), head);
        tail
    }

    fn numbers(found: Found) -> Vec<i64> {
        match found {
            Found::Here(events, _) => events.iter().map(|event| event.position.feed_xid).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_stream_gets_what_comes_after_its_place() {
        let tail = tail(10..=20);
        let all = |_: &FeedEvent| true;
        assert_eq!(
            numbers(tail.after(event(17).position, TIMELINE, 9, all)),
            [18, 19, 20]
        );
        assert_eq!(
            numbers(tail.after(event(10).position, TIMELINE, 2, all)),
            [11, 12]
        );
        assert_eq!(
            numbers(tail.after(EventPosition::before(20), TIMELINE, 9, all)),
            [20]
        );
        assert_eq!(numbers(tail.after(tail.head(), TIMELINE, 9, all)), NONE);
    }

    #[test]
    fn what_does_not_match_moves_the_place_all_the_same() {
        let tail = tail(10..=20);
        let found = tail.after(event(11).position, TIMELINE, 9, |event| event.event.version == 13);
        match found {
            Found::Here(events, reached) => {
                assert_eq!(events.len(), 1);
                assert_eq!(reached, event(20).position);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_is_before_what_is_kept_reads_from_postgres() {
        let tail = tail(1..=5_000);
        let all = |_: &FeedEvent| true;
        assert_eq!(tail.events.len(), EVENTS_MAX);
        assert_eq!(tail.after(event(900).position, TIMELINE, 9, all), Found::Behind);
        assert_eq!(numbers(tail.after(event(904).position, TIMELINE, 1, all)), [905]);
    }

    #[test]
    fn another_history_begins_anew() {
        let mut tail = tail(10..=20);
        tail.follow(TIMELINE, 99);
        assert_eq!(tail.events.len(), 11, "the same history goes on");
        let other = DatabaseTimeline {
            timeline_id: 4,
            ..TIMELINE
        };
        tail.follow(other, 15);
        assert_eq!(
            tail.after(event(17).position, TIMELINE, 9, |_| true),
            Found::OtherHistory
        );
        assert_eq!(numbers(tail.after(event(17).position, other, 9, |_| true)), NONE);
    }
}
