//! The form of lots in their table.

use chrono::{DateTime, Utc};
use fealty_types::{BudgetCode, LotId, OwnerId, Points, TransactionId, UnitCode};

use crate::posting::domain::{Begin, Lot, Wait};

/// A row of `lot`, as it is selected wherever lots are read.
#[derive(Debug)]
pub(crate) struct LotRow {
    pub(crate) owner_id: OwnerId,
    pub(crate) unit_code: UnitCode,
    pub(crate) lot_id: LotId,
    pub(crate) value_left: Points,
    pub(crate) value_held: Points,
    pub(crate) value_credited: Points,
    pub(crate) expire_time: Option<DateTime<Utc>>,
    pub(crate) slides: bool,
    pub(crate) create_time: DateTime<Utc>,
    pub(crate) budget_code: Option<BudgetCode>,
    pub(crate) begin_time: Option<DateTime<Utc>>,
    pub(crate) credited_by: Option<TransactionId>,
}

impl From<LotRow> for Lot {
    fn from(row: LotRow) -> Self {
        Self {
            lot_id: row.lot_id,
            value_left: row.value_left,
            value_held: row.value_held,
            value_credited: row.value_credited,
            expire_time: row.expire_time,
            slides: row.slides,
            create_time: row.create_time,
            budget_code: row.budget_code,
            wait: row.credited_by.map(|credited_by| Wait {
                begin: row.begin_time.map_or(Begin::OnCall, Begin::At),
                credited_by,
            }),
        }
    }
}
