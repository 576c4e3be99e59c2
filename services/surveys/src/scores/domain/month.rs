//! Calendar months, which begin when the clocks of a place say so.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// Months of a trend at the most: ten years, as many points as anybody can look at.
pub const MONTHS_MAX: usize = 120;

/// Nothing that a loyalty program knows of happened before.
const YEAR_MIN: i32 = 1900;

/// The last year that every library can express, less the one in which the last month ends.
const YEAR_MAX: i32 = 9998;

/// A gap in local time is never longer than this: when Samoa crossed the date line in 2011, a whole day was missing.
const LOCAL_TIME_GAP_MAX_MINUTES: i64 = 26 * 60;

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(NaiveDate);

/// The text is no month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a month as YYYY-MM, from {YEAR_MIN}-01 to {YEAR_MAX}-12")]
pub struct MonthError;

/// Months that follow one another, in a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Months {
    first: Month,
    count: usize,
    zone: Tz,
}

impl Month {
    fn next(self) -> Self {
        let (year, month) = (self.0.year(), self.0.month());
        let next = if month == 12 {
            NaiveDate::from_ymd_opt(year + 1, 1, 1)
        } else {
            NaiveDate::from_ymd_opt(year, month + 1, 1)
        };
        Self(next.expect("the years of months lie well within the calendar"))
    }

    /// Months from the beginning of the calendar.
    fn number(self) -> i64 {
        i64::from(self.0.year()) * 12 + i64::from(self.0.month0())
    }

    /// The first instant of the month. Where clocks skip midnight, it begins when they resume; where they show it twice,
    /// the first time.
    fn start(self, zone: Tz) -> DateTime<Utc> {
        let midnight = self.0.and_time(NaiveTime::MIN);
        (0..=LOCAL_TIME_GAP_MAX_MINUTES)
            .filter_map(|minutes| midnight.checked_add_signed(TimeDelta::minutes(minutes)))
            .find_map(|local| zone.from_local_datetime(&local).earliest())
            .map(|start| start.with_timezone(&Utc))
            .expect("no place has skipped more than a day")
    }
}

impl Months {
    /// From a month to another, both included. None when they run backwards or are more than [`MONTHS_MAX`].
    #[must_use]
    pub fn try_new(first: Month, last: Month, zone: Tz) -> Option<Self> {
        let count = usize::try_from(last.number() - first.number() + 1).ok()?;
        (1..=MONTHS_MAX)
            .contains(&count)
            .then_some(Self { first, count, zone })
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The months, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Month> {
        std::iter::successors(Some(self.first), |month| Some(month.next())).take(self.count)
    }

    /// When each begins, and at last when the last one ends.
    #[must_use]
    pub fn starts(&self) -> Vec<DateTime<Utc>> {
        std::iter::successors(Some(self.first), |month| Some(month.next()))
            .take(self.count + 1)
            .map(|month| month.start(self.zone))
            .collect()
    }
}

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let (year, month) = text.split_once('-').ok_or(MonthError)?;
        if year.len() != 4 || month.len() != 2 || !is_digits(year) || !is_digits(month) {
            return Err(MonthError);
        }
        let year: i32 = year.parse().map_err(|_| MonthError)?;
        let month = month.parse().map_err(|_| MonthError)?;
        if !(YEAR_MIN..=YEAR_MAX).contains(&year) {
            return Err(MonthError);
        }
        NaiveDate::from_ymd_opt(year, month, 1)
            .map(Self)
            .ok_or(MonthError)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_is_read_as_it_was_written_and_nothing_else_is_one() {
        for text in ["2026-01", "1900-12", "9998-12"] {
            assert_eq!(month(text).to_string(), text);
        }
        for text in [
            "",
            "2026",
            "2026-1",
            "2026-13",
            "2026-00",
            "26-01",
            "1899-12",
            "9999-01",
            "2026-01-01",
            "+026-01",
        ] {
            assert_eq!(text.parse::<Month>(), Err(MonthError), "{text:?}");
        }
    }

    #[test]
    fn months_begin_by_the_clocks_of_their_place() {
        let months = Months::try_new(month("2026-03"), month("2026-04"), chrono_tz::Europe::London).unwrap();
        assert_eq!(
            months.starts(),
            [
                utc("2026-03-01T00:00:00Z"),
                utc("2026-03-31T23:00:00Z"),
                utc("2026-04-30T23:00:00Z")
            ]
        );
        let over_new_year = Months::try_new(month("2025-12"), month("2026-01"), Tz::UTC).unwrap();
        let names: Vec<_> = over_new_year.iter().map(|month| month.to_string()).collect();
        assert_eq!(names, ["2025-12", "2026-01"]);
    }

    #[test]
    fn a_month_whose_midnight_is_skipped_begins_when_the_clocks_resume() {
        // Asuncion's clocks went from 2017-10-01 00:00 to 01:00 (UTC-4 to UTC-3).
        let months =
            Months::try_new(month("2017-10"), month("2017-10"), chrono_tz::America::Asuncion).unwrap();
        assert_eq!(months.starts()[0], utc("2017-10-01T04:00:00Z"));
    }

    #[test]
    fn a_trend_runs_forwards_and_has_120_months_at_most() {
        let of = |first, last| Months::try_new(month(first), month(last), Tz::UTC);
        assert_eq!(of("2016-01", "2025-12").unwrap().count(), MONTHS_MAX);
        assert_eq!(of("2016-01", "2026-01"), None);
        assert_eq!(of("2026-02", "2026-01"), None);
        assert_eq!(of("9998-12", "9998-12").unwrap().starts().len(), 2);
    }
}
