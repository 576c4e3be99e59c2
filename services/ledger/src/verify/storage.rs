//! Reads what is recorded. By the jobs' role: all programs.

use fealty_postgres::StorageError;
use fealty_types::ProgramId;
use futures::stream::{BoxStream, StreamExt as _};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use super::page::Page;
use super::rows::{Account, Lot, Owner, SentDay, Transaction};

/// Rows that a question about a program answers with: more than anybody reads.
const SUSPECTS_MAX: i64 = 1_000;

/// A database transaction that was open when verification began, or the next one: what stands in the feed before it was
/// committed by then, and is in every later snapshot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(i64);

impl Mark {
    pub(super) const fn is_after(self, feed_xid: i64) -> bool {
        feed_xid < self.0
    }
}

/// Something that is not as it must be.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) owner_id: Option<Uuid>,
    pub(super) name: String,
    pub(super) expected: String,
    pub(super) found: String,
}

pub(super) async fn mark(pool: &PgPool) -> Result<Mark, StorageError> {
    let xmin =
        sqlx::query_scalar!(r#"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "xmin!""#)
            .fetch_one(pool)
            .await?;
    Ok(Mark(xmin))
}

pub(super) async fn find_programs(pool: &PgPool, only: Option<ProgramId>) -> Result<Vec<Uuid>, StorageError> {
    let programs = sqlx::query_scalar!(
        "SELECT program FROM program WHERE program = $1 OR $1::uuid IS NULL ORDER BY program",
        only.map(Uuid::from),
    )
    .fetch_all(pool)
    .await?;
    Ok(programs)
}

/// How many transactions there are, as the owners say.
pub(super) async fn count_versions(pool: &PgPool, only: Option<ProgramId>) -> Result<u64, StorageError> {
    let count = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(version), 0)::bigint AS "count!" FROM owner WHERE program = $1 OR $1::uuid IS NULL"#,
        only.map(Uuid::from),
    )
    .fetch_one(pool)
    .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The owners that come next, with their versions.
pub(super) async fn find_versions(
    pool: &PgPool,
    program: Uuid,
    after: Uuid,
    count_max: i64,
) -> Result<Vec<(Uuid, i64)>, StorageError> {
    let owners = sqlx::query!(
        "SELECT owner_id, version FROM owner WHERE program = $1 AND owner_id > $2 ORDER BY owner_id LIMIT $3",
        program,
        after,
        count_max,
    )
    .fetch_all(pool)
    .await?;
    Ok(owners
        .into_iter()
        .map(|row| (row.owner_id, row.version))
        .collect())
}

pub(super) async fn find_owners_in_tx(
    tx: &mut PgConnection,
    page: &Page,
) -> Result<Vec<Owner>, StorageError> {
    let owners = sqlx::query_as!(
        Owner,
        "SELECT owner_id, version, last_time, chain_head FROM owner
         WHERE program = $1 AND owner_id > $2 AND owner_id <= $3 ORDER BY owner_id",
        page.program,
        page.after,
        page.upto,
    )
    .fetch_all(tx)
    .await?;
    Ok(owners)
}

/// By owner.
pub(super) async fn find_accounts_in_tx(
    tx: &mut PgConnection,
    page: &Page,
) -> Result<Vec<Account>, StorageError> {
    let accounts = sqlx::query_as!(
        Account,
        "SELECT owner_id, unit_code, available, held, debt, pending, sliding_end FROM account
         WHERE program = $1 AND owner_id > $2 AND owner_id <= $3 ORDER BY owner_id, unit_code",
        page.program,
        page.after,
        page.upto,
    )
    .fetch_all(tx)
    .await?;
    Ok(accounts)
}

/// By owner: what they sent on the last day on which they sent any.
pub(super) async fn find_sent_days_in_tx(
    tx: &mut PgConnection,
    page: &Page,
) -> Result<Vec<SentDay>, StorageError> {
    let days = sqlx::query_as!(
        SentDay,
        "SELECT owner_id, unit_code, day, sent_value, sent_count, time_zone FROM transfer_day
         WHERE program = $1 AND owner_id > $2 AND owner_id <= $3 ORDER BY owner_id, unit_code",
        page.program,
        page.after,
        page.upto,
    )
    .fetch_all(tx)
    .await?;
    Ok(days)
}

/// By owner and version, each with the row that its kind has elsewhere. Those are looked up one by one: a join would read
/// all of them for each page, where Postgres knows too little of the tables.
pub(super) fn stream_transactions_in_tx<'a>(
    tx: &'a mut PgConnection,
    page: &'a Page,
) -> BoxStream<'a, Result<Transaction, StorageError>> {
    sqlx::query_as!(
        Transaction,
        r#"SELECT t.owner_id, t.version AS "version!", t.transaction_id, t.kind, t.request_id, t.command_hash, t.answer,
                  t.source, t.receipt_id, t.purchase_id, t.money_minor, t.currency_code, t.entries, t.lot_movements,
                  t.unit_codes, t.actor, t.reason, t.on_behalf_of, t.occur_time, t.record_time, t.chain_hash,
                  coalesce(t.feed_xid::text::bigint, 0) AS "feed_xid!",
                  t.counterpart_transaction_id, t.counterpart_owner_id, t.reversed_transaction_id, t.hold_id,
                  CASE t.kind
                      WHEN 'hold' THEN (SELECT to_jsonb(h) FROM hold h
                                        WHERE h.program = t.program AND h.hold_id = t.transaction_id)
                      WHEN 'capture' THEN (SELECT to_jsonb(h) FROM hold h
                                           WHERE h.program = t.program AND h.hold_id = t.hold_id)
                      WHEN 'release' THEN (SELECT to_jsonb(h) FROM hold h
                                           WHERE h.program = t.program AND h.hold_id = t.hold_id)
                      WHEN 'reverse' THEN (
                          SELECT jsonb_build_object(
                              'owner_id', o.owner_id, 'kind', o.kind, 'entries', o.entries,
                              'lot_movements', o.lot_movements,
                              'pins', (SELECT h.pins FROM hold h WHERE h.program = o.program AND h.hold_id = o.hold_id),
                              'reversal', (SELECT to_jsonb(r) FROM reversal r
                                           WHERE r.program = t.program AND r.transaction_id = o.transaction_id
                                             AND r.reversal_id = t.transaction_id LIMIT 1))
                          FROM transaction o
                          WHERE o.program = t.program AND o.transaction_id = t.reversed_transaction_id
                            AND o.version IS NOT NULL)
                      WHEN 'purchase' THEN (SELECT to_jsonb(p) FROM purchase p
                                            WHERE p.program = t.program AND p.purchase_id = t.transaction_id)
                      WHEN 'refund' THEN (SELECT to_jsonb(r) FROM refund r
                                          WHERE r.program = t.program AND r.refund_id = t.transaction_id)
                      WHEN 'transfer' THEN (
                          SELECT jsonb_build_object(
                              'owner_id', o.owner_id, 'kind', o.kind, 'request_id', o.request_id,
                              'counterpart_transaction_id', o.counterpart_transaction_id,
                              'counterpart_owner_id', o.counterpart_owner_id, 'record_time', o.record_time,
                              'entries', o.entries)
                          FROM transaction o
                          WHERE o.program = t.program AND o.transaction_id = t.counterpart_transaction_id
                            AND o.version IS NOT NULL)
                  END AS side
           FROM transaction t
           WHERE t.program = $1 AND t.owner_id > $2 AND t.owner_id <= $3 AND t.version IS NOT NULL
           ORDER BY t.owner_id, t.version"#,
        page.program,
        page.after,
        page.upto,
    )
    .fetch(tx)
    .map(|row| row.map_err(StorageError::from))
    .boxed()
}

/// By owner.
pub(super) fn stream_lots_in_tx<'a>(
    tx: &'a mut PgConnection,
    page: &'a Page,
) -> BoxStream<'a, Result<Lot, StorageError>> {
    sqlx::query_as!(
        Lot,
        "SELECT owner_id, lot_id, unit_code, value_left, value_held, value_credited, expire_time, slides, create_time, budget_code, pending,
                begin_time, credited_by
         FROM lot
         WHERE program = $1 AND owner_id > $2 AND owner_id <= $3 ORDER BY owner_id, lot_id",
        page.program,
        page.after,
        page.upto,
    )
    .fetch(tx)
    .map(|row| row.map_err(StorageError::from))
    .boxed()
}

/// The entries of moves and transfers, and of what budgets paid for or got back, that stand in the feed at the mark or
/// after it.
pub(super) fn stream_sides_since_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
    mark: Mark,
) -> BoxStream<'_, Result<serde_json::Value, StorageError>> {
    sqlx::query_scalar!(
        r#"SELECT entries FROM transaction
           WHERE program = $1 AND feed_xid >= $2::bigint::text::xid8 AND version IS NOT NULL
             AND (kind IN ('move', 'transfer') OR jsonb_path_exists(entries, '$[*].budget'))"#,
        program,
        mark.0,
    )
    .fetch(tx)
    .map(|row| row.map_err(StorageError::from))
    .boxed()
}

/// Budgets, and what they say that they gave.
pub(super) async fn find_budgets_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
) -> Result<Vec<(String, i64)>, StorageError> {
    let budgets = sqlx::query!(
        "SELECT budget_code, value_used FROM budget WHERE program = $1",
        program
    )
    .fetch_all(tx)
    .await?;
    Ok(budgets
        .into_iter()
        .map(|row| (row.budget_code, row.value_used))
        .collect())
}

pub(super) async fn find_double_receipts_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
) -> Result<Vec<Suspect>, StorageError> {
    let suspects = sqlx::query_as!(
        Suspect,
        r#"SELECT NULL::uuid AS owner_id, source || ' ' || receipt_id AS "name!", '1' AS "expected!",
                  count(*)::text AS "found!"
           FROM transaction WHERE program = $1 AND version IS NOT NULL AND receipt_id IS NOT NULL
           GROUP BY source, receipt_id HAVING count(*) > 1 ORDER BY source, receipt_id LIMIT $2"#,
        program,
        SUSPECTS_MAX,
    )
    .fetch_all(tx)
    .await?;
    Ok(suspects)
}

/// A transaction that a request made bears its id, which is unique; those of before have ids of their own.
pub(super) async fn find_double_requests_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
) -> Result<Vec<Suspect>, StorageError> {
    let suspects = sqlx::query_as!(
        Suspect,
        r#"SELECT NULL::uuid AS owner_id, t.request_id::text AS "name!", '1' AS "expected!",
                  (count(*) + count(DISTINCT s.transaction_id))::text AS "found!"
           FROM transaction t
           LEFT JOIN transaction s
               ON s.program = t.program AND s.transaction_id = t.request_id AND s.request_id = s.transaction_id
           WHERE t.program = $1 AND t.request_id <> t.transaction_id
           GROUP BY t.request_id HAVING count(*) + count(DISTINCT s.transaction_id) > 1
           ORDER BY t.request_id LIMIT $2"#,
        program,
        SUSPECTS_MAX,
    )
    .fetch_all(tx)
    .await?;
    Ok(suspects)
}

pub(super) async fn find_lone_holds_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
) -> Result<Vec<Suspect>, StorageError> {
    let suspects = sqlx::query_as!(
        Suspect,
        r#"SELECT h.owner_id AS "owner_id?", h.hold_id::text AS "name!", 'one' AS "expected!", 'none' AS "found!" FROM hold h
           WHERE h.program = $1 AND NOT EXISTS (
               SELECT FROM transaction t
               WHERE t.program = h.program AND t.transaction_id = h.hold_id AND t.kind = 'hold' AND t.version IS NOT NULL)
           ORDER BY h.hold_id LIMIT $2"#,
        program,
        SUSPECTS_MAX,
    )
    .fetch_all(tx)
    .await?;
    Ok(suspects)
}

pub(super) async fn find_lone_purchases_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
) -> Result<Vec<Suspect>, StorageError> {
    let suspects = sqlx::query_as!(
        Suspect,
        r#"SELECT p.owner_id AS "owner_id?", p.purchase_id::text AS "name!", 'one' AS "expected!", 'none' AS "found!"
           FROM purchase p
           WHERE p.program = $1 AND NOT EXISTS (
               SELECT FROM transaction t
               WHERE t.program = p.program AND t.transaction_id = p.purchase_id AND t.kind = 'purchase'
                 AND t.version IS NOT NULL)
           ORDER BY p.purchase_id LIMIT $2"#,
        program,
        SUSPECTS_MAX,
    )
    .fetch_all(tx)
    .await?;
    Ok(suspects)
}

pub(super) async fn find_lone_refunds_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
) -> Result<Vec<Suspect>, StorageError> {
    let suspects = sqlx::query_as!(
        Suspect,
        r#"SELECT r.owner_id AS "owner_id?", r.refund_id::text AS "name!", 'one' AS "expected!", 'none' AS "found!"
           FROM refund r
           WHERE r.program = $1 AND NOT EXISTS (
               SELECT FROM transaction t
               WHERE t.program = r.program AND t.transaction_id = r.refund_id AND t.kind = 'refund'
                 AND t.version IS NOT NULL)
           ORDER BY r.refund_id LIMIT $2"#,
        program,
        SUSPECTS_MAX,
    )
    .fetch_all(tx)
    .await?;
    Ok(suspects)
}

/// Purchases whose refunds do not sum to what they say was refunded, in money and in points.
pub(super) async fn find_refunded_otherwise_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
) -> Result<Vec<Suspect>, StorageError> {
    let suspects = sqlx::query_as!(
        Suspect,
        r#"SELECT p.owner_id AS "owner_id?", p.purchase_id::text AS "name!",
                  format('%s minor units, %s points', coalesce(r.money, 0), coalesce(r.points, 0)) AS "expected!",
                  format('%s minor units, %s points', p.refunded_minor, b.points) AS "found!"
           FROM purchase p
           CROSS JOIN LATERAL (SELECT coalesce(sum(v), 0) AS points FROM unnest(p.taken_back_values) AS v) AS b
           LEFT JOIN (SELECT f.purchase_id, sum(f.money_minor) AS money, sum(s.points) AS points
                      FROM refund f
                      CROSS JOIN LATERAL (
                          SELECT coalesce(sum(v), 0) AS points
                          FROM unnest(f.from_available_values || f.as_debt_values || f.waived_values) AS v) AS s
                      WHERE f.program = $1 AND f.purchase_id IS NOT NULL GROUP BY f.purchase_id) AS r
               ON r.purchase_id = p.purchase_id
           WHERE p.program = $1 AND (p.refunded_minor <> coalesce(r.money, 0) OR b.points <> coalesce(r.points, 0))
           ORDER BY p.purchase_id LIMIT $2"#,
        program,
        SUSPECTS_MAX,
    )
    .fetch_all(tx)
    .await?;
    Ok(suspects)
}

pub(super) async fn find_lone_reversals_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
) -> Result<Vec<Suspect>, StorageError> {
    let suspects = sqlx::query_as!(
        Suspect,
        r#"SELECT o.owner_id AS "owner_id?", r.reversal_id::text AS "name!", 'one' AS "expected!", 'none' AS "found!"
           FROM reversal r
           LEFT JOIN transaction o ON o.program = r.program AND o.transaction_id = r.transaction_id
           WHERE r.program = $1 AND NOT EXISTS (
               SELECT FROM transaction t
               WHERE t.program = r.program AND t.transaction_id = r.reversal_id AND t.kind = 'reverse'
                 AND t.reversed_transaction_id = r.transaction_id AND t.version IS NOT NULL)
           ORDER BY r.reversal_id LIMIT $2"#,
        program,
        SUSPECTS_MAX,
    )
    .fetch_all(tx)
    .await?;
    Ok(suspects)
}

/// Transactions whose reversals do not follow each other: where one leaves out or takes again what another took.
pub(super) async fn find_reversed_otherwise_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
) -> Result<Vec<Suspect>, StorageError> {
    let suspects = sqlx::query_as!(
        Suspect,
        r#"SELECT o.owner_id AS "owner_id?", r.transaction_id::text AS "name!", r.expected::text AS "expected!",
                  r.value_before::text AS "found!"
           FROM (SELECT transaction_id, value_before,
                        coalesce(sum(value) OVER (PARTITION BY transaction_id ORDER BY value_before
                                                  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS expected
                 FROM reversal WHERE program = $1) AS r
           LEFT JOIN transaction o ON o.program = $1 AND o.transaction_id = r.transaction_id
           WHERE r.value_before <> r.expected
           ORDER BY r.transaction_id, r.value_before LIMIT $2"#,
        program,
        SUSPECTS_MAX,
    )
    .fetch_all(tx)
    .await?;
    Ok(suspects)
}

/// Credits of which more or less waits, wherever it is by now, than they gave to wait and was not taken back. All that
/// waits of a credit begins or ends at once, and what is taken back of it is taken from that first: so as long as anything
/// waits, it is exactly that.
pub(super) async fn find_waiting_otherwise_in_tx(
    tx: &mut PgConnection,
    program: Uuid,
) -> Result<Vec<Suspect>, StorageError> {
    let suspects = sqlx::query_as!(
        Suspect,
        r#"SELECT w.owner_id AS "owner_id?", w.credited_by::text AS "name!",
                  format('%s %s', coalesce(g.value, 0) - coalesce(r.value, 0), w.unit_code) AS "expected!",
                  format('%s %s', w.value, w.unit_code) AS "found!"
           FROM (SELECT credited_by, unit_code, sum(value_left) AS value, min(owner_id::text)::uuid AS owner_id FROM lot
                 WHERE program = $1 AND open AND pending GROUP BY credited_by, unit_code) AS w
           LEFT JOIN LATERAL (
               SELECT sum((e #>> '{}')::numeric) AS value
               FROM transaction t CROSS JOIN LATERAL jsonb_path_query(
                   t.entries,
                   '$[*] ? (@.account == "owner_pending" && @.unit == $unit).value ? (@.type() == "number")',
                   jsonb_build_object('unit', w.unit_code)) AS e
               WHERE t.program = $1 AND t.transaction_id = w.credited_by AND t.kind = 'credit' AND t.version IS NOT NULL
           ) AS g ON true
           LEFT JOIN LATERAL (
               SELECT sum(value) AS value FROM reversal
               WHERE program = $1 AND transaction_id = w.credited_by) AS r ON true
           WHERE w.value <> coalesce(g.value, 0) - coalesce(r.value, 0)
           ORDER BY w.credited_by LIMIT $2"#,
        program,
        SUSPECTS_MAX,
    )
    .fetch_all(tx)
    .await?;
    Ok(suspects)
}
