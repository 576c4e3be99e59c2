//! Days of a year.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};

/// Longest code of a day, in characters.
const DAY_CODE_LENGTH_MAX: usize = 40;

/// A year that has every day.
const ANY_LEAP_YEAR: i32 = 2000;

/// A day of a year, whichever year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonthDay {
    month: u32,
    day: u32,
}

/// No year has such a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a day of the calendar: month 1 to 12, and a day that the month has")]
pub struct MonthDayError;

impl MonthDay {
    const LEAP_DAY: Self = Self { month: 2, day: 29 };

    /// A day by its numbers.
    pub fn try_new(month: u32, day: u32) -> Result<Self, MonthDayError> {
        let exists = NaiveDate::from_ymd_opt(ANY_LEAP_YEAR, month, day).is_some();
        exists.then_some(Self { month, day }).ok_or(MonthDayError)
    }

    /// 1 to 12.
    #[must_use]
    pub const fn month(self) -> u32 {
        self.month
    }

    /// 1 to 31.
    #[must_use]
    pub const fn day(self) -> u32 {
        self.day
    }

    /// Whether it is on a date. 29 February is on the 28th in years without.
    #[must_use]
    pub fn falls_on(self, date: NaiveDate) -> bool {
        Self::on(date).contains(&self)
    }

    /// Those that are on a date: the date's own, and on 28 February of a common year that of the 29th.
    #[must_use]
    pub fn on(date: NaiveDate) -> Vec<Self> {
        let own = Self {
            month: date.month(),
            day: date.day(),
        };
        let ends_february = own == Self { month: 2, day: 28 } && !date.leap_year();
        if ends_february {
            vec![own, Self::LEAP_DAY]
        } else {
            vec![own]
        }
    }

    /// As it is stored: month times 100 plus day.
    #[must_use]
    pub fn as_number(self) -> i16 {
        i16::try_from(self.month * 100 + self.day).unwrap_or(i16::MAX)
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        let number = u32::try_from(number).ok()?;
        Self::try_new(number / 100, number % 100).ok()
    }
}

/// The code of a day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayCode(String);

/// The text is no code of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {DAY_CODE_LENGTH_MAX} small letters, digits, '-' and '_'")]
pub struct DayCodeError;

impl DayCode {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DayCode {
    type Err = DayCodeError;

    fn from_str(text: &str) -> Result<Self, DayCodeError> {
        let fits = (1..=DAY_CODE_LENGTH_MAX).contains(&text.len());
        let is_code = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if fits && text.bytes().all(is_code) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DayCodeError)
        }
    }
}

impl fmt::Display for DayCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
