//! A database per test: cloned from a template that is migrated once, dropped at the end.

mod sweep;

use std::fmt::Write;

use sha2::{Digest, Sha256};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use crate::error::StorageError;
use crate::migrate::{SchemaError, forward, migrate};
use crate::pool::{PoolConfig, connect};
use crate::provision::{
    RolePasswords, ServiceDatabase, ServiceUrls, connect_admin, grant_database, literal, provision, quoted,
};

/// Connections of one pool of a test: enough for a test of concurrency, few enough that many tests share a cluster.
const TEST_POOL_SIZE: u32 = 8;

/// The roles of test databases have this password, on a server that is there for tests.
const TEST_PASSWORD: &str = "only-for-tests";

/// Digits of the checksum in a template's name: names of databases have 63 bytes.
const CHECKSUM_DIGITS: usize = 16;

/// The passwords that the roles of test databases have. Roles belong to the whole server, so all tests on it use these.
#[must_use]
pub fn test_passwords() -> RolePasswords {
    let password = || Some(TEST_PASSWORD.to_owned());
    RolePasswords {
        owner: password(),
        service: password(),
        jobs: password(),
    }
}

/// A migrated database that belongs to one test, with a pool per role. Dropping it drops the database.
#[derive(Debug)]
pub struct TestDatabase {
    /// The database and its roles.
    pub service_database: ServiceDatabase,
    /// Where to connect.
    pub urls: ServiceUrls,
    /// As the service: sees one program at a time.
    pub service: PgPool,
    /// As the jobs: sees all programs.
    pub jobs: PgPool,
    /// As the owner: for what a test plants.
    pub owner: PgPool,
    admin_url: String,
}

impl TestDatabase {
    /// Clones a database from the template of these migrations, with [`test_passwords`]. The first caller on a server
    /// makes the template; others who ask meanwhile, also from other processes, wait for it.
    pub async fn create(
        admin_url: &str,
        service: &ServiceDatabase,
        migrator: &Migrator,
    ) -> Result<Self, SchemaError> {
        let service = &service.clone().with_passwords(test_passwords());
        let mut admin = connect_admin(admin_url).await?;
        let template = template_name(service, migrator);
        ensure_template(&mut admin, admin_url, &service.in_database(&template), migrator).await?;
        let clone = service.in_database(&format!(
            "{}{}",
            sweep::prefix(&service.name),
            Uuid::now_v7().simple()
        ));
        clone_template(&mut admin, &template, &clone).await?;
        admin.close().await.map_err(StorageError::from)?;

        let urls = clone.urls(admin_url)?;
        let config = PoolConfig {
            size: TEST_POOL_SIZE,
            // A machine that runs all tests at once is slow.
            acquire_timeout_ms: 20_000,
            ..PoolConfig::default()
        };
        Ok(Self {
            service: connect(&urls.service, "test-service", &config).await?,
            jobs: connect(&urls.jobs, "test-jobs", &config).await?,
            owner: connect(&urls.owner, "test-owner", &config).await?,
            service_database: clone,
            urls,
            admin_url: admin_url.to_owned(),
        })
    }

    /// The database's name.
    #[must_use]
    pub fn database_name(&self) -> &str {
        &self.service_database.database
    }
}

impl Drop for TestDatabase {
    /// Waits until the database is gone, so that a test which ends the process leaves nothing. What a killed test leaves
    /// is swept by a later one.
    fn drop(&mut self) {
        let (admin_url, database) = (self.admin_url.clone(), self.database_name().to_owned());
        // A thread of its own: a runtime that is being dropped, or that has one thread, cannot be waited on from here.
        let dropper = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map(|runtime| runtime.block_on(sweep::drop_database(&admin_url, &database)))
        });
        // A test that fails is to show its own failure, not this one.
        let _ = dropper.join();
    }
}

/// One template per service and wording of its migrations.
fn template_name(service: &ServiceDatabase, migrator: &Migrator) -> String {
    let mut hash = Sha256::new();
    for migration in forward(migrator) {
        hash.update(migration.version.to_be_bytes());
        hash.update(&migration.checksum);
    }
    let mut digits = String::new();
    for byte in hash.finalize() {
        let _ = write!(digits, "{byte:02x}");
    }
    digits.truncate(CHECKSUM_DIGITS);
    format!("fealty_template_{}_{digits}", service.name)
}

/// Makes the template unless it is there. It counts as finished once nobody may connect to it, which also lets any
/// number of clones be made at once.
async fn ensure_template(
    admin: &mut PgConnection,
    admin_url: &str,
    template: &ServiceDatabase,
    migrator: &Migrator,
) -> Result<(), SchemaError> {
    if is_finished(admin, &template.database).await? {
        return Ok(());
    }
    sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))")
        .bind(&template.database)
        .execute(&mut *admin)
        .await
        .map_err(StorageError::from)?;
    if !is_finished(admin, &template.database).await? {
        // A process that was killed half-way leaves a template that cannot be told from a whole one.
        let start_over = format!(
            "DROP DATABASE IF EXISTS {} WITH (FORCE)",
            quoted(&template.database)
        );
        execute(admin, start_over).await?;
        sweep::drop_leftovers(admin, &template.name).await?;
        let urls = provision(admin_url, template).await?;
        migrate(&urls.owner, migrator).await?;
        let finish = format!(
            "ALTER DATABASE {} ALLOW_CONNECTIONS false",
            quoted(&template.database)
        );
        execute(admin, finish).await?;
    }
    sqlx::query("SELECT pg_advisory_unlock(hashtextextended($1, 0))")
        .bind(&template.database)
        .execute(&mut *admin)
        .await
        .map_err(StorageError::from)?;
    Ok(())
}

async fn is_finished(admin: &mut PgConnection, template: &str) -> Result<bool, StorageError> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND NOT datallowconn)")
            .bind(template)
            .fetch_one(admin)
            .await?,
    )
}

async fn clone_template(
    admin: &mut PgConnection,
    template: &str,
    clone: &ServiceDatabase,
) -> Result<(), StorageError> {
    let create = format!(
        "CREATE DATABASE {} OWNER {} TEMPLATE {}",
        quoted(&clone.database),
        quoted(&clone.owner_role()),
        quoted(template)
    );
    execute(admin, create).await?;
    let describe = format!(
        "COMMENT ON DATABASE {} IS {}",
        quoted(&clone.database),
        literal("of a test")
    );
    execute(admin, describe).await?;
    grant_database(admin, clone).await
}

async fn execute(admin: &mut PgConnection, statement: String) -> Result<(), StorageError> {
    // Made of names that are quoted.
    admin.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}
