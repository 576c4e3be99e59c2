//! Brings to Redis what it missed.

use std::time::Duration;

use tokio::time::sleep;

use crate::balances::Balances;

/// How often: as long as Redis is left alone after failures, so that it is found soon after it answers again.
const INTERVAL: Duration = Duration::from_millis(500);

/// Repairs again and again; ends only by being dropped.
pub(crate) async fn keep_repairing_cache(balances: Balances) {
    loop {
        if !balances.repair_some().await {
            sleep(INTERVAL).await;
        }
    }
}
