//! Days of a time zone.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// Longest that local clocks have ever skipped: a whole day, where a place moved over the date line.
const LOCAL_TIME_GAP_MAX_MINUTES: i64 = 24 * 60;

/// The day that a calendar on the wall shows.
#[must_use]
pub fn day_of(time: DateTime<Utc>, zone: Tz) -> NaiveDate {
    time.with_timezone(&zone).date_naive()
}

/// The first instant of a day. Where clocks skip midnight, the day begins when they resume; where they show it twice, it
/// begins the first time. A day that a place left out begins with the next one.
#[must_use]
pub fn start_of_day(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let midnight = day.and_time(NaiveTime::MIN);
    (0..=LOCAL_TIME_GAP_MAX_MINUTES)
        .filter_map(|minutes| midnight.checked_add_signed(TimeDelta::minutes(minutes)))
        .find_map(|local| zone.from_local_datetime(&local).earliest())
        .map(|start| start.with_timezone(&Utc))
}
