//! What a posting reads does not grow with the program, from the first minute on.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::harness::until;
use super::support::{Ledger, credit};

/// Enough that reading all of them shows.
const OTHERS_COUNT: i64 = 3_000;

const POSTINGS_COUNT: i64 = 20;

/// What a posting reads of a table at the most: the owner, their account and a few lots, some of it twice.
const ROWS_PER_POSTING_MAX: i64 = 12;

const TABLES: [&str; 4] = ["account", "lot", "owner", "transaction"];

/// Others like the one who is there, each with an account, a lot and a transaction. Nobody has looked at the tables since.
async fn add_others(ledger: &Ledger) {
    let others = "CREATE TEMPORARY TABLE other ON COMMIT DROP AS
                  SELECT gen_random_uuid() AS id FROM generate_series(1, $COUNT);
        INSERT INTO owner (program, owner_id, kind, version, last_time, create_time, chain_head)
            SELECT o.program, other.id, o.kind, o.version, o.last_time, o.create_time, o.chain_head FROM owner o, other;
        INSERT INTO account (program, owner_id, unit_code, available, held, debt)
            SELECT a.program, other.id, a.unit_code, a.available, a.held, a.debt FROM account a, other;
        INSERT INTO lot (program, owner_id, lot_id, unit_code, value_left, value_held, value_credited, expire_time, create_time)
            SELECT l.program, other.id, gen_random_uuid(), l.unit_code, l.value_left, l.value_held, l.value_credited,
                   l.expire_time, l.create_time FROM lot l, other;
        INSERT INTO transaction
            SELECT (jsonb_populate_record(t, jsonb_build_object('transaction_id', other.id, 'request_id', other.id,
                                                                'owner_id', other.id))).* FROM transaction t, other";
    let statement = format!("BEGIN; {others}; COMMIT").replace("$COUNT", &OTHERS_COUNT.to_string());
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&ledger.database.owner)
        .await
        .expect("others");
}

/// Rows that were read of each table so far.
async fn read(ledger: &Ledger) -> BTreeMap<String, i64> {
    let counts =
        "SELECT relname::text, (coalesce(idx_tup_fetch, 0) + seq_tup_read)::bigint FROM pg_stat_user_tables
                  WHERE relname::text = ANY($1)";
    let counts: Vec<(String, i64)> = sqlx::query_as(counts)
        .bind(TABLES)
        .fetch_all(&ledger.database.owner)
        .await
        .expect("counts");
    counts.into_iter().collect()
}

async fn count(ledger: &Ledger, statement: &'static str) -> i64 {
    let count = sqlx::query_scalar(statement)
        .bind(TABLES)
        .fetch_one(&ledger.database.owner);
    count.await.expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posting_reads_no_more_than_its_owner_however_new_the_tables_are() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 5).await;
    add_others(&ledger).await;
    let analysed = "SELECT count(*) FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
                    WHERE s.relname::text = ANY($1) AND s.n_live_tup > 1000 AND s.n_live_tup < 2 * c.reltuples";
    until("small tables are analysed as they grow", async || {
        count(&ledger, analysed).await == 4
    })
    .await;

    let before = read(&ledger).await;
    for _ in 0..POSTINGS_COUNT {
        ledger
            .credit(credit(&owner, "points", 1))
            .await
            .expect("credited");
    }
    let updates =
        "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'owner' AND $1::text[] IS NOT NULL";
    until("Postgres has counted", async || {
        count(&ledger, updates).await > POSTINGS_COUNT
    })
    .await;
    let after = read(&ledger).await;
    for table in TABLES {
        let rows = after[table] - before[table];
        assert!(
            rows <= POSTINGS_COUNT * ROWS_PER_POSTING_MAX,
            "{POSTINGS_COUNT} postings read {rows} rows of {table}"
        );
    }
}
