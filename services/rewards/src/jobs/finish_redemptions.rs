//! Brings redemptions to their end that somebody began and left: their replica crashed, or their caller went away.

use std::time::Duration;

use tokio::time::sleep;

use crate::redemptions::Redemptions;

/// How often: a redemption that was left has waited for half a minute already.
const INTERVAL: Duration = Duration::from_secs(1);

/// Redemptions of one round: so many calls does the ledger get at once.
const ROUND_COUNT: i64 = 20;

/// Finishes again and again; ends only by being dropped. Replicas take different ones.
pub(crate) async fn keep_finishing_redemptions(redemptions: Redemptions) {
    loop {
        match redemptions.finish_leftovers(ROUND_COUNT).await {
            Ok((0, _)) => {}
            Ok((taken_count, finished_count)) => {
                tracing::info!(
                    taken_count,
                    finished_count,
                    "took over redemptions that were left"
                );
                if finished_count == taken_count {
                    // There may be more, and the ledger is well.
                    continue;
                }
            }
            Err(error) => tracing::warn!(%error, "redemptions that were left stay until the next round"),
        }
        sleep(INTERVAL).await;
    }
}
