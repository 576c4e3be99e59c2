//! Goes on with erasures that were stored, and whose caller went away before this service had done its part.

use std::time::Duration;

use tokio::time::sleep;

use crate::erasures::Erasures;

/// How often: an erasure that was left half-made has waited for half a minute already.
const INTERVAL: Duration = Duration::from_secs(1);

/// Erasures of one step: so many calls does the ledger get at once.
const STEP_COUNT: i64 = 20;

/// Finishes again and again; ends only by being dropped. Replicas take different ones.
pub(crate) async fn keep_finishing_erasures(erasures: Erasures) {
    loop {
        match erasures.finish_leftovers(STEP_COUNT).await {
            Ok((0, _)) => {}
            Ok((taken_count, finished_count)) => {
                tracing::info!(taken_count, finished_count, "went on with erasures");
            }
            Err(error) => tracing::warn!(%error, "erasures stay until the next round"),
        }
        sleep(INTERVAL).await;
    }
}
