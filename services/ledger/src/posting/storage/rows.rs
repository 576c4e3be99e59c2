//! The form of entries, movements and claims in their columns.

use chrono::{DateTime, Utc};
use fealty_types::{BudgetCode, LotId, Points, UnitCode};
use serde::{Deserialize, Serialize};

use crate::posting::domain::{Begin, Entry, EntryAccount, LotMovement, Pin};

/// An entry as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EntryRow {
    account: EntryAccount,
    unit: UnitCode,
    value: Points,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<Points>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<BudgetCode>,
}

impl From<&Entry> for EntryRow {
    fn from(entry: &Entry) -> Self {
        Self {
            account: entry.account,
            unit: entry.unit_code.clone(),
            value: entry.value,
            balance: entry.balance_after,
            budget: entry.budget_code.clone(),
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
            budget_code: row.budget,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<BudgetCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begin: Option<BeginRow>,
}

/// When a lot begins that waits, as JSON: a time, or "call".
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum BeginRow {
    At(DateTime<Utc>),
    On(OnCall),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnCall {
    Call,
}

impl From<Begin> for BeginRow {
    fn from(begin: Begin) -> Self {
        match begin {
            Begin::At(time) => Self::At(time),
            Begin::OnCall => Self::On(OnCall::Call),
        }
    }
}

impl From<BeginRow> for Begin {
    fn from(row: BeginRow) -> Self {
        match row {
            BeginRow::At(time) => Self::At(time),
            BeginRow::On(OnCall::Call) => Self::OnCall,
        }
    }
}

impl From<&LotMovement> for MovementRow {
    fn from(movement: &LotMovement) -> Self {
        Self {
            lot: movement.lot_id,
            unit: movement.unit_code.clone(),
            value: movement.value,
            end: movement.expire_time,
            slides: movement.slides,
            budget: movement.budget_code.clone(),
            begin: movement.begin.map(BeginRow::from),
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
            budget_code: row.budget,
            begin: row.begin.map(Begin::from),
        }
    }
}

/// A hold's claim as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PinRow {
    lot: LotId,
    value: Points,
    /// Nothing for zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    captured: Option<Points>,
}

impl From<&Pin> for PinRow {
    fn from(pin: &Pin) -> Self {
        Self {
            lot: pin.lot_id,
            value: pin.value,
            captured: Some(pin.captured).filter(|captured| captured.is_positive()),
        }
    }
}

impl From<PinRow> for Pin {
    fn from(row: PinRow) -> Self {
        Self {
            lot_id: row.lot,
            value: row.value,
            captured: row.captured.unwrap_or(Points::ZERO),
        }
    }
}
