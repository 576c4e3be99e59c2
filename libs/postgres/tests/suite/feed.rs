//! A feed shows every row once, in whatever order transactions commit.

use fealty_postgres::{DatabaseTimeline, FeedPosition, FeedTokenError, database_timeline, feed};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Row};

use crate::probe::database;

async fn write_in_tx(tx: &mut PgConnection, note: &str) {
    sqlx::query("INSERT INTO change (note) VALUES ($1)")
        .bind(note)
        .execute(tx)
        .await
        .unwrap();
}

/// Reads what is visible after a position.
async fn read(pool: &PgPool, after: FeedPosition) -> Vec<(FeedPosition, String)> {
    let statement = format!(
        "SELECT transaction_id::text::bigint AS transaction_id, sequence, note FROM change \
         WHERE (transaction_id, sequence) > ($1::bigint::text::xid8, $2) AND {} \
         ORDER BY change.transaction_id, sequence",
        feed::VISIBLE
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(after.transaction_id)
        .bind(after.sequence)
        .fetch_all(pool)
        .await
        .unwrap()
        .iter()
        .map(|row| (FeedPosition::from_row(row).unwrap(), row.get("note")))
        .collect()
}

/// Reads until something is there: an older transaction anywhere on the cluster, such as another test's, may hold it up.
async fn read_until_some(pool: &PgPool, after: FeedPosition, count: usize) -> Vec<(FeedPosition, String)> {
    for _ in 0..500 {
        let rows = read(pool, after).await;
        if rows.len() >= count {
            return rows;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("rows did not become visible within ten seconds");
}

#[expect(
    clippy::disallowed_methods,
    reason = "this test needs transactions that stay open next to each other"
)]
async fn begin(pool: &PgPool) -> sqlx::Transaction<'static, sqlx::Postgres> {
    pool.begin().await.unwrap()
}

#[tokio::test]
async fn a_transaction_that_began_early_and_commits_late_is_not_skipped() {
    let database = database().await;
    let pool = &database.service;
    let mut early = begin(pool).await;
    write_in_tx(&mut early, "early").await;
    let mut late = begin(pool).await;
    write_in_tx(&mut late, "late").await;
    late.commit().await.unwrap();

    let while_open = read(pool, FeedPosition::START).await;
    assert_eq!(while_open, [], "the late one waits for the early one");
    early.commit().await.unwrap();

    let rows = read_until_some(pool, FeedPosition::START, 2).await;
    let notes: Vec<&str> = rows.iter().map(|(_, note)| note.as_str()).collect();
    assert_eq!(notes, ["early", "late"]);
    assert_eq!(read(pool, rows[1].0).await, [], "nothing comes twice");
    assert_eq!(read(pool, rows[0].0).await[0].1, "late");
}

#[tokio::test]
async fn a_transaction_rolled_back_holds_nobody_up() {
    let database = database().await;
    let pool = &database.service;
    let mut undone = begin(pool).await;
    write_in_tx(&mut undone, "undone").await;
    let mut kept = begin(pool).await;
    write_in_tx(&mut kept, "kept").await;
    kept.commit().await.unwrap();
    undone.rollback().await.unwrap();
    let rows = read_until_some(pool, FeedPosition::START, 1).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].1, "kept");
}

#[tokio::test]
async fn every_role_can_read_the_timeline_and_two_databases_differ() {
    let (one, other) = (database().await, database().await);
    let of_service = database_timeline(&one.service).await.unwrap();
    assert_eq!(of_service, database_timeline(&one.jobs).await.unwrap());
    assert!(of_service.timeline_id >= 1);
    let of_other: DatabaseTimeline = database_timeline(&other.service).await.unwrap();
    assert_eq!(of_service.system_identifier, of_other.system_identifier);
    assert_ne!(of_service.to_string(), of_other.to_string());

    let token = FeedPosition {
        transaction_id: 7,
        sequence: 3,
    }
    .encode(of_service);
    assert_eq!(
        FeedPosition::decode(&token, of_other),
        Err(FeedTokenError::OtherTimeline)
    );
}
