//! The form of entries, movements and claims in their columns.

use chrono::{DateTime, Utc};
use fealty_types::{LotId, Points, UnitCode};
use serde::{Deserialize, Serialize};

use crate::posting::domain::{Entry, EntryAccount, LotMovement, Pin};

/// An entry as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EntryRow {
    account: EntryAccount,
    unit: UnitCode,
    value: Points,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<Points>,
}

impl From<&Entry> for EntryRow {
    fn from(entry: &Entry) -> Self {
        Self {
            account: entry.account,
            unit: entry.unit_code.clone(),
            value: entry.value,
            balance: entry.balance_after,
        }
    }
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        Self {
            account: row.account,
            unit_code: row.unit,
            value: row.value,
            balance_after: row.balance,
        }
    }
}

/// A movement as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MovementRow {
    lot: LotId,
    unit: UnitCode,
    value: Points,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    slides: bool,
}

impl From<&LotMovement> for MovementRow {
    fn from(movement: &LotMovement) -> Self {
        Self {
            lot: movement.lot_id,
            unit: movement.unit_code.clone(),
            value: movement.value,
            end: movement.expire_time,
            slides: movement.slides,
        }
    }
}

impl From<MovementRow> for LotMovement {
    fn from(row: MovementRow) -> Self {
        Self {
            lot_id: row.lot,
            unit_code: row.unit,
            value: row.value,
            expire_time: row.end,
            slides: row.slides,
        }
    }
}

/// A hold's claim as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PinRow {
    lot: LotId,
    value: Points,
}

impl From<&Pin> for PinRow {
    fn from(pin: &Pin) -> Self {
        Self {
            lot: pin.lot_id,
            value: pin.value,
        }
    }
}

impl From<PinRow> for Pin {
    fn from(row: PinRow) -> Self {
        Self {
            lot_id: row.lot,
            value: row.value,
        }
    }
}
