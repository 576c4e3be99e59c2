//! Every transaction ends in time, and what is left of one that was dropped harms nobody.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fealty_postgres::{
    Deadline, Fault, PoolConfig, Scope, StorageError, TransactOptions, acquire, connect, connect_lazy, in_tx,
    transact,
};
use fealty_testing::Proxy;
use fealty_types::ProgramId;
use futures::future::join_all;
use sqlx::postgres::PgPool;
use tokio::time::{Instant, timeout};

use crate::probe::{database, insert, names, program};

/// Far above every limit that is tested, far below what a test may take.
const SLEEP_S: f64 = 20.0;

async fn sleep(pool: &PgPool, options: TransactOptions) -> Result<(), StorageError> {
    transact(pool, "sleep", Scope::Suite, options, |tx| {
        in_tx(async move {
            sqlx::query("SELECT pg_sleep($1)")
                .bind(SLEEP_S)
                .execute(tx)
                .await?;
            Ok(())
        })
    })
    .await
}

async fn sleepers_count(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND state <> 'idle' AND pid <> pg_backend_pid()",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

async fn ends_with_nobody_asleep(owner: &PgPool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while sleepers_count(owner).await != 0 {
        assert!(
            Instant::now() < deadline,
            "a statement goes on after its caller left"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_callers_deadline_ends_a_transaction_here_and_on_the_server() {
    let database = database().await;
    let started = Instant::now();
    let deadline = Deadline::after(Duration::from_millis(200));
    let late = deadline
        .scope(sleep(&database.service, TransactOptions::default()))
        .await
        .unwrap_err();
    assert_eq!(late.fault(), Fault::Deadline);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    ends_with_nobody_asleep(&database.jobs).await;
}

#[tokio::test]
async fn a_transaction_has_a_limit_of_its_own() {
    let database = database().await;
    let started = Instant::now();
    let options = TransactOptions::default().duration_max(Duration::from_millis(300));
    let late = sleep(&database.service, options).await.unwrap_err();
    assert_eq!(
        late.fault(),
        Fault::Contention,
        "a caller without a deadline may try again"
    );
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    ends_with_nobody_asleep(&database.jobs).await;
}

#[tokio::test]
async fn a_caller_with_time_left_may_try_again_after_a_limit_of_ours() {
    let database = database().await;
    let options = TransactOptions::default()
        .duration_max(Duration::from_millis(300))
        .deadline(Deadline::after(Duration::from_secs(20)));
    let late = sleep(&database.service, options).await.unwrap_err();
    assert_eq!(late.fault(), Fault::Contention);
}

#[tokio::test]
async fn a_commit_that_hangs_is_told_as_unknown_and_not_made_again_here() {
    let database = database().await;
    let (proxy, url) = Proxy::in_front_of(&database.urls.service).await;
    let pool = connect(&url, "hanging", &PoolConfig::default()).await.unwrap();
    let (proxy, runs) = (&proxy, &AtomicU32::new(0));
    let options = TransactOptions::default()
        .repeatable()
        .duration_max(Duration::from_secs(1))
        .deadline(Deadline::after(Duration::from_secs(20)));
    let hung: Result<(), StorageError> = transact(&pool, "hang", Scope::Suite, options, |tx| {
        in_tx(async move {
            runs.fetch_add(1, Ordering::SeqCst);
            sqlx::query("SELECT 1").execute(tx).await?;
            proxy.freeze();
            Ok(())
        })
    })
    .await;
    let unknown = hung.unwrap_err();
    assert!(
        matches!(unknown, StorageError::OutcomeUnknown { .. }),
        "{unknown}"
    );
    assert_eq!(unknown.fault(), Fault::Unavailable("postgres"));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_vanished_takes_no_place_in_the_pool() {
    let database = database().await;
    let (proxy, url) = Proxy::in_front_of(&database.urls.service).await;
    let config = PoolConfig {
        size: 1,
        ..PoolConfig::default()
    };
    let pool = connect(&url, "vanish", &config).await.unwrap();
    let options = TransactOptions::default().duration_max(Duration::from_millis(300));
    let late: Result<(), StorageError> = transact(&pool, "vanish", Scope::Suite, options, |tx| {
        proxy.freeze();
        in_tx(async move {
            sqlx::query("SELECT 1").execute(tx).await?;
            Ok(())
        })
    })
    .await;
    assert!(
        matches!(late, Err(StorageError::LimitExceeded { .. })),
        "{late:?}"
    );
    let begun = Instant::now();
    while pool.size() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(5), "the connection is kept");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_taken_effect_is_never_told_as_not_done() {
    let database = database().await;
    let (proxy, url) = Proxy::in_front_of(&database.urls.service).await;
    let pool = connect(&url, "lose", &PoolConfig::default()).await.unwrap();
    proxy.lose_answer_to(b"COMMIT\0");
    let runs = AtomicU32::new(0);
    let runs = &runs;
    let options = TransactOptions::default().repeatable();
    let told: Result<(), StorageError> = transact(&pool, "lose", Scope::Suite, options, |tx| {
        in_tx(async move {
            sqlx::query("SELECT 1").execute(tx).await?;
            // The second attempt waits for the first one's locks, in vain.
            match runs.fetch_add(1, Ordering::SeqCst) {
                0 => Ok(()),
                _ => Err(StorageError::LimitExceeded { transaction: "lose" }),
            }
        })
    })
    .await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert!(
        matches!(told, Err(StorageError::OutcomeUnknown { .. })),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_deadline_that_has_passed_asks_for_no_connection() {
    let database = database().await;
    let options = TransactOptions::default().deadline(Deadline::after(Duration::ZERO));
    let late = sleep(&database.service, options).await.unwrap_err();
    assert!(matches!(
        late,
        StorageError::DeadlineExceeded { transaction: "sleep" }
    ));
}

#[tokio::test]
async fn a_full_pool_is_told_as_no_room() {
    let database = database().await;
    let config = PoolConfig {
        size: 1,
        // The first connection has to be made within it, on a busy machine too.
        acquire_timeout_ms: 3_000,
        ..PoolConfig::default()
    };
    let pool = connect(&database.urls.service, "small", &config).await.unwrap();
    let _held = pool.acquire().await.unwrap();
    let full = sleep(&pool, TransactOptions::default()).await.unwrap_err();
    assert_eq!(full.fault(), Fault::Unavailable("postgres"));
}

#[tokio::test]
async fn a_wait_for_a_lock_is_bounded() {
    let database = database().await;
    let program = program();
    insert(&database.service, program, "held").await.unwrap();
    let config = PoolConfig {
        lock_timeout_ms: 150,
        ..PoolConfig::default()
    };
    let pool = connect(&database.urls.service, "impatient", &config)
        .await
        .unwrap();
    let pool = &pool;
    let waited: StorageError = transact(
        &database.service,
        "hold",
        Scope::Program(program),
        TransactOptions::default(),
        |tx| {
            in_tx(async move {
                sqlx::query("UPDATE thing SET count = 1").execute(tx).await?;
                let scope = Scope::Program(program);
                transact(pool, "wait", scope, TransactOptions::default(), |inner| {
                    in_tx(async move {
                        sqlx::query("UPDATE thing SET count = 2").execute(inner).await?;
                        Ok(())
                    })
                })
                .await
            })
        },
    )
    .await
    .unwrap_err();
    assert_eq!(waited.fault(), Fault::Contention);
}

/// Runs one transaction and drops it somewhere on its way.
async fn abandon(pool: &PgPool, program: ProgramId, after: Duration) {
    let _ = timeout(after, names(pool, Scope::Program(program))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_dropped_anywhere_leave_no_trace_on_their_connections() {
    const DROPPED_COUNT: u32 = 400;
    let database = database().await;
    let (ours, theirs) = (program(), program());
    insert(&database.service, ours, "ours").await.unwrap();
    insert(&database.service, theirs, "theirs").await.unwrap();
    // Slow enough that the drops fall into every phase.
    let (_proxy, url) = Proxy::in_front_of(&database.urls.service).await;
    let config = PoolConfig {
        size: 4,
        acquire_timeout_ms: 10_000,
        ..PoolConfig::default()
    };
    let pool = connect(&url, "dropped", &config).await.unwrap();
    let drops = (0..DROPPED_COUNT).map(|number| {
        let after = Duration::from_micros(u64::from(number) * 50);
        abandon(&pool, theirs, after)
    });
    join_all(drops).await;

    for _ in 0..50 {
        let seen = names(&pool, Scope::Program(ours)).await.unwrap();
        assert_eq!(seen, ["ours"]);
        assert!(
            names(&pool, Scope::Suite).await.is_err(),
            "a program was left behind"
        );
    }
    ends_with_nobody_asleep(&database.jobs).await;
}

/// The wait for a connection is shorter than making one takes: each caller is told in time, and one of the next is
/// served, by what was begun for those before.
#[tokio::test]
async fn a_connection_is_made_to_its_end_though_nobody_waits_so_long() {
    const WAIT: Duration = Duration::from_millis(200);
    /// Making a connection takes at least three answers.
    const DELAY: Duration = Duration::from_millis(100);
    let database = database().await;
    let (proxy, url) = Proxy::in_front_of(&database.urls.service).await;
    proxy.slow_down(DELAY);
    let config = PoolConfig {
        size: 1,
        acquire_timeout_ms: u64::try_from(WAIT.as_millis()).unwrap(),
        ..PoolConfig::default()
    };
    let pool = connect_lazy(&url, "slow", &config).unwrap();

    let begun = Instant::now();
    let late = acquire(&pool).await.map(drop).unwrap_err();
    assert!(matches!(late.fault(), Fault::Unavailable(_)), "{late}");
    assert!(begun.elapsed() < 2 * WAIT, "{:?}", begun.elapsed());
    let served = async { while acquire(&pool).await.is_err() {} };
    timeout(Duration::from_secs(2), served).await.unwrap();
}
