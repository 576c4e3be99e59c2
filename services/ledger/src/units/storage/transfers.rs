//! The form of transfer rules in their column.

use fealty_types::Points;
use serde::{Deserialize, Serialize};

use crate::units::domain::TransferRules;

/// Rules as JSON; where there are none, nothing can be transferred.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TransferRow {
    value_min: Points,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_max: Option<Points>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day_value_max: Option<Points>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day_count_max: Option<i64>,
}

impl From<&TransferRules> for TransferRow {
    fn from(rules: &TransferRules) -> Self {
        Self {
            value_min: rules.value_min,
            value_max: rules.value_max,
            day_value_max: rules.day_value_max,
            day_count_max: rules.day_count_max,
        }
    }
}

impl From<TransferRow> for TransferRules {
    fn from(row: TransferRow) -> Self {
        Self {
            value_min: row.value_min,
            value_max: row.value_max,
            day_value_max: row.day_value_max,
            day_count_max: row.day_count_max,
        }
    }
}
