//! Credits what both sides of a referral get, and tries again what the ledger did not answer.

use std::time::Duration;

use tokio::time::sleep;

use crate::referrals::Rewarding;

/// How often: whoever has brought somebody sees it soon.
const INTERVAL: Duration = Duration::from_secs(1);

/// Rewards of one step: so many calls does the ledger get at once.
const STEP_COUNT: i64 = 20;

/// Credits again and again; ends only by being dropped. Replicas take different ones.
pub(crate) async fn keep_crediting_referrals(rewarding: Rewarding) {
    loop {
        match rewarding.credit_due(STEP_COUNT).await {
            // There may be more, and the ledger is well.
            Ok((taken_count, ended_count)) if taken_count > 0 && taken_count == ended_count => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "rewards of referrals stay until the next round"),
        }
        sleep(INTERVAL).await;
    }
}
