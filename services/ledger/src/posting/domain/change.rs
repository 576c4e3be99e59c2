//! What a decision did: entries, movements of lots, and what a refund took.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use fealty_types::{BudgetCode, HoldId, LotId, Points, TransactionId, UnitCode, Version};
use serde::{Deserialize, Serialize};

use super::Begin;

/// What happened to an owner, of which version it made them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What kind of thing happened.
    pub kind: TransactionKind,
    /// The owner's version that it made.
    pub version: Version,
    /// Double-entry: the values of each unit sum to zero. By unit, the owner's accounts first.
    pub entries: Vec<Entry>,
    /// What it did to which lots, in order.
    pub lot_movements: Vec<LotMovement>,
    /// What a refund took, one per unit, or the reversal of a credit; none for others.
    pub taken_back: Vec<TakenBack>,
    /// What the reversal of a spend gave back; none for others.
    pub given_back: Option<GivenBack>,
    /// What a reversal takes back; none for other kinds.
    pub reversed_transaction_id: Option<TransactionId>,
    /// The hold that was captured or released, or that ended; none for other kinds.
    pub hold_id: Option<HoldId>,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionKind {
    /// Points were given.
    Credit,
    /// Points were spent.
    Spend,
    /// Lots reached their end.
    Expire,
    /// A purchase, and what it earned.
    Purchase,
    /// A refund, and what it took back.
    Refund,
    /// Points were set aside.
    Hold,
    /// Points that were set aside were spent, all or in part.
    Capture,
    /// Points that were set aside are the owner's again: by a call, or because the hold ended.
    Release,
    /// Points moved from one owner to another. Each of the two has a transaction of its own.
    Move,
    /// Points end soon. Nothing moves.
    Notice,
    /// Points that were pending can be spent now.
    Activate,
    /// A balance was corrected.
    Adjust,
    /// An owner sent points to another. Each of the two has a transaction of its own.
    Transfer,
    /// A transaction was taken back, all or in part.
    Reverse,
}

/// The text is no kind of transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no kind of transaction")]
pub struct TransactionKindError;

impl TransactionKind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Credit,
        Self::Spend,
        Self::Expire,
        Self::Purchase,
        Self::Refund,
        Self::Hold,
        Self::Capture,
        Self::Release,
        Self::Move,
        Self::Notice,
        Self::Activate,
        Self::Adjust,
        Self::Transfer,
        Self::Reverse,
    ];

    /// Its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Spend => "spend",
            Self::Expire => "expire",
            Self::Purchase => "purchase",
            Self::Refund => "refund",
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Move => "move",
            Self::Notice => "notice",
            Self::Activate => "activate",
            Self::Adjust => "adjust",
            Self::Transfer => "transfer",
            Self::Reverse => "reverse",
        }
    }
}

impl fmt::Display for TransactionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TransactionKind {
    type Err = TransactionKindError;

    fn from_str(text: &str) -> Result<Self, TransactionKindError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(TransactionKindError)
    }
}

/// The accounts between which points move. The owner's come first, the program's follow; what a program's account
/// holds is the sum of its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryAccount {
    /// What the owner can spend.
    OwnerAvailable,
    /// What the owner owes, as a balance of zero or less.
    OwnerDebt,
    /// What is set aside for open holds of the owner.
    OwnerHeld,
    /// What is given and not yet the owner's to spend.
    OwnerPending,
    /// Points that the program has given, less those it took back.
    ProgramIssued,
    /// Points that owners spent.
    ProgramRedeemed,
    /// Points whose lot ended.
    ProgramExpired,
    /// Points that a refund could not take back and nobody owes.
    ProgramWaived,
    /// Points on their way between two owners: zero in sum, because both transactions are one commit.
    ProgramMoved,
    /// Points that corrections have given, less those they took.
    ProgramAdjusted,
}

impl EntryAccount {
    /// Its name in the database and in the canonical form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OwnerAvailable => "owner_available",
            Self::OwnerDebt => "owner_debt",
            Self::OwnerHeld => "owner_held",
            Self::OwnerPending => "owner_pending",
            Self::ProgramIssued => "program_issued",
            Self::ProgramRedeemed => "program_redeemed",
            Self::ProgramExpired => "program_expired",
            Self::ProgramWaived => "program_waived",
            Self::ProgramMoved => "program_moved",
            Self::ProgramAdjusted => "program_adjusted",
        }
    }

    /// Whether it is one of the owner's, which have balances of their own.
    #[must_use]
    pub const fn is_owners(self) -> bool {
        matches!(
            self,
            Self::OwnerAvailable | Self::OwnerDebt | Self::OwnerHeld | Self::OwnerPending
        )
    }
}

/// One side of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which account.
    pub account: EntryAccount,
    /// What is counted.
    pub unit_code: UnitCode,
    /// The program's accounts: which of its budgets it is about, if it is about one.
    pub budget_code: Option<BudgetCode>,
    /// What came to the account (positive) or left it (negative). Never zero.
    pub value: Points,
    /// The owner's accounts: the balance after it.
    pub balance_after: Option<Points>,
}

/// What a transaction did to one lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotMovement {
    /// Which lot.
    pub lot_id: LotId,
    /// What is counted.
    pub unit_code: UnitCode,
    /// What came to the lot (positive) or left it (negative). Zero where nothing but its end moved, or its end is told of.
    pub value: Points,
    /// When the lot ends, after this change; `None` for never.
    pub expire_time: Option<DateTime<Utc>>,
    /// Whether its end moves on with the owner's activity.
    pub slides: bool,
    /// Which budget paid for the lot; `None` for the program itself.
    pub budget_code: Option<BudgetCode>,
    /// Of a lot that does not count yet: when it begins.
    pub begin: Option<Begin>,
}

/// What a refund took in one unit. The four ways sum to what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenBack {
    /// What is counted.
    pub unit_code: UnitCode,
    /// From what was pending.
    pub from_pending: Points,
    /// From the owner's balance.
    pub from_available: Points,
    /// Now owed by the owner.
    pub as_debt: Points,
    /// Borne by the program.
    pub waived: Points,
}

/// What the reversal of a spend gave back in its unit. The three ways sum to what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenBack {
    /// What is counted.
    pub unit_code: UnitCode,
    /// In lots, and available again.
    pub to_lots: Points,
    /// Paid off debt.
    pub debt_repaid: Points,
    /// Gone, because their end has passed.
    pub ended: Points,
}
