//! Finishes changes of members that were begun, and whose caller went away before the ledger had done its part.

use std::time::Duration;

use tokio::time::sleep;

use crate::changes::Changes;

/// How often: a change that was left half-made has waited for half a minute already.
const INTERVAL: Duration = Duration::from_secs(1);

/// Changes of one step: so many calls does the ledger get at once.
const STEP_COUNT: i64 = 20;

/// Finishes again and again; ends only by being dropped. Replicas take different ones.
pub(crate) async fn keep_finishing_changes(changes: Changes) {
    loop {
        match changes.finish_leftovers(STEP_COUNT).await {
            Ok((0, _)) => {}
            Ok((taken_count, ended_count)) => {
                tracing::info!(
                    taken_count,
                    ended_count,
                    "finished changes that were left half-made"
                );
                if ended_count == taken_count {
                    // There may be more, and the ledger is well.
                    continue;
                }
            }
            Err(error) => tracing::warn!(%error, "half-made changes stay until the next round"),
        }
        sleep(INTERVAL).await;
    }
}
