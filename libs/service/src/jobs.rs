//! What runs by itself in every service, with the jobs' role: it crosses programs.

use std::time::Duration;

use fealty_postgres::requests;
use tokio::time::sleep;

use crate::ground::Ground;

/// How often old request ids are forgotten: what is 30 days old may well become 30 days and an hour.
const FORGET_REQUESTS_INTERVAL: Duration = Duration::from_hours(1);

/// Forgets request ids that nobody will send again, over and over; ends only by being dropped. Replicas that purge at
/// once do no harm. The service has the table of [`fealty_postgres::requests`].
pub async fn keep_forgetting_requests(ground: Ground) {
    loop {
        match requests::purge(&ground.jobs, ground.clock.now()).await {
            Ok(0) => {}
            Ok(forgotten_count) => {
                tracing::info!(service = ground.name, forgotten_count, "forgot old request ids");
            }
            Err(error) => {
                tracing::warn!(service = ground.name, %error, "old request ids stay until the next round");
            }
        }
        sleep(FORGET_REQUESTS_INTERVAL).await;
    }
}
