//! When points end by themselves. Pure calendar.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// A hundred years: longer than any promise of a shop, and far from the end of the calendar.
pub const LIFE_DAYS_MAX: i32 = 36_500;

/// The same.
pub const LIFE_MONTHS_MAX: i32 = 1_200;

/// The same.
pub const YEARS_LATER_MAX: i32 = 100;

/// A gap in local time is never longer than this: when Samoa crossed the date line in 2011, a whole day was missing.
const LOCAL_TIME_GAP_MAX_MINUTES: i64 = 26 * 60;

/// A year that has all days.
const LEAP_YEAR: i32 = 2024;

/// When points end by themselves. Each policy names a last day, which counts whole: the end is the first instant of the
/// day after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryPolicy {
    /// Never.
    Never,
    /// So long after the day on which they were earned.
    AfterEarning(LotLife),
    /// So long after the owner's last activity: one end for all, which moves.
    AfterActivity(LotLife),
    /// On the same day each year.
    EachYear(YearlyDay),
    /// On this day, once.
    OnDate(NaiveDate),
}

/// How long points live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotLife {
    /// From the day at which they begin to their last one.
    pub length: LifeLength,
    /// To the last of which part of the calendar the last day moves on; `None` leaves it.
    pub round_up_to: Option<CalendarPeriod>,
}

/// A length in days or months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifeLength {
    /// Days. Above zero.
    Days(u32),
    /// Months. Above zero. In a month that lacks the day, its last one.
    Months(u32),
}

/// A part of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarPeriod {
    /// A month.
    Month,
    /// Three of them.
    Quarter,
    /// Twelve.
    Year,
}

/// A day that comes each year: 29 February as the 28th where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YearlyDay {
    month: u32,
    day: u32,
    years_later: u32,
}

impl ExpiryPolicy {
    /// The last day of points that begin on `first`; `None` for never, and beyond the calendar.
    #[must_use]
    pub fn last_day(&self, first: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Never => None,
            Self::AfterEarning(life) | Self::AfterActivity(life) => life.last_day(first),
            Self::EachYear(day) => day.last_day(first),
            Self::OnDate(date) => Some(*date),
        }
    }

    /// When points that begin at `from` end, in a program of that time zone; `None` for never.
    #[must_use]
    pub fn end(&self, from: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let last = self.last_day(from.with_timezone(&zone).date_naive())?;
        start_of_day(last.succ_opt()?, zone)
    }

    /// Whether the end moves with the owner's activity.
    #[must_use]
    pub const fn slides(&self) -> bool {
        matches!(self, Self::AfterActivity(_))
    }

    /// Whether it names a day that has passed at `now`: nothing could be earned any more.
    #[must_use]
    pub fn has_passed(&self, now: DateTime<Utc>, zone: Tz) -> bool {
        matches!(self, Self::OnDate(date) if *date < now.with_timezone(&zone).date_naive())
    }
}

impl LotLife {
    fn last_day(&self, first: NaiveDate) -> Option<NaiveDate> {
        let last = match self.length {
            LifeLength::Days(days) => first.checked_add_days(Days::new(days.into()))?,
            LifeLength::Months(months) => first.checked_add_months(Months::new(months))?,
        };
        self.round_up_to
            .map_or(Some(last), |period| period.last_day(last))
    }
}

impl CalendarPeriod {
    const fn months(self) -> u32 {
        match self {
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
        }
    }

    /// Its last day, of the one in which a day lies.
    fn last_day(self, day: NaiveDate) -> Option<NaiveDate> {
        let first_month = day.month0() / self.months() * self.months() + 1;
        let first = NaiveDate::from_ymd_opt(day.year(), first_month, 1)?;
        first.checked_add_months(Months::new(self.months()))?.pred_opt()
    }
}

impl YearlyDay {
    /// A day that there is, at least in leap years. `None` for others.
    #[must_use]
    pub fn try_new(month: u32, day: u32, years_later: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(LEAP_YEAR, month, day)?;
        Some(Self {
            month,
            day,
            years_later,
        })
    }

    /// 1 to 12.
    #[must_use]
    pub const fn month(&self) -> u32 {
        self.month
    }

    /// 1 to 31.
    #[must_use]
    pub const fn day(&self) -> u32 {
        self.day
    }

    /// Of which year after the one in which points were earned.
    #[must_use]
    pub const fn years_later(&self) -> u32 {
        self.years_later
    }

    fn last_day(&self, first: NaiveDate) -> Option<NaiveDate> {
        let year = first.year().checked_add_unsigned(self.years_later)?;
        let day = self.of_year(year)?;
        if day < first {
            self.of_year(year.checked_add(1)?)
        } else {
            Some(day)
        }
    }

    fn of_year(&self, year: i32) -> Option<NaiveDate> {
        // Only 29 February is missing in some years.
        NaiveDate::from_ymd_opt(year, self.month, self.day)
            .or_else(|| NaiveDate::from_ymd_opt(year, self.month, self.day - 1))
    }
}

/// The first instant of a day. Where clocks skip midnight, the day begins when they resume; where they show it twice, it
/// begins the first time.
fn start_of_day(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let midnight = day.and_time(NaiveTime::MIN);
    (0..=LOCAL_TIME_GAP_MAX_MINUTES)
        .filter_map(|minutes| midnight.checked_add_signed(TimeDelta::minutes(minutes)))
        .find_map(|local| zone.from_local_datetime(&local).earliest())
        .map(|start| start.with_timezone(&Utc))
}
