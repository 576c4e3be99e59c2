//! Tells the tailer that something was committed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Wakes the feed's tailer after a commit that appended events. Clones wake the same one.
///
/// In memory, because Postgres's own NOTIFY takes a lock over the whole database at each commit.
#[derive(Debug, Clone, Default)]
pub struct FeedWaker(Arc<Notify>);

impl FeedWaker {
    /// There is something to read. Never waits; wakes that come while the tailer reads are one.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for that, at most so long.
    pub(super) async fn wait(&self, longest: Duration) {
        // Whether it was woken or has waited long enough: it looks either way.
        let _ = timeout(longest, self.0.notified()).await;
    }
}
