//! Limits and what was spent, in the database.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::{OwnerId, Points, ProgramId, UnitCode};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::domain::{Key, Spending, SpendingLimit, SpendingLimits, Spent};

/// One limit in the owner's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LimitRow {
    unit_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    day_value_max: Option<Points>,
    #[serde(skip_serializing_if = "Option::is_none")]
    month_value_max: Option<Points>,
}

impl LimitRow {
    /// The limits that rows say.
    pub(crate) fn limits(rows: Vec<Self>) -> Result<SpendingLimits, StorageError> {
        let limits = rows.into_iter().map(|row| {
            let unit_code = row.unit_code.parse::<UnitCode>();
            let limit = SpendingLimit {
                day_value_max: row.day_value_max,
                month_value_max: row.month_value_max,
            };
            Ok((
                unit_code.map_err(|error| StorageError::corrupt("owner.spending_limits", error))?,
                limit,
            ))
        });
        limits.collect()
    }

    fn of(limits: &SpendingLimits) -> Option<Json<Vec<Self>>> {
        let rows = limits.iter().map(|(unit_code, limit)| Self {
            unit_code: unit_code.to_string(),
            day_value_max: limit.day_value_max,
            month_value_max: limit.month_value_max,
        });
        let rows: Vec<Self> = rows.collect();
        (!rows.is_empty()).then_some(Json(rows))
    }
}

/// What an owner's row says of limits.
#[derive(Debug)]
pub(crate) struct LimitedOwner {
    /// What it is.
    pub(crate) kind: String,
    /// Whose account they use; their own if none.
    pub(crate) account_owner_id: Option<OwnerId>,
    /// What they may spend.
    pub(crate) limits: SpendingLimits,
}

/// Sets limits, unless that revision or a newer one was set before. Waits for the postings that hold the owner's lock, and
/// those that come after see it.
pub(crate) async fn set_limits_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
    (limits, revision): (&SpendingLimits, i64),
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE owner SET spending_limits = $3, limits_revision = $4 \
         WHERE program = $1 AND owner_id = $2 AND limits_revision < $4",
        program.as_uuid(),
        owner_id.as_uuid(),
        LimitRow::of(limits) as Option<Json<Vec<LimitRow>>>,
        revision,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// An owner as their limits see them; none where the program has no such owner.
pub(crate) async fn find_account_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<Option<LimitedOwner>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT kind, account_owner_id AS "account_owner_id: OwnerId",
                  spending_limits AS "spending_limits: Json<Vec<LimitRow>>"
           FROM owner WHERE program = $1 AND owner_id = $2"#,
        program.as_uuid(),
        owner_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    row.map(|row| {
        let rows = row.spending_limits.map(|Json(rows)| rows);
        Ok(LimitedOwner {
            kind: row.kind,
            account_owner_id: row.account_owner_id,
            limits: LimitRow::limits(rows.unwrap_or_default())?,
        })
    })
    .transpose()
}

/// What was spent of these accounts by whoever has limits. For no account nothing is read.
pub(crate) async fn load_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    accounts: &BTreeSet<OwnerId>,
) -> Result<Spending, StorageError> {
    if accounts.is_empty() {
        return Ok(Spending::default());
    }
    let accounts: Vec<Uuid> = accounts.iter().map(OwnerId::as_uuid).collect();
    let zone = sqlx::query_scalar!(
        "SELECT time_zone FROM program WHERE program = $1",
        program.as_uuid()
    )
    .fetch_one(&mut *tx)
    .await?;
    let zone = zone.parse::<Tz>();
    let zone = zone.map_err(|error| StorageError::corrupt("program.time_zone", error))?;
    let rows = sqlx::query!(
        r#"SELECT account_owner_id AS "account_owner_id: OwnerId", owner_id AS "owner_id: OwnerId",
                  unit_code AS "unit_code: UnitCode", day, day_value AS "day_value: Points",
                  month_value AS "month_value: Points"
           FROM spending WHERE program = $1 AND account_owner_id = ANY($2)"#,
        program.as_uuid(),
        &accounts,
    )
    .fetch_all(tx)
    .await?;
    let all = rows.into_iter().map(|row| {
        let key = Key {
            account_owner_id: row.account_owner_id,
            owner_id: row.owner_id,
            unit_code: row.unit_code,
        };
        let spent = Spent {
            day: row.day,
            day_value: row.day_value,
            month_value: row.month_value,
        };
        (key, spent)
    });
    Ok(Spending::of(zone, all.collect::<BTreeMap<_, _>>()))
}

/// Writes what changed.
pub(crate) async fn write_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    spending: &Spending,
) -> Result<(), StorageError> {
    let touched: Vec<(&Key, &Spent)> = spending.touched().collect();
    if touched.is_empty() {
        return Ok(());
    }
    let accounts: Vec<Uuid> = touched
        .iter()
        .map(|(key, _)| key.account_owner_id.as_uuid())
        .collect();
    let owners: Vec<Uuid> = touched.iter().map(|(key, _)| key.owner_id.as_uuid()).collect();
    let units: Vec<String> = touched.iter().map(|(key, _)| key.unit_code.to_string()).collect();
    let days: Vec<NaiveDate> = touched.iter().map(|(_, spent)| spent.day).collect();
    let day_values: Vec<i64> = touched.iter().map(|(_, spent)| spent.day_value.get()).collect();
    let month_values: Vec<i64> = touched.iter().map(|(_, spent)| spent.month_value.get()).collect();
    let written = sqlx::query!(
        r#"INSERT INTO spending AS s (program, account_owner_id, owner_id, unit_code, day, day_value, month_value)
           SELECT p.program, u.account_owner_id, u.owner_id, u.unit_code, u.day, u.day_value, u.month_value
           FROM program p, unnest($2::uuid[], $3::uuid[], $4::text[], $5::date[], $6::bigint[], $7::bigint[])
                AS u (account_owner_id, owner_id, unit_code, day, day_value, month_value)
           WHERE p.program = $1 ORDER BY u.account_owner_id, u.owner_id, u.unit_code
           ON CONFLICT (program, account_owner_id, owner_id, unit_code)
           DO UPDATE SET day = EXCLUDED.day, day_value = EXCLUDED.day_value, month_value = EXCLUDED.month_value"#,
        program.as_uuid(),
        &accounts,
        &owners,
        &units,
        &days,
        &day_values,
        &month_values,
    )
    .execute(tx)
    .await?;
    if usize::try_from(written.rows_affected()) == Ok(touched.len()) {
        Ok(())
    } else {
        Err(StorageError::corrupt("spending", "not all rows were written"))
    }
}
