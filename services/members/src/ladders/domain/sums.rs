//! What counted for a member, by days.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::{Measure, Period, ROLLING_DAYS_MAX};

/// The day under which everything lies that is too old for any period but the one without end.
pub const LIFETIME_DAY: NaiveDate = match NaiveDate::from_ymd_opt(1, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// How long ago a member's history is fixed: what is taken back later changes what counts, and not what once followed.
const FIXED_AFTER_DAYS: u64 = 400;

/// Days that are kept one by one: the longest period that ends on a day that is not fixed yet.
pub const KEPT_DAYS: u64 = ROLLING_DAYS_MAX as u64 + FIXED_AFTER_DAYS;

/// Days that may be kept beyond that: so seldom are old ones put together.
const SLACK_DAYS: u64 = 31;

/// The oldest day that is kept by itself.
#[must_use]
pub fn oldest_kept(today: NaiveDate) -> NaiveDate {
    today
        .checked_sub_days(Days::new(KEPT_DAYS))
        .unwrap_or(LIFETIME_DAY)
}

/// The day on which a history is fixed when days are put together: all that counted on it is still kept by days.
#[must_use]
pub fn fixed_day(today: NaiveDate) -> NaiveDate {
    today
        .checked_sub_days(Days::new(FIXED_AFTER_DAYS))
        .unwrap_or(LIFETIME_DAY)
}

/// Whether old days are to be put together.
#[must_use]
pub fn is_too_long(oldest: Option<NaiveDate>, today: NaiveDate) -> bool {
    let end = oldest_kept(today).checked_sub_days(Days::new(SLACK_DAYS));
    oldest.zip(end).is_some_and(|(oldest, end)| oldest < end)
}

/// The day under which something is kept that happened on `day`.
#[must_use]
pub fn keep_day(day: NaiveDate, today: NaiveDate) -> NaiveDate {
    if day < oldest_kept(today) {
        LIFETIME_DAY
    } else {
        day
    }
}

/// One measure's sums, each day once and in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaySums {
    days: Vec<NaiveDate>,
    /// The sum of all days up to and with each.
    totals: Vec<i64>,
}

impl DaySums {
    /// Of sums in any order. What comes to more than 2^63 stays there.
    #[must_use]
    pub fn new(sums: impl IntoIterator<Item = (NaiveDate, i64)>) -> Self {
        let mut by_day: BTreeMap<NaiveDate, i64> = BTreeMap::new();
        for (day, value) in sums {
            let sum = by_day.entry(day).or_default();
            *sum = sum.saturating_add(value);
        }
        let mut total: i64 = 0;
        let (days, totals) = by_day
            .into_iter()
            .map(|(day, value)| {
                total = total.saturating_add(value);
                (day, total)
            })
            .unzip();
        Self { days, totals }
    }

    /// What counts on a day.
    #[must_use]
    pub fn balance(&self, period: Period, today: NaiveDate) -> i64 {
        let until = self.days.partition_point(|day| *day <= today);
        // Ends come in the order of the days: so does whether they have passed.
        let from = self
            .days
            .partition_point(|day| period.end_of(*day).is_some_and(|end| end <= today))
            .min(until);
        self.total(until).saturating_sub(self.total(from))
    }

    /// The days after `from` on which the balance may be another than the day before, in their order.
    #[must_use]
    pub fn turns(&self, period: Period, from: NaiveDate) -> Vec<NaiveDate> {
        let ends = self.days.iter().filter_map(|day| period.end_of(*day));
        let mut turns: Vec<NaiveDate> = self.days.iter().copied().chain(ends).collect();
        turns.retain(|day| *day > from);
        turns.sort_unstable();
        turns.dedup();
        turns
    }

    /// The first day after today on which something of today's balance counts no more.
    #[must_use]
    pub fn first_end(&self, period: Period, today: NaiveDate) -> Option<NaiveDate> {
        let counting = |day: &&NaiveDate| period.counts(**day, today);
        self.days
            .iter()
            .find(counting)
            .and_then(|day| period.end_of(*day))
    }

    fn total(&self, count: usize) -> i64 {
        count
            .checked_sub(1)
            .and_then(|last| self.totals.get(last))
            .copied()
            .unwrap_or(0)
    }
}

/// Everything that was counted for a member.
#[derive(Debug, Clone, Default)]
pub struct Book {
    sums: BTreeMap<String, Vec<(NaiveDate, i64)>>,
}

/// Under which purchases are counted; a day with one is a visit.
const PURCHASES: &str = "purchases";

/// Under which visits are counted that lie under [`LIFETIME_DAY`].
const VISITS: &str = "visits";

impl Measure {
    /// Under which it is counted.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Earned(unit) => format!("earned:{unit}"),
            Self::Spend(currency) => format!("spend:{currency}"),
            Self::Purchases => PURCHASES.to_owned(),
            Self::Visits => VISITS.to_owned(),
        }
    }
}

impl Book {
    /// Adds a sum of a day, under its key.
    pub fn add(&mut self, key: &str, day: NaiveDate, value: i64) {
        match self.sums.get_mut(key) {
            Some(sums) => sums.push((day, value)),
            None => {
                self.sums.insert(key.to_owned(), vec![(day, value)]);
            }
        }
    }

    /// The sums of a measure.
    #[must_use]
    pub fn of(&self, measure: &Measure) -> DaySums {
        let own = self.sums.get(&measure.key()).into_iter().flatten().copied();
        if *measure != Measure::Visits {
            return DaySums::new(own);
        }
        let purchases = self.sums.get(PURCHASES).into_iter().flatten().copied();
        let mut days: BTreeMap<NaiveDate, i64> = BTreeMap::new();
        for (day, count) in purchases.filter(|(day, _)| *day != LIFETIME_DAY) {
            *days.entry(day).or_default() += count;
        }
        let visits = days.into_iter().filter(|(_, count)| *count > 0);
        DaySums::new(own.chain(visits.map(|(day, _)| (day, 1))))
    }
}
