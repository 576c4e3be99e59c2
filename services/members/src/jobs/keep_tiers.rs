//! Tells tiers that time alone has changed, and those that a changed ladder gives. Whoever asks is told right without it:
//! it is for the history and for those who follow events.

use std::time::Duration;

use tokio::time::sleep;

use crate::ladders::Keeping;

/// How often: how late events of time are at the most.
const INTERVAL: Duration = Duration::from_secs(1);

/// Members of one step: some tens of milliseconds, in which their purchases wait.
const STEP_COUNT: i64 = 50;

/// Rounds between two looks for what can be forgotten: ten minutes.
const FORGET_ROUNDS: u32 = 600;

/// Keeps tiers again and again; ends only by being dropped. Replicas take different members.
pub(crate) async fn keep_tiers(keeping: Keeping) {
    let mut round: u32 = 0;
    loop {
        if round.is_multiple_of(FORGET_ROUNDS)
            && let Err(error) = keeping.forget().await
        {
            tracing::warn!(%error, "old transactions are forgotten later");
        }
        round = round.wrapping_add(1);
        match keeping.step(STEP_COUNT).await {
            // There may be more.
            Ok(true) => {}
            Ok(false) => sleep(INTERVAL).await,
            Err(error) => {
                tracing::warn!(%error, "tiers that time has changed stay until the next round");
                sleep(INTERVAL).await;
            }
        }
    }
}
