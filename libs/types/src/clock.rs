//! Where time comes from. Nobody else asks the operating system, so that a test can move time.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// Postgres keeps microseconds: a time with finer digits would not be read back as it was written.
const CLOCK_DIGITS: u16 = 6;

/// Tells the time, in whole microseconds.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now, cut down to whole microseconds.
    fn now(&self) -> DateTime<Utc>;
}

/// The clock that a process hands to all its parts.
pub type SharedClock = Arc<dyn Clock>;

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> DateTime<Utc> {
        (**self).now()
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// This clock, ready to be handed around.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the operating system"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(CLOCK_DIGITS)
    }
}

/// A clock that stands still until a test moves it. Clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    micros: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock that shows `start`, cut down to whole microseconds.
    #[must_use]
    pub fn new(start: DateTime<Utc>) -> Self {
        Self {
            micros: Arc::new(AtomicI64::new(start.timestamp_micros())),
        }
    }

    /// Shows `time` from now on; it may lie before the time shown.
    pub fn set(&self, time: DateTime<Utc>) {
        self.micros.store(time.timestamp_micros(), Ordering::SeqCst);
    }

    /// Moves by `delta`, backwards if it is negative.
    ///
    /// # Panics
    /// When `delta` is longer than 292,000 years: a test that does so is wrong.
    pub fn advance(&self, delta: TimeDelta) {
        let micros = delta
            .num_microseconds()
            .expect("a test moves by less than 292,000 years");
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        from_micros(self.micros.load(Ordering::SeqCst))
    }
}

fn from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).expect("a clock shows a time that chrono can express")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_shows_whole_microseconds() {
        assert_eq!(SystemClock.now().timestamp_subsec_nanos() % 1_000, 0);
    }

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let clock = ManualClock::new(DateTime::UNIX_EPOCH);
        let shared: SharedClock = Arc::new(clock.clone());
        assert_eq!(shared.now(), DateTime::UNIX_EPOCH);

        clock.advance(TimeDelta::seconds(5));
        assert_eq!(shared.now(), DateTime::UNIX_EPOCH + TimeDelta::seconds(5));

        clock.set(DateTime::UNIX_EPOCH);
        assert_eq!(shared.now(), DateTime::UNIX_EPOCH);
    }

    #[test]
    fn a_manual_clock_cuts_down_to_microseconds() {
        let clock = ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::nanoseconds(1_999));
        assert_eq!(clock.now(), DateTime::UNIX_EPOCH + TimeDelta::microseconds(1));
    }
}
