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

/// Changes before which it is not worth while.
const CHANGES_MIN: i64 = 50;

/// Looks again and again; ends only by being dropped.
pub(crate) async fn keep_statistics(jobs_pool: PgPool) {
    loop {
        if let Err(error) = analyze_growing(&jobs_pool).await {
            tracing::debug!(%error, "small tables are not analysed");
        }
        sleep(INTERVAL).await;
    }
}

/// One transaction per table, with no more time than any other: readers of the event feed wait for the oldest.
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
        r#"SELECT relname::text AS "relname!" FROM pg_stat_user_tables
           WHERE relname::text = ANY(ARRAY['owner', 'account', 'lot', 'hold', 'transaction', 'purchase', 'refund'])
                 AND schemaname = 'public' AND n_live_tup < $1 AND n_mod_since_analyze >= greatest($2, n_live_tup / 2)"#,
        ROWS_MAX,
        CHANGES_MIN,
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
