//! Why a use case does not do what it was asked: words of the domain, without gRPC and without SQL. [`crate::status`]
//! says what a caller is told.

use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;
use fealty_postgres::requests::ClaimError;
use fealty_postgres::{StorageError, TransactError};
use fealty_types::{
    BudgetCode, CurrencyCode, HoldId, OwnerId, Points, PurchaseId, RequestId, RuleId, TransactionId,
    UnitCode, Version,
};

use crate::posting::domain::{HoldStatus, TransactionKind};
use crate::spending::domain::Period;

/// The things of this service, as callers name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// What a program counts.
    Unit,
    /// Somebody who holds points.
    Owner,
    /// Something that happened to an owner.
    Transaction,
    /// What a till sent.
    Purchase,
    /// What purchases earn.
    EarningRule,
    /// Points that are set aside.
    Hold,
    /// Points that are not the owner's to spend yet.
    PendingLot,
    /// What pays for points.
    Budget,
    /// Points that were credited on the same terms.
    Lot,
}

impl Resource {
    /// The word that callers see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Owner => "owner",
            Self::Transaction => "transaction",
            Self::Purchase => "purchase",
            Self::EarningRule => "earning_rule",
            Self::Hold => "hold",
            Self::PendingLot => "pending_lot",
            Self::Budget => "budget",
            Self::Lot => "lot",
        }
    }
}

/// Why an owner cannot join, leave, or be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsuitable {
    /// Merged into another.
    Merged,
    /// Uses another household's account.
    InOtherHousehold,
    /// Of a kind that does not do this.
    OtherKind,
    /// Something of theirs is set aside.
    HasHolds,
    /// Does not use the household's account.
    NotInHousehold,
}

/// What the business says no to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The program has no such thing.
    NotFound {
        /// What was looked for.
        resource: Resource,
        /// By which id.
        id: String,
    },
    /// Another one has that id or code.
    Exists {
        /// What holds it.
        resource: Resource,
        /// Which one.
        id: String,
    },
    /// It has changed since the caller read it.
    EtagMismatch {
        /// What has changed.
        resource: Resource,
        /// Which one.
        id: String,
    },
    /// There are as many of it as there may be.
    CountExceeded {
        /// Of what.
        resource: Resource,
        /// How many there may be.
        count_max: i64,
    },
    /// The request id belongs to another command.
    RequestIdReused(RequestId),
    /// A value that was well formed cannot be taken now.
    FieldInvalid {
        /// The field's path as in the proto.
        field: &'static str,
        /// What would be right.
        description: &'static str,
    },
    /// The owner has fewer points than the call would take.
    InsufficientBalance {
        /// Counted in.
        unit_code: UnitCode,
        /// What there is.
        available: Points,
        /// What it takes.
        required: Points,
    },
    /// The receipt is recorded already, under another request id.
    ReceiptAlreadyUsed {
        /// The till or shop system.
        source: String,
        /// Its number.
        receipt_id: String,
        /// What recorded it.
        transaction_id: TransactionId,
    },
    /// The refund is more than what is left of the purchase.
    RefundExceedsPurchase {
        /// Which purchase.
        purchase_id: PurchaseId,
        /// What is left of it.
        refundable_minor: i64,
        /// What was to be refunded.
        required_minor: i64,
    },
    /// It is not taken back by a reversal.
    TransactionNotReversible {
        /// Which transaction.
        transaction_id: TransactionId,
        /// Of which kind.
        kind: TransactionKind,
    },
    /// The reversal is more than what is left of the transaction.
    ReversalExceedsTransaction {
        /// Which transaction.
        transaction_id: TransactionId,
        /// What is left of it.
        reversible: Points,
        /// What was to be reversed.
        required: Points,
    },
    /// The hold was captured or released, or has ended.
    HoldNotOpen {
        /// Which hold.
        hold_id: HoldId,
        /// What became of it.
        status: HoldStatus,
    },
    /// More is to be captured than is held.
    CaptureExceedsHold {
        /// Which hold.
        hold_id: HoldId,
        /// What is held.
        held: Points,
        /// What was to be captured.
        required: Points,
    },
    /// Nothing waits of what that transaction gave: it counts already, has ended, or was taken back.
    NothingPending(TransactionId),
    /// The budget has less left than the call would take.
    BudgetExhausted {
        /// Which budget.
        budget_code: BudgetCode,
        /// What is left.
        left: Points,
        /// What it takes.
        required: Points,
    },
    /// The budget's time has not come, or is over.
    BudgetNotOpen(BudgetCode),
    /// The owner is closed.
    OwnerClosed(OwnerId),
    /// The owner is suspended: nothing leaves their account.
    OwnerSuspended(OwnerId),
    /// The owner cannot take part in a move.
    OwnerUnsuitable {
        /// Who.
        owner_id: OwnerId,
        /// Why.
        why: Unsuitable,
    },
    /// Somebody else has by now what the call is about, and is not locked: it has to be looked up again.
    HeldElsewhere(OwnerId),
    /// The unit's points cannot be transferred.
    TransferNotAllowed(UnitCode),
    /// Both sides of a transfer use that owner's account.
    TransferToSelf(OwnerId),
    /// A transfer of fewer or of more points than the unit allows.
    TransferValueNotAllowed {
        /// Counted in.
        unit_code: UnitCode,
        /// What was to be sent.
        required: Points,
        /// Fewest.
        value_min: Points,
        /// Most, if there is a bound.
        value_max: Option<Points>,
    },
    /// The owner has sent as much on that day as the unit allows.
    TransferLimitReached {
        /// Counted in.
        unit_code: UnitCode,
        /// In the program's time zone.
        day: NaiveDate,
        /// Sent already.
        sent_value: Points,
        /// Most of one day, if there is a bound.
        day_value_max: Option<Points>,
        /// Transfers already.
        sent_count: i64,
        /// Most of one day, if there is a bound.
        day_count_max: Option<i64>,
    },
    /// The owner would spend more of another's account than they may.
    SpendingLimitReached {
        /// Who.
        owner_id: OwnerId,
        /// Counted in.
        unit_code: UnitCode,
        /// In which time.
        period: Period,
        /// Spent and set aside in it.
        used: Points,
        /// Most of it.
        value_max: Points,
        /// What was to be spent or set aside.
        required: Points,
    },
    /// A sum of points does not fit.
    AmountOverflow(UnitCode),
    /// A sum of money does not fit.
    MoneyOverflow(CurrencyCode),
    /// Money in a currency that is not the program's or the purchase's.
    CurrencyMismatch {
        /// What was sent.
        actual: CurrencyCode,
        /// What it must be.
        required: CurrencyCode,
    },
    /// Two rules would count the same purchase.
    RuleOverlaps(RuleId),
    /// The version asked for has not been written.
    VersionAhead {
        /// Asked for.
        version: Version,
        /// The newest.
        newest: Version,
    },
}

impl Refusal {
    /// There is no such thing.
    pub(crate) fn not_found(resource: Resource, id: impl fmt::Display) -> Self {
        Self::NotFound {
            resource,
            id: id.to_string(),
        }
    }

    /// Another one has it.
    pub(crate) fn exists(resource: Resource, id: impl fmt::Display) -> Self {
        Self::Exists {
            resource,
            id: id.to_string(),
        }
    }

    /// It has changed.
    pub(crate) fn etag_mismatch(resource: Resource, id: impl fmt::Display) -> Self {
        Self::EtagMismatch {
            resource,
            id: id.to_string(),
        }
    }
}

/// What a use case answers when it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The business says no.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The database, or the way to it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The same, met by several callers who shared one read or one commit.
    #[error(transparent)]
    SharedStorage(#[from] Arc<StorageError>),
    /// More calls wait than may. Nothing was done.
    #[error("too many calls wait")]
    Full,
    /// The process is at its hard end. Whether the call took effect, the next one with its request id tells.
    #[error("the process ends")]
    Ending,
}

impl From<Refusal> for LedgerError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ClaimError> for LedgerError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Storage(error) => error.into(),
            ClaimError::Reused(request_id) => Refusal::RequestIdReused(request_id).into(),
        }
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl TransactError for LedgerError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::SharedStorage(error) => Some(error),
            Self::Refused(_) | Self::Full | Self::Ending => None,
        }
    }
}
