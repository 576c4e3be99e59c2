//! What a redemption is, and what is to be done next with it. Pure.
//!
//! ```text
//!            hold            reserve         (write)          capture           issue
//!   BEGUN ---------> HELD -----------> RESERVED ----> CAPTURING ----------> CAPTURED -----> REDEEMED
//!     |                |                  |              |
//!     +----------------+------------------+--------------+ refused, or left by whoever began it
//!                              |
//!                           UNDOING ------------------------------> UNDONE
//!                                    release the hold, if any
//! ```
//!
//! CAPTURING is the point of no return: from there on only a refusal of the ledger to capture leads back, and it refuses
//! for good only what it will never do for the same request. A reward that is free has no hold and no capture: it goes
//! from BEGUN to RESERVED to REDEEMED.
//!
//! What a call to the ledger did is the same however often it is made, because its request id follows from the
//! redemption and the call. So whoever comes after a crash, or works on the same redemption at the same time, does the
//! step again and finds what it did; and the step that is written down is compared before the next is.

mod failure;
mod request_ids;

use chrono::{DateTime, Utc};
use fealty_types::{HoldId, MemberId, RedemptionId, RewardId, VoucherId};

pub use failure::Failure;
pub use request_ids::{LedgerCall, ledger_request_id};

use crate::catalogue::domain::{CodeSource, Price, Reward};

/// How far a redemption is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// It is written down, and counted for its member.
    Begun,
    /// The points are set aside.
    Held,
    /// Stock and code are set aside.
    Reserved,
    /// The points are about to be spent: the point of no return.
    Capturing,
    /// They are spent.
    Captured,
    /// The voucher is issued. An end.
    Redeemed,
    /// Stock, code and count are given back; the points may still be set aside.
    Undoing,
    /// Everything is as if it had never begun. An end.
    Undone,
}

/// How far it is for callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedemptionStatus {
    /// Under way.
    Pending,
    /// The points are spent and the voucher is issued.
    Redeemed,
    /// Everything is as if it had never begun.
    Undone,
}

/// What the ledger has set aside for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nothing: it was refused, or the reward is free.
    None,
    /// Nobody knows: it was or will be asked, and the answer is not written down.
    Unknown,
    /// This, until it ends.
    Known(HoldId),
}

/// What a redemption keeps of the reward's terms, whatever becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What it costs; None for nothing.
    pub price: Option<Price>,
    /// Where its code comes from.
    pub code_source: CodeSource,
    /// Whether stock is counted for it.
    pub stock_counted: bool,
    /// How long its voucher is good for; 0 for ever.
    pub voucher_life_days: i32,
}

/// A member gets a reward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// Its id.
    pub redemption_id: RedemptionId,
    /// Who.
    pub member_id: MemberId,
    /// What.
    pub reward_id: RewardId,
    /// On which terms.
    pub terms: Terms,
    /// How far it is.
    pub step: Step,
    /// What the ledger has set aside.
    pub hold: Hold,
    /// Whether stock and code are set aside.
    pub reserved: bool,
    /// Why it is or was undone.
    pub failure: Option<Failure>,
    /// What was issued.
    pub voucher_id: Option<VoucherId>,
    /// When it began.
    pub create_time: DateTime<Utc>,
    /// When it came to its end.
    pub end_time: Option<DateTime<Utc>>,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Have the ledger set points aside.
    Hold(Price),
    /// Set stock and code aside.
    Reserve,
    /// Write down that the points are about to be spent.
    BeginCapture,
    /// Have the ledger spend what is set aside.
    Capture(HoldId),
    /// Issue the voucher.
    Issue,
    /// Find out what the ledger has set aside, so that it can be given back.
    LearnHold(Price),
    /// Have the ledger give back what is set aside.
    Release(HoldId),
    /// Write down that everything was given back.
    EndUndone,
}

impl Step {
    /// Whether it has come to its end.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Redeemed | Self::Undone)
    }

    /// Whether whoever takes it over may decide to undo it: nothing can have been spent yet.
    #[must_use]
    pub const fn is_before_capture(self) -> bool {
        matches!(self, Self::Begun | Self::Held | Self::Reserved)
    }
}

impl Redemption {
    /// A redemption as it begins.
    #[must_use]
    pub fn begin(
        redemption_id: RedemptionId,
        member_id: MemberId,
        reward: &Reward,
        now: DateTime<Utc>,
    ) -> Self {
        let price = reward.terms.price.clone();
        Self {
            redemption_id,
            member_id,
            reward_id: reward.reward_id,
            step: Step::Begun,
            // From here on the ledger may be asked at any moment.
            hold: if price.is_some() {
                Hold::Unknown
            } else {
                Hold::None
            },
            terms: Terms {
                price,
                code_source: reward.code_source,
                stock_counted: reward.counts_stock(),
                voucher_life_days: reward.terms.voucher_life_days,
            },
            reserved: false,
            failure: None,
            voucher_id: None,
            create_time: now,
            end_time: None,
        }
    }

    /// How far it is for callers.
    #[must_use]
    pub const fn status(&self) -> RedemptionStatus {
        match self.step {
            Step::Redeemed => RedemptionStatus::Redeemed,
            Step::Undone => RedemptionStatus::Undone,
            _ => RedemptionStatus::Pending,
        }
    }

    /// What is to be done next; None once it has ended.
    #[must_use]
    pub fn next_work(&self) -> Option<Work> {
        match (self.step, self.hold, &self.terms.price) {
            (Step::Begun, Hold::Unknown, Some(price)) => Some(Work::Hold(price.clone())),
            (Step::Begun | Step::Held, _, _) => Some(Work::Reserve),
            (Step::Reserved, Hold::Known(_), _) => Some(Work::BeginCapture),
            (Step::Capturing, Hold::Known(hold_id), _) => Some(Work::Capture(hold_id)),
            (Step::Reserved | Step::Capturing | Step::Captured, _, _) => Some(Work::Issue),
            (Step::Undoing, Hold::Known(hold_id), _) => Some(Work::Release(hold_id)),
            (Step::Undoing, Hold::Unknown, Some(price)) => Some(Work::LearnHold(price.clone())),
            (Step::Undoing, _, _) => Some(Work::EndUndone),
            (Step::Redeemed | Step::Undone, _, _) => None,
        }
    }

    /// After the ledger has set the points aside.
    #[must_use]
    pub fn held(self, hold_id: HoldId) -> Self {
        Self {
            step: Step::Held,
            hold: Hold::Known(hold_id),
            ..self
        }
    }

    /// After stock and code have been set aside.
    #[must_use]
    pub fn reserved(self) -> Self {
        Self {
            step: Step::Reserved,
            reserved: true,
            ..self
        }
    }

    /// Before the points are spent.
    #[must_use]
    pub fn capturing(self) -> Self {
        Self {
            step: Step::Capturing,
            ..self
        }
    }

    /// After they were.
    #[must_use]
    pub fn captured(self) -> Self {
        Self {
            step: Step::Captured,
            ..self
        }
    }

    /// After the voucher was issued.
    #[must_use]
    pub fn redeemed(self, voucher_id: VoucherId, now: DateTime<Utc>) -> Self {
        Self {
            step: Step::Redeemed,
            voucher_id: Some(voucher_id),
            end_time: Some(now.max(self.create_time)),
            ..self
        }
    }

    /// After stock, code and count were given back, for that reason.
    #[must_use]
    pub fn turned_back(self, failure: Failure) -> Self {
        Self {
            step: Step::Undoing,
            reserved: false,
            failure: Some(failure),
            ..self
        }
    }

    /// After the ledger refused to set anything aside: there is nothing to give back to it.
    #[must_use]
    pub fn without_hold(self) -> Self {
        Self {
            hold: Hold::None,
            ..self
        }
    }

    /// After it turned out what the ledger has set aside.
    #[must_use]
    pub fn with_hold(self, hold_id: HoldId) -> Self {
        Self {
            hold: Hold::Known(hold_id),
            ..self
        }
    }

    /// After everything was given back.
    #[must_use]
    pub fn undone(self, now: DateTime<Utc>) -> Self {
        Self {
            step: Step::Undone,
            hold: Hold::None,
            end_time: Some(now.max(self.create_time)),
            ..self
        }
    }
}

#[cfg(test)]
mod properties;
