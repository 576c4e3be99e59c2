//! What a unit is, and what its terms mean for a lot and for a shortfall. Pure.

mod expiry;
mod transfers;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_types::{Points, UnitCode, UnitScale};

use crate::posting::domain::{EndedLots, LotEnd, Slide};
pub use expiry::{
    CalendarPeriod, ExpiryPolicy, LIFE_DAYS_MAX, LIFE_MONTHS_MAX, LifeLength, LotLife, YEARS_LATER_MAX,
    YearlyDay,
};
pub use transfers::{SentOnDay, TransferRules};

/// What happens to the part of a refund that cannot be taken back because it is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShortfallPolicy {
    /// The owner owes it: what is earned next pays it off first.
    Debt,
    /// The program bears it.
    Waive,
}

/// What becomes of points that a reversal gives back to a lot whose end has passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum EndedLotPolicy {
    /// They are written off at once. What they would have come to without the spend, and what becomes of those that a hold
    /// gives back too late; nobody has a longer life for a purchase that is undone.
    #[default]
    Gone,
    /// They end as if they had been earned at the time of the reversal.
    AsEarnedNow,
}

/// What postings need to know of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitTerms {
    /// Its code within the program.
    pub code: UnitCode,
    /// Its decimals.
    pub scale: UnitScale,
    /// When lots end by themselves.
    pub expiry_policy: ExpiryPolicy,
    /// What happens to what a refund cannot take back.
    pub shortfall_policy: ShortfallPolicy,
    /// The most that one owner may owe; what is beyond is waived. Never negative.
    pub debt_max: Points,
    /// How owners may transfer it to each other; `None` for not at all.
    pub transfer_rules: Option<TransferRules>,
    /// What becomes of what is given back too late.
    pub ended_lot_policy: EndedLotPolicy,
}

/// A program defines a handful of units. The bound keeps an owner's balances, which are answered all at once, small.
pub const UNITS_PER_PROGRAM_MAX: i64 = 100;

/// Longest time, in days, that an end is told ahead: a year, after which nobody remembers it.
pub const EXPIRE_NOTICE_DAYS_MAX: i32 = 365;

/// A unit with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// What postings need to know of it.
    pub terms: UnitTerms,
    /// What people call it.
    pub display_name: String,
    /// How many days ahead ends are told; zero for not at all.
    pub expire_notice_days: i32,
    /// Grows with each change.
    pub revision: i64,
    /// When it was defined.
    pub create_time: DateTime<Utc>,
    /// When it was last changed.
    pub update_time: DateTime<Utc>,
}

/// What somebody wants a unit to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUnit {
    /// What postings need to know of it.
    pub terms: UnitTerms,
    /// What people call it.
    pub display_name: String,
    /// How many days ahead ends are told; zero for not at all.
    pub expire_notice_days: i32,
}

/// New values of the fields that may change; `None` leaves one as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// When lots end by themselves.
    pub expiry_policy: Option<ExpiryPolicy>,
    /// How many days ahead ends are told.
    pub expire_notice_days: Option<i32>,
    /// What happens to what a refund cannot take back.
    pub shortfall_policy: Option<ShortfallPolicy>,
    /// The most that one owner may owe.
    pub debt_max: Option<Points>,
    /// How owners may transfer it to each other; `Some(None)` for not at all.
    pub transfer_rules: Option<Option<TransferRules>>,
    /// What becomes of what is given back too late.
    pub ended_lot_policy: Option<EndedLotPolicy>,
}

impl Unit {
    /// A unit as it is defined first.
    #[must_use]
    pub fn define(new: NewUnit, now: DateTime<Utc>) -> Self {
        Self {
            terms: new.terms,
            display_name: new.display_name,
            expire_notice_days: new.expire_notice_days,
            revision: 1,
            create_time: now,
            update_time: now,
        }
    }

    /// The unit after a change. A clock that ran backwards leaves the time of the last change as it is.
    #[must_use]
    pub fn changed(mut self, change: UnitChange, now: DateTime<Utc>) -> Self {
        if let Some(display_name) = change.display_name {
            self.display_name = display_name;
        }
        if let Some(expiry_policy) = change.expiry_policy {
            self.terms.expiry_policy = expiry_policy;
        }
        if let Some(expire_notice_days) = change.expire_notice_days {
            self.expire_notice_days = expire_notice_days;
        }
        if let Some(shortfall_policy) = change.shortfall_policy {
            self.terms.shortfall_policy = shortfall_policy;
        }
        if let Some(debt_max) = change.debt_max {
            self.terms.debt_max = debt_max;
        }
        if let Some(transfer_rules) = change.transfer_rules {
            self.terms.transfer_rules = transfer_rules;
        }
        if let Some(ended_lot_policy) = change.ended_lot_policy {
            self.terms.ended_lot_policy = ended_lot_policy;
        }
        self.revision += 1;
        self.update_time = self.update_time.max(now);
        self
    }
}

impl UnitTerms {
    /// What becomes of points that are given back at a time to lots that have ended.
    #[must_use]
    pub fn ended_lots(&self, at: DateTime<Utc>, zone: Tz) -> EndedLots {
        match self.ended_lot_policy {
            EndedLotPolicy::Gone => EndedLots::Gone,
            EndedLotPolicy::AsEarnedNow => EndedLots::EndBy(self.lot_end(at, zone)),
        }
    }

    /// How a lot ends that was earned at `earn_time`, in a program of that time zone.
    #[must_use]
    pub fn lot_end(&self, earn_time: DateTime<Utc>, zone: Tz) -> LotEnd {
        match self.expiry_policy.end(earn_time, zone) {
            Some(end) if self.expiry_policy.slides() => LotEnd::Sliding(end),
            end => LotEnd::Fixed(end),
        }
    }

    /// The most that an owner may owe of what is taken and not there: nothing, where shortfalls are waived.
    #[must_use]
    pub const fn owed_max(&self) -> Points {
        match self.shortfall_policy {
            ShortfallPolicy::Debt => self.debt_max,
            ShortfallPolicy::Waive => Points::ZERO,
        }
    }

    /// To where an activity moves the end of what slides; `None` where nothing does.
    #[must_use]
    pub fn slide(&self, activity_time: DateTime<Utc>, zone: Tz) -> Option<Slide> {
        match self.lot_end(activity_time, zone) {
            LotEnd::Sliding(end) => Some(Slide {
                unit_code: self.code.clone(),
                end,
            }),
            LotEnd::Fixed(_) => None,
        }
    }
}
