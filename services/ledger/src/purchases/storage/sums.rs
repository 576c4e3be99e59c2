//! The sums of a source's purchases and refunds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{ProgramId, UnitCode};
use sqlx::PgConnection;

use crate::purchases::domain::{Sums, SumsFilter, UnitSums};

/// The bounds of a filter, as the statements take them.
struct Bounds<'a> {
    program: ProgramId,
    source: &'a str,
    from: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
}

/// What a source has sent. All statements see one instant when the transaction is REPEATABLE READ.
pub(in crate::purchases) async fn summarize_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    filter: &SumsFilter,
) -> Result<Sums, StorageError> {
    let bounds = Bounds {
        program,
        source: &filter.source,
        from: filter.from,
        before: filter.before,
    };
    let mut sums = Sums::default();
    (sums.purchase_count, sums.purchase_minor) = sum_purchases_in_tx(&mut *tx, &bounds).await?;
    (sums.refund_count, sums.refund_minor) = sum_refunds_in_tx(&mut *tx, &bounds).await?;
    sum_earnings_in_tx(&mut *tx, &bounds, &mut sums.units).await?;
    sum_taken_back_in_tx(tx, &bounds, &mut sums.units).await?;
    Ok(sums)
}

async fn sum_purchases_in_tx(
    tx: &mut PgConnection,
    bounds: &Bounds<'_>,
) -> Result<(i64, i128), StorageError> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", coalesce(sum(money_minor), 0)::text AS "minor!" FROM purchase
           WHERE program = $1 AND source = $2 AND ($3::timestamptz IS NULL OR occur_time >= $3)
             AND ($4::timestamptz IS NULL OR occur_time < $4)"#,
        bounds.program.as_uuid(),
        bounds.source,
        bounds.from,
        bounds.before,
    )
    .fetch_one(tx)
    .await?;
    Ok((row.count, wide(&row.minor)?))
}

async fn sum_refunds_in_tx(tx: &mut PgConnection, bounds: &Bounds<'_>) -> Result<(i64, i128), StorageError> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", coalesce(sum(money_minor), 0)::text AS "minor!" FROM refund
           WHERE program = $1 AND source = $2 AND ($3::timestamptz IS NULL OR occur_time >= $3)
             AND ($4::timestamptz IS NULL OR occur_time < $4)"#,
        bounds.program.as_uuid(),
        bounds.source,
        bounds.from,
        bounds.before,
    )
    .fetch_one(tx)
    .await?;
    Ok((row.count, wide(&row.minor)?))
}

async fn sum_earnings_in_tx(
    tx: &mut PgConnection,
    bounds: &Bounds<'_>,
    units: &mut BTreeMap<UnitCode, UnitSums>,
) -> Result<(), StorageError> {
    let rows = sqlx::query!(
        r#"SELECT unit_code AS "unit_code!: UnitCode", sum(earned)::text AS "earned!", sum(repaid)::text AS "repaid!"
           FROM (SELECT unnest(unit_codes) AS unit_code, unnest(earned_values) AS earned,
                        unnest(debt_repaid_values) AS repaid
                 FROM purchase
                 WHERE program = $1 AND source = $2 AND ($3::timestamptz IS NULL OR occur_time >= $3)
                   AND ($4::timestamptz IS NULL OR occur_time < $4)) AS earning
           GROUP BY unit_code"#,
        bounds.program.as_uuid(),
        bounds.source,
        bounds.from,
        bounds.before,
    )
    .fetch_all(tx)
    .await?;
    for row in rows {
        let unit = units.entry(row.unit_code).or_default();
        unit.earned = wide(&row.earned)?;
        unit.debt_repaid = wide(&row.repaid)?;
    }
    Ok(())
}

async fn sum_taken_back_in_tx(
    tx: &mut PgConnection,
    bounds: &Bounds<'_>,
    units: &mut BTreeMap<UnitCode, UnitSums>,
) -> Result<(), StorageError> {
    let rows = sqlx::query!(
        r#"SELECT unit_code AS "unit_code!: UnitCode", sum(from_available)::text AS "from_available!",
                  sum(as_debt)::text AS "as_debt!", sum(waived)::text AS "waived!",
                  count(*) FILTER (WHERE as_debt > 0 OR waived > 0) AS "shortfall_count!"
           FROM (SELECT unnest(unit_codes) AS unit_code, unnest(from_available_values) AS from_available,
                        unnest(as_debt_values) AS as_debt, unnest(waived_values) AS waived
                 FROM refund
                 WHERE program = $1 AND source = $2 AND ($3::timestamptz IS NULL OR occur_time >= $3)
                   AND ($4::timestamptz IS NULL OR occur_time < $4)) AS taken
           GROUP BY unit_code"#,
        bounds.program.as_uuid(),
        bounds.source,
        bounds.from,
        bounds.before,
    )
    .fetch_all(tx)
    .await?;
    for row in rows {
        let unit = units.entry(row.unit_code).or_default();
        unit.from_available = wide(&row.from_available)?;
        unit.as_debt = wide(&row.as_debt)?;
        unit.waived = wide(&row.waived)?;
        unit.shortfall_count = row.shortfall_count;
    }
    Ok(())
}

/// A sum of 64-bit numbers, which Postgres gives in more digits than they have.
fn wide(text: &str) -> Result<i128, StorageError> {
    text.parse()
        .map_err(|error| StorageError::corrupt("a sum of purchases", error))
}
