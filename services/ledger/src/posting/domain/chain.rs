//! The hash chain of an owner: each transaction bears a hash of itself and of the one before, so that nothing recorded can
//! be altered, removed, inserted or reordered without every later hash telling. Pure.
//!
//! What is hashed is told in `services/ledger/CHAIN.md`, for whoever wants to compute it without this code; the checker
//! (`crate::verify`) does so. It is never changed for what is recorded: what is new is added at the end of its list, and
//! only where it is set.

mod form;
#[cfg(test)]
mod tests;

use std::fmt;

use fealty_types::{BudgetCode, OwnerId, ProgramId};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Entry, LotMovement, Transaction};
use form::Form;

/// What the hash before the first transaction begins with.
const ROOT_TAG: &str = "fealty.ledger.chain.v1";
/// What the canonical form of a transaction begins with.
const TRANSACTION_TAG: &str = "fealty.ledger.transaction.v1";

/// A place in a chain: the hash of everything up to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChainHash([u8; 32]);

/// The bytes are no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 32 bytes")]
pub struct ChainHashError;

/// A transaction with all that is hashed of it.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// Whose program.
    pub program: ProgramId,
    /// What happened, final: nothing of it may change any more.
    pub transaction: &'a Transaction,
    /// Of the command; none for what time does by itself.
    pub command_hash: Option<&'a [u8]>,
    /// What the caller was told; none for what time does by itself.
    pub answer: Option<&'a [u8]>,
}

impl ChainHash {
    /// Where an owner's chain begins, before their first transaction.
    #[must_use]
    pub fn root(program: ProgramId, owner_id: OwnerId) -> Self {
        let mut form = Form::begin(ROOT_TAG);
        form.id(program.as_uuid());
        form.id(owner_id.as_uuid());
        Self(Sha256::digest(form.as_bytes()).into())
    }

    /// The place after one more transaction.
    #[must_use]
    pub fn then(self, link: &Link<'_>) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(link.form().as_bytes());
        Self(hasher.finalize().into())
    }

    /// The hash itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for ChainHash {
    type Error = ChainHashError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, ChainHashError> {
        bytes.try_into().map(Self).map_err(|_| ChainHashError)
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Link<'_> {
    /// The canonical form of what is recorded. The order is part of it.
    fn form(&self) -> Form {
        let it = self.transaction;
        let mut form = Form::begin(TRANSACTION_TAG);
        form.id(self.program.as_uuid());
        form.id(it.owner_id.as_uuid());
        form.number(it.version.get());
        form.id(it.transaction_id.as_uuid());
        form.text(it.kind.as_str());
        form.optional(it.request_id, |form, id| form.id(id.as_uuid()));
        form.optional(self.command_hash, Form::bytes);
        form.optional(self.answer, |form, answer| form.bytes(&Sha256::digest(answer)));
        form.text(&it.source);
        form.optional(it.receipt_id.as_deref(), Form::text);
        form.optional(it.purchase_id, |form, id| form.id(id.as_uuid()));
        form.optional(it.money, |form, money| form.number(money.minor));
        form.optional(it.money, |form, money| form.text(money.currency.as_str()));
        form.text(&it.actor);
        form.text(&it.reason);
        form.optional(it.on_behalf_of, |form, id| form.id(id.as_uuid()));
        form.time(it.occur_time);
        form.time(it.record_time);
        form.list(&it.entries, add_entry);
        form.list(&it.lot_movements, add_movement);
        // Each with its name, so that none can be taken for another.
        let counterpart = it.counterpart.as_ref();
        let named = [
            (
                "counterpart_transaction_id",
                counterpart.map(|it| it.transaction_id.as_uuid()),
            ),
            (
                "counterpart_owner_id",
                counterpart.map(|it| it.owner_id.as_uuid()),
            ),
            (
                "reversed_transaction_id",
                it.reversed_transaction_id.map(Uuid::from),
            ),
            ("hold_id", it.hold_id.map(Uuid::from)),
        ];
        for (name, id) in named.into_iter().filter_map(|(name, id)| Some((name, id?))) {
            form.text(name);
            form.id(id);
        }
        form
    }
}

fn add_entry(form: &mut Form, entry: &Entry) {
    form.text(entry.account.as_str());
    form.text(entry.unit_code.as_str());
    form.number(entry.value.get());
    form.optional(entry.balance_after, |form, balance| form.number(balance.get()));
    add_budget(form, entry.budget_code.as_ref());
}

fn add_movement(form: &mut Form, movement: &LotMovement) {
    form.id(movement.lot_id.as_uuid());
    form.text(movement.unit_code.as_str());
    form.number(movement.value.get());
    form.optional(movement.expire_time, Form::time);
    if movement.slides {
        form.number(1);
    }
    add_budget(form, movement.budget_code.as_ref());
    if let Some(begin) = movement.begin {
        form.text("begin");
        form.optional(begin.time(), Form::time);
    }
}

fn add_budget(form: &mut Form, budget_code: Option<&BudgetCode>) {
    if let Some(code) = budget_code {
        form.text("budget");
        form.text(code.as_str());
    }
}
