//! What runs again, and what does not.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fealty_postgres::testing::TestDatabase;
use fealty_postgres::transact::Isolation;
use fealty_postgres::{
    Failure, Fault, PoolConfig, Scope, StorageError, TransactOptions, connect, in_tx, transact,
};
use fealty_testing::Proxy;
use fealty_types::ProgramId;
use futures::future::join_all;
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::Barrier;

use crate::probe::{admin_url, database, insert, names, program};

/// Reads, then writes what it read plus one: two at once lose a count unless they are kept apart.
async fn count_up_in_tx(tx: &mut PgConnection, name: &str) -> Result<(), StorageError> {
    let count: i64 = sqlx::query_scalar("SELECT count FROM thing WHERE name = $1")
        .bind(name)
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query("UPDATE thing SET count = $2 WHERE name = $1")
        .bind(name)
        .bind(count + 1)
        .execute(tx)
        .await?;
    Ok(())
}

async fn count_of(pool: &PgPool, name: &str) -> i64 {
    sqlx::query_scalar("SELECT count FROM thing WHERE name = $1")
        .bind(name)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn serialisation_failures_run_again_until_every_count_is_in() {
    const WRITERS_COUNT: i64 = 8;
    let database = database().await;
    let program = program();
    insert(&database.service, program, "hot").await.unwrap();
    let options = TransactOptions::default()
        .isolation(Isolation::RepeatableRead)
        .attempts_max(100);
    let writers = (0..WRITERS_COUNT).map(|_| {
        transact(
            &database.service,
            "count_up",
            Scope::Program(program),
            options,
            |tx| in_tx(count_up_in_tx(tx, "hot")),
        )
    });
    for result in join_all(writers).await {
        result.unwrap_or_else(|error: StorageError| panic!("{error}"));
    }
    assert_eq!(count_of(&database.owner, "hot").await, WRITERS_COUNT);
}

#[tokio::test]
async fn contention_that_does_not_end_is_told_after_the_last_attempt() {
    let database = database().await;
    let program = program();
    insert(&database.service, program, "hot").await.unwrap();
    let runs = AtomicU32::new(0);
    let (runs, owner) = (&runs, &database.owner);
    let options = TransactOptions::default()
        .isolation(Isolation::RepeatableRead)
        .attempts_max(3);
    let lost: StorageError = transact(
        &database.service,
        "lose",
        Scope::Program(program),
        options,
        |tx| {
            in_tx(async move {
                runs.fetch_add(1, Ordering::SeqCst);
                let _: i64 = sqlx::query_scalar("SELECT count FROM thing")
                    .fetch_one(&mut *tx)
                    .await?;
                // Somebody else is always faster.
                sqlx::query("UPDATE thing SET count = count + 1")
                    .execute(owner)
                    .await?;
                count_up_in_tx(tx, "hot").await
            })
        },
    )
    .await
    .unwrap_err();
    assert_eq!(lost.failure(), Failure::Serialization);
    assert_eq!(lost.fault(), Fault::Contention);
    assert_eq!(runs.load(Ordering::SeqCst), 3);
}

/// Locks two rows, one after the other; on the first run both sides hold their first before they ask for their second.
async fn lock_both(
    pool: &PgPool,
    program: ProgramId,
    order: [&'static str; 2],
    both_hold: &Barrier,
) -> Result<u32, StorageError> {
    let runs = AtomicU32::new(0);
    let counted = &runs;
    let options = TransactOptions::default();
    let locked: Result<(), StorageError> =
        transact(pool, "lock_both", Scope::Program(program), options, |tx| {
            in_tx(async move {
                let is_first_run = counted.fetch_add(1, Ordering::SeqCst) == 0;
                for (position, name) in order.into_iter().enumerate() {
                    sqlx::query("SELECT 1 FROM thing WHERE name = $1 FOR UPDATE")
                        .bind(name)
                        .execute(&mut *tx)
                        .await?;
                    if is_first_run && position == 0 {
                        both_hold.wait().await;
                    }
                }
                Ok(())
            })
        })
        .await;
    locked?;
    Ok(runs.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_deadlock_ends_with_both_through() {
    let database = database().await;
    let program = program();
    for name in ["a", "b"] {
        insert(&database.service, program, name).await.unwrap();
    }
    let both_hold = Barrier::new(2);
    let (one, other) = tokio::join!(
        lock_both(&database.service, program, ["a", "b"], &both_hold),
        lock_both(&database.service, program, ["b", "a"], &both_hold),
    );
    assert_eq!(one.unwrap() + other.unwrap(), 3, "one of them ran twice");
}

/// As the driver sends it; the isolation READ COMMITTED goes by without its end.
const COMMIT: &[u8] = b"COMMIT\0";

/// A pool whose network a test can take away.
async fn pool_behind(url: &str) -> (Proxy, PgPool) {
    let (proxy, url) = Proxy::in_front_of(url).await;
    let config = PoolConfig {
        size: 2,
        acquire_timeout_ms: 2_000,
        ..PoolConfig::default()
    };
    let pool = connect(&url, "behind-proxy", &config).await.unwrap();
    (proxy, pool)
}

async fn insert_counting_runs(
    pool: &PgPool,
    program: ProgramId,
    options: TransactOptions,
) -> (Result<(), StorageError>, u32) {
    let runs = AtomicU32::new(0);
    let counted = &runs;
    let result = transact(pool, "insert_once", Scope::Program(program), options, |tx| {
        in_tx(async move {
            counted.fetch_add(1, Ordering::SeqCst);
            sqlx::query("INSERT INTO thing (program, name) VALUES ($1, 'once') ON CONFLICT DO NOTHING")
                .bind(program)
                .execute(tx)
                .await?;
            Ok(())
        })
    })
    .await;
    (result, runs.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_connection_lost_before_commit_runs_again() {
    let database = database().await;
    let (proxy, pool) = pool_behind(&database.urls.service).await;
    let program = program();
    proxy.lose_answer_to(b"INSERT");
    let (result, runs) = insert_counting_runs(&pool, program, TransactOptions::default()).await;
    result.unwrap();
    assert_eq!(runs, 2);
    assert_eq!(names(&database.jobs, Scope::Suite).await.unwrap(), ["once"]);
}

#[tokio::test]
async fn a_lost_answer_to_commit_is_told_as_unknown() {
    let database = database().await;
    let (proxy, pool) = pool_behind(&database.urls.service).await;
    proxy.lose_answer_to(COMMIT);
    let (result, runs) = insert_counting_runs(&pool, program(), TransactOptions::default()).await;
    let unknown = result.unwrap_err();
    assert!(matches!(
        unknown,
        StorageError::OutcomeUnknown {
            transaction: "insert_once",
            ..
        }
    ));
    assert_eq!(unknown.fault(), Fault::Unavailable("postgres"));
    assert_eq!(runs, 1);
    // Here it did take effect.
    assert_eq!(names(&database.jobs, Scope::Suite).await.unwrap(), ["once"]);
}

#[tokio::test]
async fn a_lost_answer_to_commit_runs_again_where_that_is_allowed() {
    let database = database().await;
    let (proxy, pool) = pool_behind(&database.urls.service).await;
    proxy.lose_answer_to(COMMIT);
    let options = TransactOptions::default().repeatable();
    let (result, runs) = insert_counting_runs(&pool, program(), options).await;
    result.unwrap();
    assert_eq!(runs, 2);
    assert_eq!(names(&database.jobs, Scope::Suite).await.unwrap(), ["once"]);
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_and_comes_back_by_itself() {
    let database = database().await;
    let (proxy, pool) = pool_behind(&database.urls.service).await;
    let program = program();
    proxy.cut();
    let options =
        TransactOptions::default().deadline(fealty_postgres::Deadline::after(Duration::from_secs(4)));
    let (result, _) = insert_counting_runs(&pool, program, options).await;
    assert_eq!(result.unwrap_err().fault(), Fault::Unavailable("postgres"));
    proxy.restore();
    let (result, _) = insert_counting_runs(&pool, program, TransactOptions::default()).await;
    result.unwrap();
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced_unnoticed() {
    let database = database().await;
    let program = program();
    insert(&database.service, program, "before").await.unwrap();
    let ended: i64 = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'test-service'",
    )
    .fetch_one(&admin_pool(&database).await)
    .await
    .unwrap();
    assert!(ended > 0);
    insert(&database.service, program, "after").await.unwrap();
}

/// A server's administrator, connected to the test's database.
async fn admin_pool(database: &TestDatabase) -> PgPool {
    let options: PgConnectOptions = admin_url().await.parse().unwrap();
    PgPool::connect_with(options.database(database.database_name()))
        .await
        .unwrap()
}
