//! What the fences do: tried with the service's own connections.

use fealty_types::ProgramId;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

use crate::error::StorageError;
use crate::sqlstate::Failure;
use crate::transact::{Scope, TransactOptions, in_tx, transact};

/// Tries every table that carries a program with the service's role, and answers what it should not have seen, a
/// sentence each. `stranger` is a program without any rows: to it every table has to look empty, and without a program
/// every table has to refuse. Worth most when the tables hold rows; `jobs` is asked whether they do, and a table
/// without any is answered as untried.
pub async fn leaks(service: &PgPool, jobs: &PgPool, stranger: ProgramId) -> Result<Leaks, StorageError> {
    let mut leaks = Leaks::default();
    for table in tables_with_program(service).await? {
        if !holds_rows(jobs, Scope::Suite, &table).await? {
            leaks.untried.push(table);
            continue;
        }
        if holds_rows(service, Scope::Program(stranger), &table).await? {
            leaks
                .seen
                .push(format!("table {table}: a program without rows sees some"));
        }
        match holds_rows(service, Scope::Suite, &table).await {
            Ok(_) => leaks
                .seen
                .push(format!("table {table}: can be read without a program")),
            // The policy casts a setting that is absent or empty.
            Err(error) if matches!(error.failure(), Failure::DataError | Failure::Other) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(leaks)
}

/// What [`leaks`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leaks {
    /// What the service's role saw and should not have.
    pub seen: Vec<String>,
    /// Tables without rows, about which nothing can be said.
    pub untried: Vec<String>,
}

async fn tables_with_program(pool: &PgPool) -> Result<Vec<String>, StorageError> {
    Ok(sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
         WHERE c.relkind IN ('r', 'p') AND a.attname = 'program' AND NOT a.attisdropped \
         AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) ORDER BY 1",
    )
    .fetch_all(pool)
    .await?)
}

async fn holds_rows(pool: &PgPool, scope: Scope, table: &str) -> Result<bool, StorageError> {
    // The name comes from the catalogue, quoted by regclass.
    let statement = format!("SELECT EXISTS (SELECT FROM {table})");
    transact(pool, "fence_check", scope, TransactOptions::read_only(), |tx| {
        let statement = AssertSqlSafe(statement.clone());
        in_tx(async move { Ok(sqlx::query_scalar(statement).fetch_one(tx).await?) })
    })
    .await
}
