//! A call that changes balances, and what it is answered.

use chrono::{DateTime, Utc};
use fealty_types::{Money, OwnerId, RequestId, TransactionId, Version};

use super::domain::{Transaction, TransactionKind};
use super::room::Moment;

/// A call that changes an owner's balances, parsed.
#[derive(Debug, Clone)]
pub struct Call<W> {
    /// The attempt.
    pub request_id: RequestId,
    /// Of the command: another one under the same id is refused.
    pub command_hash: [u8; 32],
    /// Whose balances.
    pub owner_id: OwnerId,
    /// Of a transfer: to whom. Of a reversal: who has what waits of it. Waits in the lane of the first, and locks both.
    pub counterpart_id: Option<OwnerId>,
    /// Of what follows from something earlier (a reversal, the end of a hold, an activation): who was named by that, if
    /// that was not `owner_id`. It is recorded on their behalf.
    pub on_behalf_of: Option<OwnerId>,
    /// What kind of transaction it makes.
    pub kind: TransactionKind,
    /// System in which it happened.
    pub source: String,
    /// That system's own number for it: recorded once.
    pub receipt_id: Option<String>,
    /// The money of a purchase or refund.
    pub money: Option<Money>,
    /// Who asks.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it happened; now if the caller does not say.
    pub occur_time: Option<DateTime<Utc>>,
    /// Where in which trace it came, if that is recorded: what follows from it belongs there. Filled in when it is posted.
    pub trace_parent: Option<String>,
    /// What only the call's room knows.
    pub work: W,
}

impl<W> Call<W> {
    /// The same with another work.
    pub(super) fn map_work<V>(self, map: impl FnOnce(W) -> V) -> Call<V> {
        Call {
            request_id: self.request_id,
            command_hash: self.command_hash,
            owner_id: self.owner_id,
            counterpart_id: self.counterpart_id,
            on_behalf_of: self.on_behalf_of,
            kind: self.kind,
            source: self.source,
            receipt_id: self.receipt_id,
            money: self.money,
            actor: self.actor,
            reason: self.reason,
            occur_time: self.occur_time,
            trace_parent: self.trace_parent,
            work: map(self.work),
        }
    }

    /// Whom it names.
    pub(super) fn owner_ids(&self) -> impl Iterator<Item = OwnerId> + use<W> {
        std::iter::once(self.owner_id).chain(self.counterpart_id)
    }

    /// A transaction bears the id of the request that makes it: its caller knows it before the answer comes.
    pub(super) fn transaction_id(&self) -> TransactionId {
        TransactionId::try_from(self.request_id.as_uuid()).expect("a request's id is never nil")
    }

    /// Source and number of its receipt.
    pub(super) fn receipt(&self) -> Option<(String, String)> {
        Some((self.source.clone(), self.receipt_id.clone()?))
    }

    /// What it will be recorded as, but for what is decided.
    pub(super) fn transaction(&self, moment: &Moment, account_owner_id: OwnerId) -> Transaction {
        Transaction {
            transaction_id: moment.transaction_id,
            owner_id: account_owner_id,
            on_behalf_of: Some(self.on_behalf_of.unwrap_or(self.owner_id))
                .filter(|named| *named != account_owner_id),
            version: Version::ZERO,
            kind: self.kind,
            entries: Vec::new(),
            lot_movements: Vec::new(),
            source: self.source.clone(),
            receipt_id: self.receipt_id.clone(),
            purchase_id: None,
            money: self.money,
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            request_id: Some(self.request_id),
            occur_time: moment.occur_time,
            record_time: moment.record_time,
            counterpart: None,
            reversed_transaction_id: None,
            hold_id: None,
        }
    }
}

/// What a call is answered, now or when it came first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it was accepted: then the message is the method's response, else a `google.rpc.Status`.
    pub accepted: bool,
    /// Whether it was given before.
    pub replayed: bool,
    /// The message, encoded.
    pub message: Vec<u8>,
}
