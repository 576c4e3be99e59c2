//! Migrations are applied once, and a service starts on its own schema only.

use fealty_postgres::{PoolConfig, SchemaError, ServiceDatabase, check_schema, connect, migrate, provision};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use crate::probe::{admin_url, migration, migrator, service};

/// A provisioned database without tables, dropped by hand at the end.
async fn empty_database() -> ServiceDatabase {
    let name = format!("fealty_test_probe_empty_{}", Uuid::new_v4().simple());
    let passwords = fealty_postgres::testing::test_passwords();
    let service = service().in_database(&name).with_passwords(passwords);
    provision(admin_url().await, &service).await.unwrap();
    service
}

async fn drop_database(service: &ServiceDatabase) {
    let mut admin = sqlx::PgConnection::connect(admin_url().await).await.unwrap();
    let statement = format!("DROP DATABASE {} WITH (FORCE)", service.database);
    admin.execute(AssertSqlSafe(statement)).await.unwrap();
}

#[tokio::test]
async fn what_is_applied_is_told_once_also_by_several_at_once() {
    let service = empty_database().await;
    let urls = service.urls(admin_url().await).unwrap();
    let migrator = migrator();
    let (one, other, third) = tokio::join!(
        migrate(&urls.owner, &migrator),
        migrate(&urls.owner, &migrator),
        migrate(&urls.owner, &migrator),
    );
    let mut told: Vec<i64> = [one, other, third]
        .into_iter()
        .flat_map(Result::unwrap)
        .map(|applied| applied.version)
        .collect();
    told.sort_unstable();
    assert_eq!(told, [1, 2, 3]);
    drop_database(&service).await;
}

#[tokio::test]
async fn a_service_refuses_a_schema_that_is_older_or_newer() {
    let service = empty_database().await;
    let urls = service.urls(admin_url().await).unwrap();
    let pool = connect(&urls.service, "check", &PoolConfig::default())
        .await
        .unwrap();
    let one = Migrator::with_migrations(vec![migration(1, "CREATE TABLE a ()")]);
    let two = Migrator::with_migrations(vec![
        migration(1, "CREATE TABLE a ()"),
        migration(2, "CREATE TABLE b ()"),
    ]);

    let empty = check_schema(&pool, &one).await.unwrap_err();
    assert!(
        matches!(empty, SchemaError::Behind(ref versions) if versions.0 == [1]),
        "{empty}"
    );
    migrate(&urls.owner, &one).await.unwrap();
    check_schema(&pool, &one).await.unwrap();
    let behind = check_schema(&pool, &two).await.unwrap_err();
    assert!(
        matches!(behind, SchemaError::Behind(ref versions) if versions.0 == [2]),
        "{behind}"
    );
    migrate(&urls.owner, &two).await.unwrap();
    let ahead = check_schema(&pool, &one).await.unwrap_err();
    assert!(
        matches!(ahead, SchemaError::Ahead(ref versions) if versions.0 == [2]),
        "{ahead}"
    );

    let forged = pool.execute("DELETE FROM _sqlx_migrations").await;
    assert!(forged.is_err(), "the record of migrations is the owner's");
    drop(pool);
    drop_database(&service).await;
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_and_lets_the_next_run_go_on() {
    let service = empty_database().await;
    let urls = service.urls(admin_url().await).unwrap();
    let broken = Migrator::with_migrations(vec![migration(1, "CREATE TABLE a (); SELECT 1 / 0")]);
    let mended = Migrator::with_migrations(vec![migration(1, "CREATE TABLE a ()")]);
    assert!(matches!(
        migrate(&urls.owner, &broken).await,
        Err(SchemaError::Migrate(_))
    ));
    assert_eq!(migrate(&urls.owner, &mended).await.unwrap().len(), 1);
    drop_database(&service).await;
}
