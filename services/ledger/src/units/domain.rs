//! What a unit is, and what its terms mean for a lot and for a shortfall. Pure.

use chrono::{DateTime, Days, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use fealty_types::{Points, UnitCode, UnitScale};

/// A hundred years: longer than any promise of a shop, and far from the end of the calendar.
pub const LOT_LIFE_DAYS_MAX: i32 = 36_500;

/// A gap in local time is never longer than this: when Samoa crossed the date line in 2011, a whole day was missing.
const LOCAL_TIME_GAP_MAX_MINUTES: i64 = 26 * 60;

/// What happens to the part of a refund that cannot be taken back because it is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShortfallPolicy {
    /// The owner owes it: what is earned next pays it off first.
    Debt,
    /// The program bears it.
    Waive,
}

/// What postings need to know of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitTerms {
    /// Its code within the program.
    pub code: UnitCode,
    /// Its decimals.
    pub scale: UnitScale,
    /// Days from an earning to the end of its lot; `None` for never.
    pub lot_life_days: Option<u32>,
    /// What happens to what a refund cannot take back.
    pub shortfall_policy: ShortfallPolicy,
    /// The most that one owner may owe; what is beyond is waived. Never negative.
    pub debt_max: Points,
}

/// A program defines a handful of units. The bound keeps an owner's balances, which are answered all at once, small.
pub const UNITS_PER_PROGRAM_MAX: i64 = 100;

/// A unit with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// What postings need to know of it.
    pub terms: UnitTerms,
    /// What people call it.
    pub display_name: String,
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
}

/// New values of the fields that may change; `None` leaves one as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// Days of a lot's life; `Some(None)` for never ending.
    pub lot_life_days: Option<Option<u32>>,
    /// What happens to what a refund cannot take back.
    pub shortfall_policy: Option<ShortfallPolicy>,
    /// The most that one owner may owe.
    pub debt_max: Option<Points>,
}

impl Unit {
    /// A unit as it is defined first.
    #[must_use]
    pub fn define(new: NewUnit, now: DateTime<Utc>) -> Self {
        Self {
            terms: new.terms,
            display_name: new.display_name,
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
        if let Some(lot_life_days) = change.lot_life_days {
            self.terms.lot_life_days = lot_life_days;
        }
        if let Some(shortfall_policy) = change.shortfall_policy {
            self.terms.shortfall_policy = shortfall_policy;
        }
        if let Some(debt_max) = change.debt_max {
            self.terms.debt_max = debt_max;
        }
        self.revision += 1;
        self.update_time = self.update_time.max(now);
        self
    }
}

impl UnitTerms {
    /// When a lot that was earned at `earn_time` ends by itself, in a program of that time zone; `None` for never.
    ///
    /// The day of the earning and the days of its life count whole: the end is the first instant of the day after.
    #[must_use]
    pub fn lot_end(&self, earn_time: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let life_days = u64::from(self.lot_life_days?);
        let day = earn_time.with_timezone(&zone).date_naive();
        let day_after = day.checked_add_days(Days::new(life_days + 1))?;
        start_of_day(day_after.and_time(chrono::NaiveTime::MIN), zone)
    }
}

/// The first instant of the day that begins at `midnight`. Where clocks skip midnight, the day begins when they resume;
/// where they show it twice, it begins the first time.
fn start_of_day(midnight: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    (0..=LOCAL_TIME_GAP_MAX_MINUTES)
        .filter_map(|minutes| midnight.checked_add_signed(TimeDelta::minutes(minutes)))
        .find_map(|local| zone.from_local_datetime(&local).earliest())
        .map(|start| start.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(lot_life_days: Option<u32>) -> UnitTerms {
        UnitTerms {
            code: "points".parse().unwrap(),
            scale: UnitScale::ZERO,
            lot_life_days,
            shortfall_policy: ShortfallPolicy::Debt,
            debt_max: Points::ZERO,
        }
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn end(earn_time: &str, days: u32, zone: Tz) -> DateTime<Utc> {
        terms(Some(days)).lot_end(utc(earn_time), zone).unwrap()
    }

    #[test]
    fn a_lot_without_a_life_never_ends() {
        assert_eq!(terms(None).lot_end(utc("2026-01-01T00:00:00Z"), Tz::UTC), None);
    }

    #[test]
    fn a_lot_ends_at_the_start_of_the_day_after_its_last_in_the_programs_zone() {
        assert_eq!(
            end("2026-01-10T12:00:00Z", 1, Tz::UTC),
            utc("2026-01-12T00:00:00Z")
        );
        // 23:30 in London's summer is 22:30 UTC, still the 10th; its midnights are 23:00 UTC.
        assert_eq!(
            end("2026-07-10T22:30:00Z", 1, chrono_tz::Europe::London),
            utc("2026-07-11T23:00:00Z")
        );
        // In Moscow it is the 11th by then.
        assert_eq!(
            end("2026-07-10T22:30:00Z", 1, chrono_tz::Europe::Moscow),
            utc("2026-07-12T21:00:00Z")
        );
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_begins_when_the_clocks_resume() {
        // Sao Paulo's clocks went from 2018-11-04 00:00 to 01:00 (UTC-3 to UTC-2).
        assert_eq!(
            end("2018-11-02T12:00:00Z", 1, chrono_tz::America::Sao_Paulo),
            utc("2018-11-04T03:00:00Z")
        );
        // Samoa had no 30 December 2011.
        assert_eq!(
            end("2011-12-28T20:00:00Z", 1, chrono_tz::Pacific::Apia),
            utc("2011-12-30T10:00:00Z")
        );
    }

    #[test]
    fn the_longest_life_ends_within_the_calendar() {
        let life_days = u32::try_from(LOT_LIFE_DAYS_MAX).unwrap();
        assert!(end("2026-01-01T00:00:00Z", life_days, Tz::UTC) > utc("2125-01-01T00:00:00Z"));
    }
}
