//! What can be asked of an owner's accounts.

use chrono::{DateTime, Utc};
use fealty_types::{BudgetCode, HoldId, LotId, OwnerId, Points, UnitCode};

use super::{Activated, Lot, Reversal, TransactionKind, Wait};

/// What is to happen to one owner. Values are never below zero: whoever makes a command has parsed them. A unit comes
/// at most once in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Give points.
    Credit(Earned),
    /// Take points, all or none.
    Spend(Spent),
    /// Record a purchase, and what it earned by rules that were applied before; nothing for no unit.
    Purchase(Vec<Earned>),
    /// Record a refund, and take back what its part earned.
    Refund(Vec<TakeBack>),
    /// Set points aside, all or none.
    Hold(NewHold),
    /// Spend what an open hold has set aside, or a part; the rest is the owner's again.
    Capture(Captured),
    /// Give back what an open hold has set aside.
    Release(HoldId),
    /// Let begin what waits of a credit.
    Activate(Activated),
    /// Correct the balance.
    Adjust(Adjusted),
    /// Send points to another owner, all or none: the one half of a transfer ([`super::transfer`]).
    Send(Spent),
    /// Take what another sends: the other half.
    Receive(Received),
    /// Take back what a transaction did, or a part of it.
    Reverse(Reversal),
}

impl Command {
    /// Whether it credits something in that unit.
    pub(super) fn credits(&self, unit_code: &UnitCode) -> bool {
        let earned = match self {
            Self::Credit(earned) => std::slice::from_ref(earned),
            Self::Purchase(all) => all,
            _ => &[],
        };
        earned
            .iter()
            .any(|earned| earned.unit_code == *unit_code && earned.value.is_positive())
    }

    /// The kind of transaction that it makes.
    #[must_use]
    pub const fn kind(&self) -> TransactionKind {
        match self {
            Self::Credit(_) => TransactionKind::Credit,
            Self::Spend(_) => TransactionKind::Spend,
            Self::Purchase(_) => TransactionKind::Purchase,
            Self::Refund(_) => TransactionKind::Refund,
            Self::Hold(_) => TransactionKind::Hold,
            Self::Capture(_) => TransactionKind::Capture,
            Self::Release(_) => TransactionKind::Release,
            Self::Activate(_) => TransactionKind::Activate,
            Self::Adjust(_) => TransactionKind::Adjust,
            Self::Send(_) | Self::Receive(_) => TransactionKind::Transfer,
            Self::Reverse(_) => TransactionKind::Reverse,
        }
    }
}

/// Points of one unit to credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    /// What is counted.
    pub unit_code: UnitCode,
    /// How many.
    pub value: Points,
    /// When what is left of them ends. An end in the past credits points that are gone at once: the next posting writes
    /// them off.
    pub end: LotEnd,
    /// Which budget pays for them; `None` for the program itself.
    pub budget_code: Option<BudgetCode>,
    /// What they wait for until they count; `None` for nothing.
    pub wait: Option<Wait>,
}

impl Earned {
    /// The lot that it opens, unless there is one of its terms.
    pub(super) fn lot(&self, lot_id: LotId, at: DateTime<Utc>) -> Lot {
        let lot = Lot {
            lot_id,
            value_left: self.value,
            value_held: Points::ZERO,
            value_credited: self.value,
            expire_time: None,
            slides: false,
            create_time: at,
            budget_code: self.budget_code.clone(),
            wait: self.wait,
        };
        lot.ending(self.end)
    }
}

/// When a credited lot ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LotEnd {
    /// At an instant that stays; `None` for never.
    Fixed(Option<DateTime<Utc>>),
    /// With all that slides in the account: at the end to which this very credit moves it, or at a later one to which
    /// another activity has moved it before.
    Sliding(DateTime<Utc>),
}

/// An activity of the owner: what slides in the account of a unit, and has not ended, does not end before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slide {
    /// What is counted.
    pub unit_code: UnitCode,
    /// The end to which this activity moves it. Where it is further already, it stays.
    pub end: DateTime<Utc>,
}

/// Points of one unit to spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// What is counted.
    pub unit_code: UnitCode,
    /// How many.
    pub value: Points,
}

/// Points of one unit to take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeBack {
    /// What is counted.
    pub unit_code: UnitCode,
    /// How many.
    pub value: Points,
    /// Lots to take from before all others, such as those that the purchase opened. Lots that are empty, gone or
    /// another owner's are passed over.
    pub lots_first: Vec<LotId>,
    /// The most that the owner may owe afterwards, zero for nothing; what is beyond is waived.
    pub debt_max: Points,
    /// Which budget paid for them, and has them again; `None` for the program itself.
    pub budget_code: Option<BudgetCode>,
}

/// Points of one unit to set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHold {
    /// What the hold is to be called.
    pub hold_id: HoldId,
    /// What is counted.
    pub unit_code: UnitCode,
    /// How many. Above zero.
    pub value: Points,
    /// When it ends by itself: after the time of the decision.
    pub expire_time: DateTime<Utc>,
    /// System that asks.
    pub source: String,
    /// Who was named, if the account is another's.
    pub on_behalf_of: Option<OwnerId>,
}

/// Points of a hold to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured {
    /// Which hold.
    pub hold_id: HoldId,
    /// How many.
    pub value: Points,
}

/// How a balance of one unit is corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adjusted {
    /// There should be more.
    Up(Earned),
    /// There should be less.
    Down {
        /// How many.
        less: Spent,
        /// The most that the owner may owe afterwards, for what is not there; zero for nothing.
        debt_max: Points,
    },
}

/// Points of one unit that come from another owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What is counted.
    pub unit_code: UnitCode,
    /// As they left the other, in that order: what of each lot is on its way, with its end and its age.
    pub lots: Vec<Lot>,
}
