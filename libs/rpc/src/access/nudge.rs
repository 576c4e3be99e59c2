//! Asks the service's feed for a fresh round, so that a key or a program made a moment ago is known at once.
//!
//! Anybody can make up keys with a right checksum, so what an unknown key may cost is bounded: rounds have a shortest
//! interval, callers who wait share them, few may wait at a time, and nobody waits long.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

/// Longest wait for a round: well under the shortest usual deadline, and several times a feed's round trip.
const WAIT_MAX: Duration = Duration::from_millis(1_500);
/// Shortest time between the beginnings of two rounds: at most four extra rounds a second for the whole process.
const INTERVAL_MIN: Duration = Duration::from_millis(250);
/// Most callers who wait at a time: made-up keys must not fill the server's calls in flight.
const WAITERS_MAX: usize = 64;

/// Fetches what is new in the access feed; done when it has been applied.
pub type FeedRound = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Shares rounds among those who wait for one.
pub struct Nudge {
    round: Option<Box<FeedRound>>,
    waiters: Semaphore,
    last: Mutex<LastRound>,
}

#[derive(Default)]
struct LastRound {
    begun: Option<Instant>,
    /// When the last round that came to its end had begun.
    ended_round_begun: Option<Instant>,
}

impl Nudge {
    /// For a service whose copy of the records is the original: there is nothing fresher to ask for.
    #[must_use]
    pub fn none() -> Self {
        Self::from_option(None)
    }

    /// For a service with a feed. `round` should end when everything that was true when it began has been applied.
    #[must_use]
    pub fn new<F, R>(round: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::from_option(Some(Box::new(move || Box::pin(round()))))
    }

    fn from_option(round: Option<Box<FeedRound>>) -> Self {
        Self {
            round,
            waiters: Semaphore::new(WAITERS_MAX),
            last: Mutex::default(),
        }
    }

    /// Waits until a round that began after this call has ended. False when there was none, or not in time.
    pub(crate) async fn wait(&self) -> bool {
        let (Some(round), Ok(_waiter)) = (&self.round, self.waiters.try_acquire()) else {
            return false;
        };
        timeout(WAIT_MAX, self.wait_for(round.as_ref())).await.is_ok()
    }

    async fn wait_for(&self, round: &FeedRound) {
        let arrived = Instant::now();
        // Whoever holds the lock runs the round; the others find it done when they get the lock.
        let mut last = self.last.lock().await;
        if last.ended_round_begun.is_some_and(|begun| begun >= arrived) {
            return;
        }
        if let Some(begun) = last.begun {
            sleep_until(begun + INTERVAL_MIN).await;
        }
        let begun = Instant::now();
        last.begun = Some(begun);
        round().await;
        last.ended_round_begun = Some(begun);
    }
}

impl fmt::Debug for Nudge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nudge")
            .field("has_round", &self.round.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn callers_who_wait_share_a_round() {
        let rounds = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&rounds);
        let nudge = Nudge::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20))
        });
        let waited = futures::future::join_all((0..WAITERS_MAX).map(|_| nudge.wait())).await;
        assert!(waited.iter().all(|heard| *heard));
        assert_eq!(rounds.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_that_hangs_holds_nobody_for_long() {
        let nudge = Nudge::new(std::future::pending::<()>);
        let begun = Instant::now();
        assert!(!nudge.wait().await);
        assert_eq!(begun.elapsed(), WAIT_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn rounds_keep_their_distance() {
        let nudge = Nudge::new(|| std::future::ready(()));
        let begun = Instant::now();
        for _ in 0..3 {
            assert!(nudge.wait().await);
            // A caller who comes later needs a later round.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(begun.elapsed() >= INTERVAL_MIN * 2);
    }
}
