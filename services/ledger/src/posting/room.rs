//! The doors of a room that takes part in postings.

use std::future::Future;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{BudgetCode, LotId, OwnerId, ProgramId, PurchaseId, TransactionId, UnitCode};
use sqlx::PgConnection;

use super::domain::{Command, Decision, GivenBack, Hold, Slide, TakenBack, Transaction};
use crate::balances::domain::OwnerBalance;
use crate::refusal::Refusal;

/// A room whose calls change balances: three doors over slices, two of them pure, and the form of its answers.
pub trait Room: Sized + Send + Sync + 'static {
    /// The parsed call, without what every call carries.
    type Work: Send + Sync;
    /// What was read for a batch.
    type Loaded: Send + Sync;
    /// What planning found out and settling needs.
    type Draft: Send;
    /// What is written for one accepted call.
    type Row: Send + Sync;

    /// Reads, in the posting's transaction and after the owners' locks, what the batch needs.
    fn load_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        works: &[&Self::Work],
    ) -> impl Future<Output = Result<Self::Loaded, StorageError>> + Send;

    /// The budget that pays for a work, or gets something back: it is locked before anything is decided. Pure.
    fn budget_code<'a>(_loaded: &'a Self::Loaded, _work: &'a Self::Work) -> Option<&'a BudgetCode> {
        None
    }

    /// Who has what a work is about at that time, where it need not be whoever was named: the work is decided on their
    /// account. Pure.
    fn holder(_loaded: &Self::Loaded, _work: &Self::Work, _at: DateTime<Utc>) -> Option<OwnerId> {
        None
    }

    /// Turns a work into a command, or refuses it. Pure. Refusals for which [`is_remembered`] holds are stored as the
    /// answer of their request id; after others the same request id may succeed later.
    fn plan(loaded: &Self::Loaded, work: &Self::Work, moment: &Moment) -> Result<Plan<Self::Draft>, Refusal>;

    /// Lets `loaded` know of what any room's call before did in the same batch, to either side, and of what time did by
    /// itself. Pure. Most rooms need not.
    fn see(_loaded: &mut Self::Loaded, _seen: &Seen<'_>) {}

    /// Makes the row of an accepted work, and lets `loaded` know for the works after it. Pure.
    fn settle(loaded: &mut Self::Loaded, work: &Self::Work, draft: Self::Draft, posted: &Posted)
    -> Self::Row;

    /// Writes the rows of a batch in the posting's transaction.
    fn write_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        rows: Vec<Self::Row>,
    ) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// The response message, encoded: stored as the answer, and sent byte for byte to every retry.
    fn present(work: &Self::Work, posted: &Posted, row: &Self::Row) -> Vec<u8>;
}

/// What was decided in a batch, of whichever room, or of none.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The transaction that it is.
    pub transaction_id: TransactionId,
    /// Whose account.
    pub owner_id: OwnerId,
    /// What was decided.
    pub decision: &'a Decision,
}

/// When and where a work is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Who was named: it is about the account that they use.
    pub owner_id: OwnerId,
    /// Whose account that is.
    pub account_owner_id: OwnerId,
    /// The transaction that it will be.
    pub transaction_id: TransactionId,
    /// When it happened, as the caller says; the time of the decision if the caller does not say.
    pub occur_time: DateTime<Utc>,
    /// The time of the decision: Postgres's clock after the locks, and never before the owner's last change.
    pub record_time: DateTime<Utc>,
}

/// What a work comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<D> {
    /// What is to happen to the owner's accounts; nothing where things are as they should be already: the call is then
    /// accepted and remembered, and makes no transaction.
    pub command: Option<Command>,
    /// What it slides as an activity of the owner; for no command, nothing.
    pub slides: Vec<Slide>,
    /// The purchase that is recorded or refunded.
    pub purchase_id: Option<PurchaseId>,
    /// What settling needs.
    pub draft: D,
}

impl<D> Plan<D> {
    /// The same with another draft.
    pub(super) fn map_draft<E>(self, map: impl FnOnce(D) -> E) -> Plan<E> {
        Plan {
            command: self.command,
            slides: self.slides,
            purchase_id: self.purchase_id,
            draft: map(self.draft),
        }
    }
}

/// A work that was decided and accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// As it will be recorded.
    pub transaction: Transaction,
    /// Of a transfer: what will be recorded of the receiver.
    pub received: Option<Transaction>,
    /// What a refund took, one per unit of its command, in that order, or the reversal of a credit; none for others.
    pub taken_back: Vec<TakenBack>,
    /// What the reversal of a spend gave back; none for others.
    pub given_back: Option<GivenBack>,
    /// The holds that it made, ended, or moved to other lots.
    pub holds: Vec<Hold>,
    /// The owner's balances right after it.
    pub balance: OwnerBalance,
}

impl Posted {
    /// The lots of that unit to which it credited something: what a refund takes from first.
    #[must_use]
    pub fn credited_lots(&self, unit_code: &UnitCode) -> Vec<LotId> {
        let movements = self.transaction.lot_movements.iter();
        movements
            .filter(|movement| movement.unit_code == *unit_code && movement.value.is_positive())
            .map(|movement| movement.lot_id)
            .collect()
    }
}

/// Whether a refusal is a decision about the command, made for ever: a retry must never have another outcome than the
/// first. Not remembered are malformed fields and facts that are not here yet, such as an owner who is just enrolling.
#[must_use]
pub const fn is_remembered(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::InsufficientBalance { .. }
        | Refusal::AmountOverflow(_)
        | Refusal::MoneyOverflow(_)
        | Refusal::ReceiptAlreadyUsed { .. }
        | Refusal::RefundExceedsPurchase { .. }
        | Refusal::TransactionNotReversible { .. }
        | Refusal::ReversalExceedsTransaction { .. }
        | Refusal::CurrencyMismatch { .. }
        | Refusal::HoldNotOpen { .. }
        | Refusal::CaptureExceedsHold { .. }
        | Refusal::NothingPending(_)
        | Refusal::BudgetExhausted { .. }
        | Refusal::BudgetNotOpen(_)
        | Refusal::OwnerClosed(_)
        | Refusal::OwnerSuspended(_)
        | Refusal::TransferNotAllowed(_)
        | Refusal::TransferToSelf(_)
        | Refusal::TransferValueNotAllowed { .. }
        | Refusal::TransferLimitReached { .. }
        | Refusal::SpendingLimitReached { .. } => true,
        Refusal::NotFound { .. }
        | Refusal::Exists { .. }
        | Refusal::EtagMismatch { .. }
        | Refusal::CountExceeded { .. }
        | Refusal::RequestIdReused(_)
        | Refusal::FieldInvalid { .. }
        | Refusal::RuleOverlaps(_)
        | Refusal::OwnerUnsuitable { .. }
        | Refusal::HeldElsewhere(_)
        | Refusal::VersionAhead { .. } => false,
    }
}
