//! Keeps Postgres's picture of small tables true while they grow, so that a fresh ledger is as fast as a full one.

use std::time::Duration;

use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use tokio::time::sleep;

/// How often it looks: a fresh ledger is planned for by guesses for so long.
const INTERVAL: Duration = Duration::from_secs(1);

/// Rows from which on a table is left to Postgres's own autovacuum: what is planned for so many holds for any number.
const ROWS_MAX: i64 = 200_000;

/// Rows before which it is not worth while.
const ROWS_MIN: i64 = 50;

/// Looks again and again; ends only by being dropped.
pub(crate) async fn keep_statistics(jobs_pool: PgPool) {
    loop {
        if let Err(error) = analyze_growing(&jobs_pool).await {
            tracing::debug!(%error, "small tables are not analysed");
        }
        sleep(INTERVAL).await;
    }
}

/// Those that have twice the rows that Postgres knows of. What is changed does not count: an owner's points say nothing of
/// how many owners there are. One transaction per table, with no more time than any other: readers of the event feed wait
/// for the oldest.
async fn analyze_growing(jobs_pool: &PgPool) -> Result<(), StorageError> {
    let options = TransactOptions::read_only();
    let growing = transact(jobs_pool, "list_growing", Scope::Suite, options, |tx| {
        in_tx(list_growing_in_tx(tx))
    });
    let growing: Vec<String> = growing.await?;
    for relation in &growing {
        let options = TransactOptions::default();
        transact(jobs_pool, "analyze", Scope::Suite, options, |tx| {
            in_tx(analyze_in_tx(tx, relation))
        })
        .await?;
    }
    Ok(())
}

async fn list_growing_in_tx(tx: &mut PgConnection) -> Result<Vec<String>, StorageError> {
    let growing = sqlx::query_scalar!(
        r#"SELECT s.relname::text AS "relname!" FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
           WHERE s.relname::text = ANY(ARRAY['owner', 'account', 'lot', 'hold', 'transaction', 'purchase', 'refund'])
                 AND s.schemaname = 'public' AND s.n_live_tup BETWEEN $2 AND $1
                 AND s.n_live_tup >= 2 * greatest(c.reltuples, 0)::bigint"#,
        ROWS_MAX,
        ROWS_MIN,
    )
    .fetch_all(tx)
    .await?;
    Ok(growing)
}

async fn analyze_in_tx(tx: &mut PgConnection, relation: &str) -> Result<(), StorageError> {
    sqlx::query!("SELECT analyze_growing($1)", relation)
        .fetch_one(tx)
        .await?;
    Ok(())
}
