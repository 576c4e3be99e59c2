//! A transaction as it is recorded.

use chrono::{DateTime, Utc};
use fealty_types::{HoldId, Money, OwnerId, PurchaseId, RequestId, TransactionId, Version};

use super::{Entry, LotMovement, TransactionKind};

/// Something that happened to an owner. Never changed once recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its id.
    pub transaction_id: TransactionId,
    /// Whose account.
    pub owner_id: OwnerId,
    /// Who was named, where that is another: somebody who uses the account.
    pub on_behalf_of: Option<OwnerId>,
    /// The owner's version that it made.
    pub version: Version,
    /// What kind of thing happened.
    pub kind: TransactionKind,
    /// Double-entry: the values of each unit sum to zero.
    pub entries: Vec<Entry>,
    /// What it did to which lots.
    pub lot_movements: Vec<LotMovement>,
    /// System in which it happened; empty for what time does by itself.
    pub source: String,
    /// That system's own number for it.
    pub receipt_id: Option<String>,
    /// The purchase that was recorded, or that was refunded.
    pub purchase_id: Option<PurchaseId>,
    /// The money of the purchase or refund.
    pub money: Option<Money>,
    /// Who did it: "key:ID", "staff:ID", or "ledger" for what time does by itself.
    pub actor: String,
    /// Why, in the words of who did it.
    pub reason: String,
    /// The attempt that made it; none for what time does by itself.
    pub request_id: Option<RequestId>,
    /// When it happened.
    pub occur_time: DateTime<Utc>,
    /// When the ledger learned of it.
    pub record_time: DateTime<Utc>,
    /// Of a transfer: the other side.
    pub counterpart: Option<Counterpart>,
    /// What a reversal takes back.
    pub reversed_transaction_id: Option<TransactionId>,
    /// The hold that was captured or released, or that ended.
    pub hold_id: Option<HoldId>,
}

/// The other side of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counterpart {
    /// The other owner's transaction.
    pub transaction_id: TransactionId,
    /// Whose account.
    pub owner_id: OwnerId,
}

impl Transaction {
    /// Who was named.
    #[must_use]
    pub fn named_owner_id(&self) -> OwnerId {
        self.on_behalf_of.unwrap_or(self.owner_id)
    }
}
