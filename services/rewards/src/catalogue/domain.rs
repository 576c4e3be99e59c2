//! What a reward is, how its terms change, and to whom it is offered. Pure.

mod codes;
mod tier;

use chrono::{DateTime, Utc};
use fealty_types::{MemberId, Points, RewardId, UnitCode, Version};

pub use codes::{CODES_MAX, PoolCode, PoolCodeError, find_repeated};
pub use tier::{TierCode, TierCodeError};

use crate::refusal::Refusal;

/// Most of a reward that can be in stock: more than anybody stores, and far from where a sum would overflow.
pub const STOCK_MAX: i64 = 1_000_000_000_000;

/// What a reward costs: above zero, of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Of which unit of the ledger.
    pub unit_code: UnitCode,
    /// How many.
    pub value: Points,
}

/// Whether a reward is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RewardStatus {
    /// Not yet.
    Draft,
    /// Within its dates.
    Active,
    /// Not any more.
    Ended,
}

/// Where the codes of vouchers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeSource {
    /// This service makes them.
    Generated,
    /// The program brings them.
    Pool,
}

/// What a program says of a reward, and may say differently later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What people call it.
    pub display_name: String,
    /// What it is.
    pub description: String,
    /// What it costs; None for nothing.
    pub price: Option<Price>,
    /// Whether it is offered.
    pub status: RewardStatus,
    /// Offered from then on; None for always.
    pub start_time: Option<DateTime<Utc>>,
    /// Offered until then; None for ever.
    pub end_time: Option<DateTime<Utc>>,
    /// For members of these tiers; empty for everybody.
    pub tier_codes: Vec<TierCode>,
    /// How often one member can redeem it; 0 for any number.
    pub per_member_count_max: i32,
    /// How long a voucher is good for; 0 for ever.
    pub voucher_life_days: i32,
}

/// Something that members can get for their points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reward {
    /// Its id.
    pub reward_id: RewardId,
    /// What the program says of it.
    pub terms: Terms,
    /// Where its codes come from; fixed once made, since the codes of a pool belong to their reward.
    pub code_source: CodeSource,
    /// Whether nothing but codes is counted.
    pub stock_unlimited: bool,
    /// How many are left.
    pub stock_left: i64,
    /// Counts the changes of the terms: what an etag names.
    pub revision: Version,
    /// When it was added.
    pub create_time: DateTime<Utc>,
    /// When its terms last changed.
    pub update_time: DateTime<Utc>,
}

/// A reward to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReward {
    /// What the program says of it.
    pub terms: Terms,
    /// Where its codes come from.
    pub code_source: CodeSource,
    /// Whether there are as many as anybody wants.
    pub stock_unlimited: bool,
    /// How many there are to begin with.
    pub stock_count: i64,
}

/// A new value for a field, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays.
    #[default]
    Keep,
    /// It becomes this.
    Set(T),
}

/// New values for some of a reward's terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TermsChange {
    /// What people call it.
    pub display_name: Change<String>,
    /// What it is.
    pub description: Change<String>,
    /// What it costs.
    pub price: Change<Option<Price>>,
    /// Whether it is offered.
    pub status: Change<RewardStatus>,
    /// Offered from then on.
    pub start_time: Change<Option<DateTime<Utc>>>,
    /// Offered until then.
    pub end_time: Change<Option<DateTime<Utc>>>,
    /// For members of these tiers.
    pub tier_codes: Change<Vec<TierCode>>,
    /// How often one member can redeem it.
    pub per_member_count_max: Change<i32>,
    /// How long a voucher is good for.
    pub voucher_life_days: Change<i32>,
}

/// What members says of somebody who wants a reward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub member_id: MemberId,
    /// What they are if they are not active.
    pub inactive: Option<&'static str>,
    /// Their tiers, of each ladder one at the most.
    pub tier_codes: Vec<String>,
}

impl<T> Change<T> {
    fn apply(self, field: &mut T) {
        if let Self::Set(value) = self {
            *field = value;
        }
    }
}

impl NewReward {
    /// The reward as it starts. Where codes come from a pool, the pool is the stock, and it is empty.
    #[must_use]
    pub fn start(self, reward_id: RewardId, now: DateTime<Utc>) -> Reward {
        let uncounted = self.stock_unlimited || self.code_source == CodeSource::Pool;
        Reward {
            reward_id,
            terms: self.terms,
            code_source: self.code_source,
            stock_unlimited: uncounted,
            stock_left: if uncounted { 0 } else { self.stock_count },
            revision: Version::ZERO,
            create_time: now,
            update_time: now,
        }
    }
}

impl Reward {
    /// The reward after the change; None when it would change nothing.
    pub fn changed(&self, change: TermsChange, now: DateTime<Utc>) -> Result<Option<Self>, Refusal> {
        let mut terms = self.terms.clone();
        change.display_name.apply(&mut terms.display_name);
        change.description.apply(&mut terms.description);
        change.price.apply(&mut terms.price);
        change.status.apply(&mut terms.status);
        change.start_time.apply(&mut terms.start_time);
        change.end_time.apply(&mut terms.end_time);
        change.tier_codes.apply(&mut terms.tier_codes);
        change.per_member_count_max.apply(&mut terms.per_member_count_max);
        change.voucher_life_days.apply(&mut terms.voucher_life_days);
        if terms == self.terms {
            return Ok(None);
        }
        if !terms.has_sound_dates() {
            return Err(Refusal::FieldInvalid {
                field: "reward.end_time",
                description: "must be after start_time",
            });
        }
        Ok(Some(Self {
            terms,
            revision: self.revision.next().ok_or(Refusal::Contended)?,
            // A clock that was set back must not make a change older than the one before.
            update_time: now.max(self.update_time),
            ..self.clone()
        }))
    }

    /// Whether something is counted for each redemption: pieces or codes.
    #[must_use]
    pub fn counts_stock(&self) -> bool {
        !self.stock_unlimited || self.code_source == CodeSource::Pool
    }

    /// Whether it is offered to somebody at that time, with what is left.
    pub fn offer_to(&self, candidate: &Candidate, now: DateTime<Utc>) -> Result<(), Refusal> {
        if !self.terms.are_offered_at(now) {
            return Err(Refusal::RewardUnavailable(self.reward_id));
        }
        if let Some(status) = candidate.inactive {
            return Err(Refusal::MemberNotActive {
                member_id: candidate.member_id,
                status,
            });
        }
        if !self.terms.are_for_tiers(&candidate.tier_codes) {
            return Err(Refusal::NotEligible {
                reward_id: self.reward_id,
                tier_codes: candidate.tier_codes.clone(),
            });
        }
        if self.counts_stock() && self.stock_left == 0 {
            return Err(Refusal::OutOfStock(self.reward_id));
        }
        Ok(())
    }

    /// Refuses a price that is another one than the member was told.
    pub fn check_price(&self, expected: Option<&Price>) -> Result<(), Refusal> {
        match expected {
            Some(expected) if self.terms.price.as_ref() != Some(expected) => Err(Refusal::PriceChanged {
                reward_id: self.reward_id,
                price: self.terms.price.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// How many are left after some come or go.
    pub fn adjusted_stock(&self, change_count: i64) -> Result<i64, Refusal> {
        if !self.counts_stock() || self.code_source == CodeSource::Pool {
            return Err(Refusal::FieldInvalid {
                field: "reward_id",
                description: "must be a reward with a stock that is counted",
            });
        }
        match self.stock_left.checked_add(change_count) {
            Some(stock_left) if stock_left < 0 => Err(Refusal::OutOfStock(self.reward_id)),
            Some(stock_left) if stock_left <= STOCK_MAX => Ok(stock_left),
            _ => Err(Refusal::FieldInvalid {
                field: "change_count",
                description: "must leave at most 1,000,000,000,000 in stock",
            }),
        }
    }
}

impl Terms {
    /// Whether the end, if there is one, lies after the start.
    #[must_use]
    pub fn has_sound_dates(&self) -> bool {
        match (self.start_time, self.end_time) {
            (Some(start_time), Some(end_time)) => start_time < end_time,
            _ => true,
        }
    }

    /// Whether it is offered at that time.
    #[must_use]
    pub fn are_offered_at(&self, now: DateTime<Utc>) -> bool {
        self.status == RewardStatus::Active
            && self.start_time.is_none_or(|start_time| start_time <= now)
            && self.end_time.is_none_or(|end_time| now < end_time)
    }

    fn are_for_tiers(&self, held: &[String]) -> bool {
        let has = |one: &TierCode| held.iter().any(|code| code == one.as_str());
        self.tier_codes.is_empty() || self.tier_codes.iter().any(has)
    }
}

#[cfg(test)]
mod tests;
