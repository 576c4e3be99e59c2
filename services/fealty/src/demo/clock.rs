//! The clock of a played year: moved by hand, until it joins the one on the wall.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use fealty_types::{Clock, ManualClock, SharedClock, SystemClock};

/// Shows the day that is played. Clones show the same time.
#[derive(Debug, Clone)]
pub struct PlayClock {
    played: ManualClock,
    is_over: Arc<AtomicBool>,
}

impl PlayClock {
    /// Stands at `start`.
    #[must_use]
    pub fn new(start: DateTime<Utc>) -> Self {
        Self {
            played: ManualClock::new(start),
            is_over: Arc::default(),
        }
    }

    /// For the services.
    #[must_use]
    pub fn shared(&self) -> SharedClock {
        Arc::new(self.clone())
    }

    /// Goes on to `time`; never back, because what is recorded has happened.
    pub fn move_to(&self, time: DateTime<Utc>) {
        if time > self.played.now() {
            self.played.set(time);
        }
    }

    /// Shows the real time from now on.
    pub fn join_the_present(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

impl Clock for PlayClock {
    fn now(&self) -> DateTime<Utc> {
        if self.is_over.load(Ordering::SeqCst) {
            SystemClock.now()
        } else {
            self.played.now()
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn it_goes_forward_only_and_ends_in_the_present() {
        let start = DateTime::UNIX_EPOCH;
        let clock = PlayClock::new(start);
        let shared = clock.shared();
        clock.move_to(start + TimeDelta::days(1));
        clock.move_to(start);
        assert_eq!(shared.now(), start + TimeDelta::days(1));
        clock.join_the_present();
        assert!(shared.now() > start + TimeDelta::days(365));
    }
}
