//! A service that follows the access feed and does nothing else.

use std::time::Duration;

use fealty_postgres::testing::TestDatabase;
use fealty_postgres::{PoolConfig, ServiceDatabase};
use fealty_runtime::config::Secret;
use fealty_service::config::DatabaseConfig;
use fealty_service::ground::Ground;
use fealty_types::SystemClock;
use sqlx::migrate::Migrator;
use tokio::time::{Instant, sleep};

/// The service's name.
pub const NAME: &str = "follower";

/// Its tables.
pub static MIGRATOR: Migrator = sqlx::migrate!("tests/migrations");

/// Longest wait for what comes by itself: a machine that runs all tests at once is slow.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A database for it.
pub async fn database() -> TestDatabase {
    let servers = fealty_testing::servers().await;
    TestDatabase::create(
        servers.postgres_admin_url(),
        &ServiceDatabase::new(NAME),
        &MIGRATOR,
    )
    .await
    .expect("a database")
}

/// What its rooms would be built on, with the gate closed.
pub fn ground(database: &TestDatabase) -> Ground {
    let pool = PoolConfig::default();
    let config = DatabaseConfig {
        url: &Secret::new(database.urls.service.clone()),
        pool: &pool,
        jobs_url: &Secret::new(database.urls.jobs.clone()),
        jobs_pool: &pool,
    };
    Ground::try_new(NAME, config, SystemClock::shared()).expect("URLs")
}

/// Waits until it is so.
pub async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let end = Instant::now() + WAIT_MAX;
    while !holds().await {
        assert!(Instant::now() < end, "not in time: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
