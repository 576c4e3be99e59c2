//! Owners with many transactions: a page reads a bounded number of them, whatever it looks for.

use fealty_proto::ledger::v1 as pb;
use sqlx::AssertSqlSafe;

use super::support::{Ledger, credit};

/// As many as two pages look through, and some.
const COUNT: i64 = 20_500;
/// What a page looks through at the most, as the proto says.
const LOOKED_THROUGH_MAX: i64 = 10_000;
/// Of the lot that is followed, every so many.
const EVERY: i64 = 10_000;

/// An owner whose statement is that long: their second transaction again and again, of which some moved the lot of the
/// first.
async fn long(ledger: &Ledger) -> (String, String) {
    let owner = ledger.open_owner().await;
    let rare = pb::CreditPointsRequest {
        source: "rare".to_owned(),
        ..credit(&owner, "points", 5)
    };
    let first = ledger.credit(rare).await.expect("given").into_inner();
    let lot_id = first.transaction.expect("a transaction").lot_movements[0]
        .lot_id
        .clone();
    ledger.credit(credit(&owner, "stamps", 1)).await.expect("stamps");
    let statement = format!(
        "INSERT INTO transaction SELECT r.*
         FROM transaction t, transaction f, generate_series(3, {COUNT}) AS n, LATERAL jsonb_populate_record(
             t, jsonb_build_object(
                 'transaction_id', gen_random_uuid(), 'version', n, 'request_id', gen_random_uuid(),
                 'lot_movements', CASE WHEN n % {EVERY} = 0 THEN f.lot_movements ELSE t.lot_movements END)) AS r
         WHERE t.owner_id = '{owner}' AND t.version = 2 AND f.owner_id = t.owner_id AND f.version = 1;
         UPDATE owner SET version = {COUNT} WHERE owner_id = '{owner}'"
    );
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&ledger.database.owner)
        .await
        .expect("transactions");
    (owner, lot_id)
}

/// Rows of transactions that were read so far, by whomever.
async fn read(ledger: &Ledger) -> i64 {
    sqlx::query_scalar(
        "SELECT (coalesce(idx_tup_fetch, 0) + seq_tup_read)::bigint FROM pg_stat_user_tables WHERE relname = 'transaction'",
    )
    .fetch_one(&ledger.database.owner)
    .await
    .expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_looks_through_so_many_transactions_and_goes_on_in_the_next() {
    let ledger = Ledger::start().await;
    let (owner, lot_id) = long(&ledger).await;
    let before = read(&ledger).await;
    let mut request = pb::ListTransactionsRequest {
        owner_id: owner.clone(),
        source: "rare".to_owned(),
        ..pb::ListTransactionsRequest::default()
    };
    let mut found = Vec::new();
    let mut pages = 0;
    loop {
        let page = ledger
            .transactions()
            .list_transactions(ledger.call(request.clone()))
            .await;
        let page = page.expect("a page").into_inner();
        pages += 1;
        found.extend(page.transactions.into_iter().map(|it| it.version));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!((found, pages), (vec![1], 3));

    let mut request = pb::ListLotMovementsRequest {
        owner_id: owner,
        lot_id,
        ..pb::ListLotMovementsRequest::default()
    };
    let mut found = Vec::new();
    let mut pages = 0;
    loop {
        let page = ledger
            .transactions()
            .list_lot_movements(ledger.call(request.clone()))
            .await;
        let page = page.expect("a page").into_inner();
        pages += 1;
        found.extend(page.movements.into_iter().map(|it| (it.version, it.value_left)));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, [(1, 5), (10_000, 10), (20_000, 15)]);
    assert_eq!(pages, 3);

    super::harness::until("Postgres has counted", async || {
        read(&ledger).await >= before + 2 * COUNT
    })
    .await;
    // Each once for each of the two lists, and a few looks for where the lot begins.
    assert!(read(&ledger).await - before <= 2 * COUNT + LOOKED_THROUGH_MAX / 10);
}
