//! Decides about invitations whose time has come.

use std::time::Duration;

use tokio::time::sleep;

use crate::invitations::Invitations;

/// How often: an invitation right after payment is on its way before the customer has left the shop.
const INTERVAL: Duration = Duration::from_millis(500);

/// Invitations of one step: so many calls do members get at once.
const STEP_COUNT: i64 = 20;

/// Decides again and again; ends only by being dropped. Replicas take different ones.
pub(crate) async fn keep_deciding_invitations(invitations: Invitations) {
    loop {
        match invitations.decide_some(STEP_COUNT).await {
            Ok((0, _)) => {}
            Ok((taken_count, decided_count)) => {
                tracing::debug!(taken_count, decided_count, "decided about invitations");
                if decided_count == taken_count {
                    // There may be more, and members is well.
                    continue;
                }
            }
            Err(error) => tracing::warn!(%error, "invitations stay undecided until the next round"),
        }
        sleep(INTERVAL).await;
    }
}
