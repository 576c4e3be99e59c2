//! Roles and databases come about once, however many processes make them, and are as narrow as they are meant to be.

use fealty_postgres::testing::{TestDatabase, test_passwords};
use fealty_postgres::{ServiceDatabase, migrate, provision};
use futures::future::join_all;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::probe::{admin_url, database, migration};

fn narrow_service() -> ServiceDatabase {
    ServiceDatabase::new("narrow").with_passwords(test_passwords())
}

#[tokio::test]
async fn provisioning_at_once_and_again_changes_nothing_more() {
    let admin_url = admin_url().await;
    let databases: Vec<String> = (0..3)
        .map(|_| format!("fealty_test_narrow_{}", Uuid::now_v7().simple()))
        .collect();
    // Each of three databases twice, all at the same time, with the same roles.
    let services: Vec<ServiceDatabase> = databases
        .iter()
        .chain(&databases)
        .map(|database| narrow_service().in_database(database))
        .collect();
    for result in join_all(services.iter().map(|service| provision(admin_url, service))).await {
        let urls = result.unwrap();
        PgConnection::connect(&urls.service)
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
    }
    let mut admin = PgConnection::connect(admin_url).await.unwrap();
    for database in &databases {
        let statement = format!("DROP DATABASE {database} WITH (FORCE)");
        admin.execute(AssertSqlSafe(statement)).await.unwrap();
    }
}

#[tokio::test]
async fn a_role_that_was_given_too_much_is_narrowed() {
    let admin_url = admin_url().await;
    let service = ServiceDatabase::new("widened")
        .in_database(&format!("fealty_test_widened_{}", Uuid::now_v7().simple()))
        .with_passwords(test_passwords());
    provision(admin_url, &service).await.unwrap();
    let mut admin = PgConnection::connect(admin_url).await.unwrap();
    admin
        .execute("ALTER ROLE fealty_widened SUPERUSER BYPASSRLS")
        .await
        .unwrap();
    provision(admin_url, &service).await.unwrap();
    let is_wide: bool =
        sqlx::query_scalar("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = 'fealty_widened'")
            .fetch_one(&mut admin)
            .await
            .unwrap();
    assert!(!is_wide);
    let statement = format!("DROP DATABASE {} WITH (FORCE)", service.database);
    admin.execute(AssertSqlSafe(statement)).await.unwrap();
}

#[tokio::test]
async fn a_service_cannot_change_the_schema_nor_empty_a_table_nor_take_another_role() {
    let database = database().await;
    for statement in [
        "CREATE TABLE mine ()",
        "DROP TABLE thing",
        "TRUNCATE thing",
        "ALTER TABLE thing DISABLE ROW LEVEL SECURITY",
        "SET ROLE fealty_probe_jobs",
        "SET ROLE fealty_probe_owner",
        "CREATE ROLE more",
    ] {
        assert!(database.service.execute(statement).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn a_service_of_another_name_does_not_get_in() {
    let database = database().await;
    let other = narrow_service().in_database(&format!("fealty_test_narrow_{}", Uuid::now_v7().simple()));
    provision(admin_url().await, &other).await.unwrap();
    let trespasser = narrow_service().in_database(database.database_name());
    let urls = trespasser.urls(admin_url().await).unwrap();
    let refused = PgConnection::connect(&urls.service).await;
    assert!(refused.is_err());
    let mut admin = PgConnection::connect(admin_url().await).await.unwrap();
    let statement = format!("DROP DATABASE {} WITH (FORCE)", other.database);
    admin.execute(AssertSqlSafe(statement)).await.unwrap();
}

#[tokio::test]
async fn databases_of_tests_are_made_at_once_and_are_gone_afterwards() {
    let service = ServiceDatabase::new("cloned");
    let migrator = Migrator::with_migrations(vec![migration(1, "CREATE TABLE a ()")]);
    let admin_url = admin_url().await;
    let made = join_all((0..4).map(|_| TestDatabase::create(admin_url, &service, &migrator))).await;
    let made: Vec<TestDatabase> = made.into_iter().map(Result::unwrap).collect();
    let names: Vec<String> = made
        .iter()
        .map(|database| database.database_name().to_owned())
        .collect();
    for database in &made {
        sqlx::query("SELECT FROM a")
            .execute(&database.service)
            .await
            .unwrap();
    }
    drop(made);
    let mut admin = PgConnection::connect(admin_url).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = ANY($1)")
        .bind(&names)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

/// As managed Postgres gives one: may make roles and databases, and is no superuser.
async fn modest_admin_url() -> String {
    let mut admin = PgConnection::connect(admin_url().await).await.unwrap();
    admin
        .execute("CREATE ROLE fealty_test_modest LOGIN CREATEROLE CREATEDB PASSWORD 'only-for-tests'")
        .await
        .unwrap();
    let options: PgConnectOptions = admin_url().await.parse().unwrap();
    format!(
        "postgres://fealty_test_modest:only-for-tests@{}:{}/postgres",
        options.get_host(),
        options.get_port()
    )
}

#[tokio::test]
async fn an_administrator_need_not_be_a_superuser() {
    let modest_url = modest_admin_url().await;
    let service = ServiceDatabase::new("modest")
        .in_database(&format!("fealty_test_modest_{}", Uuid::now_v7().simple()))
        .with_passwords(test_passwords());
    for _ in 0..2 {
        provision(&modest_url, &service).await.unwrap();
    }
    let urls = service.urls(&modest_url).unwrap();
    let migrator = Migrator::with_migrations(vec![migration(1, "CREATE TABLE a (n bigint)")]);
    migrate(&urls.owner, &migrator).await.unwrap();
    let mut connection = PgConnection::connect(&urls.service).await.unwrap();
    connection.execute("INSERT INTO a VALUES (1)").await.unwrap();

    let mut admin = PgConnection::connect(admin_url().await).await.unwrap();
    let statement = format!("DROP DATABASE {} WITH (FORCE)", service.database);
    admin.execute(AssertSqlSafe(statement)).await.unwrap();
    let roles = "DROP ROLE fealty_modest, fealty_modest_jobs, fealty_modest_owner, fealty_test_modest";
    admin.execute(roles).await.unwrap();
}
