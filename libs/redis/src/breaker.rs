//! Stops asking for a while after failures in a row, so that a dead Redis does not slow every read.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// No pause is set.
const CLOSED: u64 = 0;

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It may be chance.
    Counted,
    /// With it a first pause begins.
    OutageBegins,
    /// Nor did the try after a pause succeed.
    OutageGoesOn,
}

/// Counts failures in a row. After too many it refuses calls for a pause; then it lets one through, and the rest only
/// if that one succeeds.
#[derive(Debug)]
pub(crate) struct Breaker {
    failures_max: u32,
    pause: Duration,
    made: Instant,
    failures_count: AtomicU32,
    /// Milliseconds since `made` until which nobody asks.
    closed_until_ms: AtomicU64,
}

impl Breaker {
    pub(crate) fn new(failures_max: u32, pause: Duration) -> Self {
        Self {
            failures_max,
            pause,
            made: Instant::now(),
            failures_count: AtomicU32::new(0),
            closed_until_ms: AtomicU64::new(CLOSED),
        }
    }

    /// Whether to ask now.
    pub(crate) fn lets_through(&self) -> bool {
        let until_ms = self.closed_until_ms.load(Ordering::Acquire);
        if until_ms == CLOSED {
            return true;
        }
        let now_ms = self.now_ms();
        if now_ms < until_ms {
            return false;
        }
        // The pause is over: whoever starts the next one is the one who tries.
        self.closed_until_ms
            .compare_exchange(
                until_ms,
                self.pause_end_ms(now_ms),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }

    pub(crate) fn succeeded(&self) {
        // Looked at first: a store per answer would have all cores fight for the line.
        if self.failures_count.load(Ordering::Relaxed) != 0 {
            self.failures_count.store(0, Ordering::Relaxed);
        }
        if self.closed_until_ms.load(Ordering::Relaxed) != CLOSED {
            self.closed_until_ms.store(CLOSED, Ordering::Release);
        }
    }

    /// Counts a failure. Answers what it means.
    pub(crate) fn failed(&self) -> Failed {
        let failures_count = self
            .failures_count
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1);
        if failures_count < self.failures_max {
            return Failed::Counted;
        }
        let end_ms = self.pause_end_ms(self.now_ms());
        if self.closed_until_ms.swap(end_ms, Ordering::AcqRel) == CLOSED {
            Failed::OutageBegins
        } else {
            Failed::OutageGoesOn
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Never the value that means no pause.
    fn pause_end_ms(&self, now_ms: u64) -> u64 {
        let pause_ms = u64::try_from(self.pause.as_millis()).unwrap_or(u64::MAX);
        now_ms.saturating_add(pause_ms).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(500);

    fn tripped() -> Breaker {
        let breaker = Breaker::new(3, PAUSE);
        assert_eq!(breaker.failed(), Failed::Counted);
        assert_eq!(breaker.failed(), Failed::Counted);
        assert!(breaker.lets_through());
        assert_eq!(breaker.failed(), Failed::OutageBegins);
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn after_failures_in_a_row_nobody_asks_until_the_pause_is_over() {
        let breaker = tripped();
        assert!(!breaker.lets_through());
        tokio::time::advance(PAUSE / 2).await;
        assert!(!breaker.lets_through());
        tokio::time::advance(PAUSE / 2).await;
        assert!(breaker.lets_through(), "one tries");
        assert!(!breaker.lets_through(), "the others wait for its answer");
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_lets_everybody_through_again() {
        let breaker = tripped();
        tokio::time::advance(PAUSE).await;
        assert!(breaker.lets_through());
        breaker.succeeded();
        assert!(breaker.lets_through());
        assert_eq!(breaker.failed(), Failed::Counted, "the count starts over");
        assert!(breaker.lets_through());
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_fails_begins_the_next_pause() {
        let breaker = tripped();
        tokio::time::advance(PAUSE).await;
        assert!(breaker.lets_through());
        assert_eq!(breaker.failed(), Failed::OutageGoesOn);
        assert!(!breaker.lets_through());
        tokio::time::advance(PAUSE).await;
        assert!(breaker.lets_through());
    }
}
