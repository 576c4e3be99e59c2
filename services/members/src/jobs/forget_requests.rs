//! Forgets request ids that nobody will send again.

use std::time::Duration;

use fealty_postgres::requests;
use fealty_types::SharedClock;
use sqlx::postgres::PgPool;
use tokio::time::sleep;

/// How often: what is 30 days old may well become 30 days and an hour.
const INTERVAL: Duration = Duration::from_hours(1);

/// Purges again and again; ends only by being dropped. Replicas that purge at once do no harm.
pub(crate) async fn keep_forgetting_requests(jobs: PgPool, clock: SharedClock) {
    loop {
        match requests::purge(&jobs, clock.now()).await {
            Ok(0) => {}
            Ok(forgotten_count) => tracing::info!(forgotten_count, "forgot old request ids"),
            Err(error) => tracing::warn!(%error, "old request ids stay until the next round"),
        }
        sleep(INTERVAL).await;
    }
}
