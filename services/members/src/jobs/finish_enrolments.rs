//! Finishes enrolments that were stored, and whose caller went away before the ledger knew of them.

use std::time::Duration;

use tokio::time::sleep;

use crate::people::Enrolments;

/// How often: an enrolment that was left half-made has waited for half a minute already.
const INTERVAL: Duration = Duration::from_secs(1);

/// Enrolments of one step: so many calls does the ledger get at once.
const STEP_COUNT: i64 = 20;

/// Finishes again and again; ends only by being dropped. Replicas take different ones.
pub(crate) async fn keep_finishing_enrolments(enrolments: Enrolments) {
    loop {
        match enrolments.finish_leftovers(STEP_COUNT).await {
            Ok((0, _)) => {}
            Ok((taken_count, finished_count)) => {
                tracing::info!(
                    taken_count,
                    finished_count,
                    "finished enrolments that were left half-made"
                );
                if finished_count == taken_count {
                    // There may be more, and the ledger is well.
                    continue;
                }
            }
            Err(error) => tracing::warn!(%error, "half-made enrolments stay until the next round"),
        }
        sleep(INTERVAL).await;
    }
}
