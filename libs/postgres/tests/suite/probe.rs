//! A small service's schema, made after the convention, for all tests here.

use fealty_postgres::testing::TestDatabase;
use fealty_postgres::{
    Scope, ServiceDatabase, StorageError, TransactError, TransactOptions, in_tx, transact,
};
use fealty_types::{Clock, ProgramId, SystemClock};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgPool;
use sqlx::{PgConnection, SqlSafeStr};

const THING: &str = "
CREATE TABLE thing (
    program uuid NOT NULL,
    name text NOT NULL CONSTRAINT thing_name_is_short CHECK (length(name) <= 20),
    count bigint NOT NULL DEFAULT 0,
    CONSTRAINT thing_name PRIMARY KEY (program, name)
);
ALTER TABLE thing ENABLE ROW LEVEL SECURITY;
ALTER TABLE thing FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON thing TO fealty_probe
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON thing TO fealty_probe_owner, fealty_probe_jobs
    USING (true) WITH CHECK (true);
";

const CHANGE: &str = "
CREATE TABLE change (
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    note text NOT NULL
);
CREATE INDEX change_feed ON change (transaction_id, sequence);
";

const REQUEST: &str = "
CREATE TABLE request (
    program uuid NOT NULL,
    request_id uuid NOT NULL,
    method text NOT NULL,
    command_hash bytea NOT NULL CHECK (octet_length(command_hash) = 32),
    resource_id uuid NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (program, request_id)
);
CREATE INDEX request_create_time ON request (create_time);
ALTER TABLE request ENABLE ROW LEVEL SECURITY;
ALTER TABLE request FORCE ROW LEVEL SECURITY;
CREATE POLICY by_program ON request TO fealty_probe
    USING (program = (SELECT current_setting('app.program')::uuid))
    WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
CREATE POLICY across_programs ON request TO fealty_probe_owner, fealty_probe_jobs
    USING (true) WITH CHECK (true);
";

pub fn migration(version: i64, sql: &'static str) -> Migration {
    Migration::new(
        version,
        "step".into(),
        MigrationType::Simple,
        sql.into_sql_str(),
        false,
    )
}

pub fn migrator() -> Migrator {
    Migrator::with_migrations(vec![
        migration(1, THING),
        migration(2, CHANGE),
        migration(3, REQUEST),
    ])
}

pub fn service() -> ServiceDatabase {
    ServiceDatabase::new("probe")
}

pub async fn admin_url() -> &'static str {
    fealty_testing::servers().await.postgres_admin_url()
}

pub async fn database() -> TestDatabase {
    TestDatabase::create(admin_url().await, &service(), &migrator())
        .await
        .expect("a database for the test")
}

pub fn program() -> ProgramId {
    ProgramId::generate_at(SystemClock.now())
}

/// An error with a refusal in it, as the rooms of services have.
#[derive(Debug, thiserror::Error)]
pub enum ThingError {
    #[error("taken: {0}")]
    Taken(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl TransactError for ThingError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Taken(_) => None,
            Self::Storage(error) => Some(error),
        }
    }
}

pub async fn insert_in_tx(tx: &mut PgConnection, program: ProgramId, name: &str) -> Result<(), StorageError> {
    sqlx::query("INSERT INTO thing (program, name) VALUES ($1, $2)")
        .bind(program)
        .bind(name)
        .execute(tx)
        .await?;
    Ok(())
}

pub async fn insert(pool: &PgPool, program: ProgramId, name: &str) -> Result<(), StorageError> {
    transact(
        pool,
        "insert",
        Scope::Program(program),
        TransactOptions::default(),
        |tx| in_tx(insert_in_tx(tx, program, name)),
    )
    .await
}

pub async fn names(pool: &PgPool, scope: Scope) -> Result<Vec<String>, StorageError> {
    transact(pool, "names", scope, TransactOptions::read_only(), |tx| {
        in_tx(async move {
            Ok(sqlx::query_scalar("SELECT name FROM thing ORDER BY name")
                .fetch_all(tx)
                .await?)
        })
    })
    .await
}
