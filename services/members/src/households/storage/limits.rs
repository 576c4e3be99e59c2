//! Limits in their columns.

use fealty_postgres::StorageError;
use fealty_types::{Points, UnitCode};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use crate::households::domain::{HouseholdRole, Limit, Limits};

/// One limit as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LimitRow {
    unit_code: UnitCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    day_value_max: Option<Points>,
    #[serde(skip_serializing_if = "Option::is_none")]
    month_value_max: Option<Points>,
}

/// Limits as a column holds them.
pub(crate) type LimitRows = Json<Vec<LimitRow>>;

/// What a column says; nothing for none.
pub(crate) fn limits_of(rows: Option<LimitRows>) -> Limits {
    let rows = rows.map_or_else(Vec::new, |Json(rows)| rows);
    rows.into_iter()
        .map(|row| {
            let limit = Limit {
                day_value_max: row.day_value_max,
                month_value_max: row.month_value_max,
            };
            (row.unit_code, limit)
        })
        .collect()
}

/// What a column is to hold, also where it is none.
pub(crate) fn limit_rows(limits: &Limits) -> LimitRows {
    let rows = limits.iter().map(|(unit_code, limit)| LimitRow {
        unit_code: unit_code.clone(),
        day_value_max: limit.day_value_max,
        month_value_max: limit.month_value_max,
    });
    Json(rows.collect())
}

pub(crate) fn parse_role(text: &str) -> Result<HouseholdRole, StorageError> {
    HouseholdRole::from_column(text).ok_or_else(|| StorageError::corrupt("member.household_role", text))
}
