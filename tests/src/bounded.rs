//! Every wait of a test has an end.

use std::time::{Duration, Instant};

/// How often a waiting test looks again.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Runs a test within a bound.
///
/// # Panics
/// When it takes longer.
pub fn within<T>(bound: Duration, test: impl Future<Output = T>) -> impl Future<Output = T> {
    // A test is a large future, and tests have small stacks.
    let test = Box::pin(test);
    async move {
        let done = tokio::time::timeout(bound, test).await;
        done.unwrap_or_else(|elapsed| panic!("not done within {} s: {elapsed}", bound.as_secs()))
    }
}

/// Looks until there is something to see.
///
/// # Panics
/// When there is nothing within the bound.
pub async fn eventually<T>(what: &str, bound: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(
            begun.elapsed() < bound,
            "{what}: not within {} s",
            bound.as_secs()
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
