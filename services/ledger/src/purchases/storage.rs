//! Purchases and refunds in the database.

mod rows;
mod sums;

use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId, PurchaseId};
use sqlx::PgConnection;

use super::domain::{Purchase, PurchasePosition, Refund};
use rows::{EarningColumns, PurchaseRow, TakenBackColumns, array_text};
pub(super) use sums::summarize_in_tx;

/// Writes new purchases.
pub(super) async fn insert_purchases_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    purchases: &[&Purchase],
) -> Result<(), StorageError> {
    let earnings: Vec<EarningColumns> = purchases
        .iter()
        .map(|purchase| EarningColumns::of(purchase))
        .collect();
    let inserted = sqlx::query!(
        "INSERT INTO purchase (program, purchase_id, owner_id, version, source, receipt_id, money_minor, currency_code, \
         occur_time, record_time, rule_ids, unit_codes, earned_values, debt_repaid_values, taken_back_values, lot_ids, \
         refunded_minor) \
         SELECT p.program, u.purchase_id, u.owner_id, u.version, u.source, u.receipt_id, u.money_minor, u.currency_code, \
         u.occur_time, u.record_time, u.rule_ids::uuid[], u.unit_codes::text[], u.earned_values::bigint[], \
         u.debt_repaid_values::bigint[], u.taken_back_values::bigint[], u.lot_ids::uuid[], u.refunded_minor \
         FROM program AS p, unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], \
         $8::text[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::text[], \
         $15::text[], $16::text[], $17::bigint[]) \
         AS u (purchase_id, owner_id, version, source, receipt_id, money_minor, currency_code, occur_time, record_time, \
         rule_ids, unit_codes, earned_values, debt_repaid_values, taken_back_values, lot_ids, refunded_minor) \
         WHERE p.program = $1 ORDER BY u.purchase_id",
        program.as_uuid(),
        &column(purchases, |purchase| purchase.purchase_id.as_uuid()),
        &column(purchases, |purchase| purchase.owner_id.as_uuid()),
        &column(purchases, |purchase| purchase.version.get()),
        &column(purchases, |purchase| purchase.source.clone()),
        &column(purchases, |purchase| purchase.receipt_id.clone()),
        &column(purchases, |purchase| purchase.money.minor),
        &column(purchases, |purchase| purchase.money.currency.to_string()),
        &column(purchases, |purchase| purchase.occur_time),
        &column(purchases, |purchase| purchase.record_time),
        &column(&earnings, |earnings| earnings.rule_ids.clone()),
        &column(&earnings, |earnings| earnings.unit_codes.clone()),
        &column(&earnings, |earnings| earnings.earned.clone()),
        &column(&earnings, |earnings| earnings.debt_repaid.clone()),
        &column(&earnings, |earnings| earnings.taken_back.clone()),
        &column(purchases, |purchase| array_text(&purchase.lot_ids)),
        &column(purchases, |purchase| purchase.refunded_minor),
    )
    .execute(tx)
    .await?;
    all_written("purchase", inserted.rows_affected(), purchases.len())
}

/// Writes what has been refunded of purchases.
pub(super) async fn update_refunded_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    purchases: &[&Purchase],
) -> Result<(), StorageError> {
    let earnings: Vec<EarningColumns> = purchases
        .iter()
        .map(|purchase| EarningColumns::of(purchase))
        .collect();
    let updated = sqlx::query!(
        "UPDATE purchase AS t SET refunded_minor = u.refunded_minor, taken_back_values = u.taken_back_values::bigint[] \
         FROM unnest($2::uuid[], $3::bigint[], $4::text[]) AS u (purchase_id, refunded_minor, taken_back_values) \
         WHERE t.program = $1 AND t.purchase_id = u.purchase_id",
        program.as_uuid(),
        &column(purchases, |purchase| purchase.purchase_id.as_uuid()),
        &column(purchases, |purchase| purchase.refunded_minor),
        &column(&earnings, |earnings| earnings.taken_back.clone()),
    )
    .execute(tx)
    .await?;
    all_written("purchase", updated.rows_affected(), purchases.len())
}

/// Writes new refunds.
pub(super) async fn insert_refunds_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    refunds: &[&Refund],
) -> Result<(), StorageError> {
    let taken: Vec<TakenBackColumns> = refunds
        .iter()
        .map(|refund| TakenBackColumns::of(refund))
        .collect();
    let purchase_ids: Vec<Option<uuid::Uuid>> = column(refunds, |refund| {
        refund.purchase_id.map(|purchase_id| purchase_id.as_uuid())
    });
    let inserted = sqlx::query!(
        "INSERT INTO refund (program, refund_id, purchase_id, owner_id, source, money_minor, currency_code, occur_time, \
         unit_codes, from_available_values, as_debt_values, waived_values) \
         SELECT p.program, u.refund_id, u.purchase_id, u.owner_id, u.source, u.money_minor, u.currency_code, \
         u.occur_time, u.unit_codes::text[], u.from_available_values::bigint[], u.as_debt_values::bigint[], \
         u.waived_values::bigint[] \
         FROM program AS p, unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bigint[], $7::text[], \
         $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::text[]) \
         AS u (refund_id, purchase_id, owner_id, source, money_minor, currency_code, occur_time, unit_codes, \
         from_available_values, as_debt_values, waived_values) \
         WHERE p.program = $1 ORDER BY u.refund_id",
        program.as_uuid(),
        &column(refunds, |refund| refund.refund_id.as_uuid()),
        &purchase_ids as &[Option<uuid::Uuid>],
        &column(refunds, |refund| refund.owner_id.as_uuid()),
        &column(refunds, |refund| refund.source.clone()),
        &column(refunds, |refund| refund.money.minor),
        &column(refunds, |refund| refund.money.currency.to_string()),
        &column(refunds, |refund| refund.occur_time),
        &column(&taken, |taken| taken.unit_codes.clone()),
        &column(&taken, |taken| taken.from_available.clone()),
        &column(&taken, |taken| taken.as_debt.clone()),
        &column(&taken, |taken| taken.waived.clone()),
    )
    .execute(tx)
    .await?;
    all_written("refund", inserted.rows_affected(), refunds.len())
}

fn column<T, V>(rows: &[T], value: impl Fn(&T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

/// A statement that wrote another number of rows than it was given found the database in a state that cannot be.
fn all_written(what: &'static str, written: u64, given: usize) -> Result<(), StorageError> {
    if usize::try_from(written) == Ok(given) {
        Ok(())
    } else {
        Err(StorageError::corrupt(
            what,
            format!("{written} of {given} rows were written"),
        ))
    }
}

/// The purchases of those ids that the program has.
pub(super) async fn find_many_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    purchase_ids: &[PurchaseId],
) -> Result<Vec<Purchase>, StorageError> {
    let ids = column(purchase_ids, PurchaseId::as_uuid);
    sqlx::query_as!(
        PurchaseRow,
        r#"SELECT purchase_id AS "purchase_id: _", owner_id AS "owner_id: _", version AS "version: _", source, receipt_id,
                  money_minor, currency_code AS "currency_code: _", occur_time, record_time, rule_ids, unit_codes,
                  earned_values, debt_repaid_values, taken_back_values, lot_ids, refunded_minor
           FROM purchase WHERE program = $1 AND purchase_id = ANY ($2)"#,
        program.as_uuid(),
        &ids,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Purchase::try_from)
    .collect()
}

/// An owner's purchases before a position, the latest recorded first.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
    before: Option<PurchasePosition>,
    count_max: i64,
) -> Result<Vec<Purchase>, StorageError> {
    sqlx::query_as!(
        PurchaseRow,
        r#"SELECT purchase_id AS "purchase_id: _", owner_id AS "owner_id: _", version AS "version: _", source, receipt_id,
                  money_minor, currency_code AS "currency_code: _", occur_time, record_time, rule_ids, unit_codes,
                  earned_values, debt_repaid_values, taken_back_values, lot_ids, refunded_minor
           FROM purchase
           WHERE program = $1 AND owner_id = $2
                 AND ($3::timestamptz IS NULL OR (record_time, version, purchase_id) < ($3, $4::bigint, $5::uuid))
           ORDER BY record_time DESC, version DESC, purchase_id DESC LIMIT $6"#,
        program.as_uuid(),
        owner_id.as_uuid(),
        before.map(|before| before.record_time),
        before.map(|before| before.version.get()),
        before.map(|before| before.purchase_id.as_uuid()),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Purchase::try_from)
    .collect()
}
