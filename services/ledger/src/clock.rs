//! The clock of the record: Postgres's, as this process knows it.
//!
//! Postings are decided by Postgres's clock, which is the same for all replicas. What is shown between two postings goes by
//! the same one: by the process's own, a replica whose clock is an hour ahead would hide points that can still be spent,
//! and one behind would show points that have ended. Asking Postgres each time is what the cache is there to avoid, so the
//! process counts on from what Postgres said last, by a clock of its own that only ever counts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use fealty_types::{Clock, SharedClock};
use tokio::time::Instant;

use crate::posting::TimeSource;

/// Postgres keeps microseconds.
const TIME_DIGITS: u16 = 6;

/// Tells what time it is for the record.
#[derive(Debug)]
pub struct RecordClock {
    /// The clock that a test moves: then nobody asks Postgres.
    moved: Option<SharedClock>,
    known: Mutex<Known>,
}

/// What time it was at an instant.
#[derive(Debug, Clone, Copy)]
struct Known {
    instant: Instant,
    time: DateTime<Utc>,
}

impl Known {
    fn at(&self, instant: Instant) -> DateTime<Utc> {
        let since = instant.saturating_duration_since(self.instant);
        self.time + TimeDelta::from_std(since).unwrap_or(TimeDelta::MAX)
    }
}

impl RecordClock {
    /// Goes by what tells postings the time; until Postgres has said it, by the process's clock.
    #[must_use]
    pub fn new(time: &TimeSource, process: &SharedClock) -> Self {
        Self {
            moved: match time {
                TimeSource::Postgres => None,
                TimeSource::Clock(clock) => Some(clock.clone()),
            },
            known: Mutex::new(Known {
                instant: Instant::now(),
                time: process.now(),
            }),
        }
    }

    /// Postgres has said a time in answer to what was asked at `asked`. It was then somewhere between the two, so that what
    /// was known may still be true; else Postgres is followed, also back, as after a failover to a host behind.
    pub fn observe(&self, asked: Instant, said: DateTime<Utc>) {
        self.observe_at(asked, Instant::now(), said);
    }

    fn observe_at(&self, asked: Instant, answered: Instant, said: DateTime<Utc>) {
        let waited = answered.saturating_duration_since(asked);
        let latest = said + TimeDelta::from_std(waited).unwrap_or(TimeDelta::MAX);
        let mut known = self.known();
        if !(said..=latest).contains(&known.at(answered)) {
            *known = Known {
                instant: answered,
                time: said,
            };
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nobody panics while holding it; should it happen, it is still whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for RecordClock {
    fn now(&self) -> DateTime<Utc> {
        match &self.moved {
            Some(moved) => moved.now(),
            None => self.known().at(Instant::now()).trunc_subsecs(TIME_DIGITS),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use fealty_types::ManualClock;
    use tokio::time::advance;

    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(12)
    }

    fn of_process(ahead: TimeDelta) -> RecordClock {
        let process: SharedClock = Arc::new(ManualClock::new(noon() + ahead));
        RecordClock::new(&TimeSource::Postgres, &process)
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_from_what_postgres_said_whatever_the_process_thinks() {
        for ahead in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
            let clock = of_process(ahead);
            clock.observe(Instant::now(), noon());
            assert_eq!(clock.now(), noon());
            advance(Duration::from_secs(90)).await;
            assert_eq!(clock.now(), noon() + TimeDelta::seconds(90));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_came_late_moves_nothing_that_may_still_be_true() {
        let clock = of_process(TimeDelta::zero());
        clock.observe(Instant::now(), noon());
        let asked = Instant::now();
        advance(Duration::from_secs(2)).await;
        // Postgres looked at its clock right after it was asked.
        clock.observe(asked, noon());
        assert_eq!(clock.now(), noon() + TimeDelta::seconds(2));
        // And now its clock has been put back.
        clock.observe(Instant::now(), noon());
        assert_eq!(clock.now(), noon());
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_a_test_moves_is_the_records_too() {
        let moved = ManualClock::new(noon());
        let shared: SharedClock = Arc::new(moved.clone());
        let clock = RecordClock::new(&TimeSource::Clock(shared.clone()), &shared);
        clock.observe(Instant::now(), noon() + TimeDelta::days(1));
        moved.advance(TimeDelta::hours(1));
        assert_eq!(clock.now(), noon() + TimeDelta::hours(1));
    }
}
