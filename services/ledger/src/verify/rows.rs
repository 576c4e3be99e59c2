//! Rows as they are found: nothing is taken for granted, so that what was tampered with can be read and named.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

/// A transaction, with the row that its kind has elsewhere.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "columns are named as in the table")]
pub(super) struct Transaction {
    pub(super) owner_id: Uuid,
    pub(super) version: i64,
    pub(super) transaction_id: Uuid,
    pub(super) kind: String,
    pub(super) request_id: Option<Uuid>,
    pub(super) command_hash: Option<Vec<u8>>,
    pub(super) answer: Option<Vec<u8>>,
    pub(super) source: String,
    pub(super) receipt_id: Option<String>,
    pub(super) purchase_id: Option<Uuid>,
    pub(super) money_minor: Option<i64>,
    pub(super) currency_code: Option<String>,
    pub(super) entries: Value,
    pub(super) lot_movements: Value,
    pub(super) unit_codes: Vec<String>,
    pub(super) actor: String,
    pub(super) reason: String,
    pub(super) on_behalf_of: Option<Uuid>,
    pub(super) occur_time: DateTime<Utc>,
    pub(super) record_time: DateTime<Utc>,
    pub(super) chain_hash: Option<Vec<u8>>,
    pub(super) feed_xid: i64,
    pub(super) counterpart_transaction_id: Option<Uuid>,
    pub(super) counterpart_owner_id: Option<Uuid>,
    pub(super) reversed_transaction_id: Option<Uuid>,
    pub(super) hold_id: Option<Uuid>,
    /// Of a hold, of what ended it, of a purchase or a refund: its row. Of a transfer: the other side's. Of a reversal: what it
    /// took back.
    pub(super) side: Option<Value>,
}

impl Transaction {
    /// Who was named.
    pub(super) fn named_owner_id(&self) -> Uuid {
        self.on_behalf_of.unwrap_or(self.owner_id)
    }
}

/// Nothing may be in an entry that is in no hash.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) account: String,
    pub(super) unit: String,
    pub(super) value: i64,
    #[serde(default)]
    pub(super) balance: Option<i64>,
    #[serde(default)]
    pub(super) budget: Option<String>,
}

/// The same of a movement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Movement {
    pub(super) lot: Uuid,
    pub(super) unit: String,
    pub(super) value: i64,
    #[serde(default)]
    pub(super) end: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(super) slides: bool,
    #[serde(default)]
    pub(super) budget: Option<String>,
    #[serde(default)]
    pub(super) begin: Option<Begin>,
}

/// When a lot begins that waits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Begin {
    At(DateTime<Utc>),
    /// "call", and nothing else.
    On(String),
}

impl Begin {
    /// The time, if it is one.
    pub(super) const fn time(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(time) => Some(*time),
            Self::On(_) => None,
        }
    }
}

/// A hold's claim.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    pub(super) lot: Uuid,
    pub(super) value: i64,
    #[serde(default)]
    pub(super) captured: i64,
}

/// A row of `hold`, as JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Hold {
    pub(super) owner_id: Uuid,
    pub(super) unit_code: String,
    pub(super) value: i64,
    pub(super) captured_value: i64,
    pub(super) status: String,
    pub(super) expire_time: DateTime<Utc>,
    pub(super) create_time: DateTime<Utc>,
    pub(super) source: String,
    pub(super) on_behalf_of: Option<Uuid>,
    pub(super) pins: Vec<Pin>,
}

/// A row of `purchase`, as JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Purchase {
    pub(super) owner_id: Uuid,
    pub(super) version: i64,
    pub(super) source: String,
    pub(super) receipt_id: String,
    pub(super) money_minor: i64,
    pub(super) currency_code: String,
    pub(super) occur_time: DateTime<Utc>,
    pub(super) record_time: DateTime<Utc>,
    pub(super) unit_codes: Vec<String>,
    pub(super) earned_values: Vec<i64>,
    pub(super) debt_repaid_values: Vec<i64>,
    pub(super) lot_ids: Vec<Uuid>,
}

/// A row of `refund`, as JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub(super) purchase_id: Option<Uuid>,
    pub(super) owner_id: Uuid,
    pub(super) source: String,
    pub(super) money_minor: i64,
    pub(super) currency_code: String,
    pub(super) occur_time: DateTime<Utc>,
    pub(super) unit_codes: Vec<String>,
    pub(super) from_available_values: Vec<i64>,
    pub(super) as_debt_values: Vec<i64>,
    pub(super) waived_values: Vec<i64>,
}

/// What the other side of a transfer says, as JSON.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "columns are named as in the table")]
pub(super) struct Counterpart {
    pub(super) owner_id: Uuid,
    pub(super) kind: String,
    pub(super) request_id: Option<Uuid>,
    pub(super) counterpart_transaction_id: Option<Uuid>,
    pub(super) counterpart_owner_id: Option<Uuid>,
    pub(super) record_time: DateTime<Utc>,
    pub(super) entries: Value,
}

/// What a reversal took back, as JSON: its transaction, what the hold claimed that it captured, and the row of `reversal`.
#[derive(Debug, Deserialize)]
pub(super) struct Reversed {
    pub(super) owner_id: Uuid,
    pub(super) kind: String,
    pub(super) entries: Vec<Entry>,
    pub(super) lot_movements: Vec<Movement>,
    pub(super) pins: Option<Vec<Pin>>,
    pub(super) reversal: Option<Reversal>,
}

/// A row of `reversal`, as JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Reversal {
    pub(super) value_before: i64,
    pub(super) value: i64,
}

/// A row of `owner`.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "columns are named as in the table")]
pub(super) struct Owner {
    pub(super) owner_id: Uuid,
    pub(super) version: i64,
    pub(super) last_time: DateTime<Utc>,
    pub(super) chain_head: Option<Vec<u8>>,
}

/// A row of `account`.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) owner_id: Uuid,
    pub(super) unit_code: String,
    pub(super) available: i64,
    pub(super) held: i64,
    pub(super) debt: i64,
    pub(super) pending: i64,
    pub(super) sliding_end: Option<DateTime<Utc>>,
}

/// A row of `transfer_day`.
#[derive(Debug, Clone)]
pub(super) struct SentDay {
    pub(super) owner_id: Uuid,
    pub(super) unit_code: String,
    pub(super) day: NaiveDate,
    pub(super) sent_value: i64,
    pub(super) sent_count: i64,
    pub(super) time_zone: Option<String>,
}

/// A row of `lot`.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "columns are named as in the table")]
pub(super) struct Lot {
    pub(super) owner_id: Uuid,
    pub(super) lot_id: Uuid,
    pub(super) unit_code: String,
    pub(super) value_left: i64,
    pub(super) value_held: i64,
    pub(super) value_credited: i64,
    pub(super) expire_time: Option<DateTime<Utc>>,
    pub(super) slides: bool,
    pub(super) create_time: DateTime<Utc>,
    pub(super) budget_code: Option<String>,
    pub(super) pending: bool,
    pub(super) begin_time: Option<DateTime<Utc>>,
    pub(super) credited_by: Option<Uuid>,
}

/// Reads JSON, or says what is wrong with it.
pub(super) fn read<T: DeserializeOwned>(json: &Value) -> Result<T, String> {
    T::deserialize(json).map_err(|error| error.to_string())
}
