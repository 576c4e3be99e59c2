//! What counts for a tier, and for how long.

use chrono::{Datelike as _, Days, Months, NaiveDate};
use fealty_types::{CurrencyCode, UnitCode};

/// Longest rolling period in days: three years with a leap day. What members earned is kept by days for as long.
pub const ROLLING_DAYS_MAX: u32 = 1096;

/// The same in months.
pub const ROLLING_MONTHS_MAX: u32 = 36;

/// Longest grace in days.
pub const GRACE_DAYS_MAX: u32 = 1096;

/// Longest grace in months.
pub const GRACE_MONTHS_MAX: u32 = 36;

/// A length of time as calendars count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// So many days.
    Days(u32),
    /// So many months: to the same day of the month, or to its last where it has no such day.
    Months(u32),
}

impl Span {
    /// No time at all.
    pub const NONE: Self = Self::Days(0);

    /// The day that lies so far after another.
    #[must_use]
    pub fn after(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Days(count) => day.checked_add_days(Days::new(count.into())),
            Self::Months(count) => day.checked_add_months(Months::new(count)),
        }
        .unwrap_or(NaiveDate::MAX)
    }

    /// Whether it is no time at all.
    #[must_use]
    pub const fn is_none(self) -> bool {
        matches!(self, Self::Days(0) | Self::Months(0))
    }
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// What is earned in a unit of the ledger.
    Earned(UnitCode),
    /// What is paid in a currency.
    Spend(CurrencyCode),
    /// Purchases.
    Purchases,
    /// Days with a purchase.
    Visits,
}

/// Which days count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// From 1 January on.
    CalendarYear,
    /// The last so much time.
    Rolling(Span),
    /// All.
    SinceJoining,
}

impl Period {
    /// The first day on which what was earned on `day` counts no more; None for never. A later day never ends earlier.
    #[must_use]
    pub fn end_of(self, day: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::CalendarYear => NaiveDate::from_ymd_opt(day.year() + 1, 1, 1),
            Self::Rolling(span) => Some(span.after(day)),
            Self::SinceJoining => None,
        }
    }

    /// The first day that counts on `today`; None where all do.
    #[must_use]
    pub fn first_day(self, today: NaiveDate) -> Option<NaiveDate> {
        let near = match self {
            Self::CalendarYear => NaiveDate::from_ymd_opt(today.year(), 1, 1)?,
            Self::Rolling(Span::Days(count)) => today.checked_sub_days(Days::new(count.into()))?,
            Self::Rolling(Span::Months(count)) => today.checked_sub_months(Months::new(count))?,
            Self::SinceJoining => return None,
        };
        // Ends of months come together: up to three days end as one, and none begins more than that before.
        let before = near.checked_sub_days(Days::new(3)).unwrap_or(near);
        before.iter_days().find(|day| self.counts(*day, today))
    }

    /// Whether what was earned on `day` counts on `today`.
    #[must_use]
    pub fn counts(self, day: NaiveDate, today: NaiveDate) -> bool {
        day <= today && self.end_of(day).is_none_or(|end| today < end)
    }
}

/// Where a member comes to when the grace is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// One tier lower.
    OneStep,
    /// Where the balance belongs.
    ByBalance,
}

/// How tiers are earned and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualification {
    /// What is counted.
    pub measure: Measure,
    /// Which days count.
    pub period: Period,
    /// How long a tier is kept that the balance is too low for.
    pub grace: Span,
    /// Where it goes then. One step only with a grace.
    pub landing: Landing,
}
