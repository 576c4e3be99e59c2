//! Instants in requests.

use chrono::{DateTime, SubsecRound, TimeDelta, TimeZone, Utc};

use crate::violations::Problem;

/// How far a caller's clock may be ahead of ours: tills are set by hand.
pub const TIME_SKEW_MAX: TimeDelta = TimeDelta::minutes(5);

/// Nothing that a loyalty program knows of happened before.
const EARLIEST_YEAR: i32 = 1900;
/// Ends of lots and keys: far enough for anybody, and within what every library can express.
const LATEST_YEAR: i32 = 9999;

/// Postgres keeps microseconds; finer digits would not be read back as they were written.
const TIME_DIGITS: u16 = 6;

/// Instants that a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    earliest: DateTime<Utc>,
    latest: DateTime<Utc>,
}

impl TimeRange {
    /// Both ends included.
    #[must_use]
    pub const fn new(earliest: DateTime<Utc>, latest: DateTime<Utc>) -> Self {
        Self { earliest, latest }
    }

    /// For what has happened: from 1900 until now, with what a caller's clock may be ahead.
    #[must_use]
    pub fn past(now: DateTime<Utc>) -> Self {
        Self::new(start_of(EARLIEST_YEAR), now + TIME_SKEW_MAX)
    }

    /// For what is to come: after now, until the year 9999.
    #[must_use]
    pub fn future(now: DateTime<Utc>) -> Self {
        Self::new(now + TimeDelta::microseconds(1), start_of(LATEST_YEAR))
    }

    /// For what may lie on either side: 1900 to 9999.
    #[must_use]
    pub fn any() -> Self {
        Self::new(start_of(EARLIEST_YEAR), start_of(LATEST_YEAR))
    }
}

fn start_of(year: i32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0)
        .single()
        .expect("1 January is a day of every year")
}

/// An instant that must be there, cut down to microseconds.
pub fn timestamp(
    timestamp: Option<&prost_types::Timestamp>,
    range: TimeRange,
) -> Result<DateTime<Utc>, Problem> {
    optional_timestamp(timestamp, range)?.ok_or_else(Problem::required)
}

/// The same where it may be unset.
pub fn optional_timestamp(
    timestamp: Option<&prost_types::Timestamp>,
    range: TimeRange,
) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(timestamp) = timestamp else {
        return Ok(None);
    };
    // A leap second's nanoseconds (1e9 and more) are chrono's, not protobuf's.
    let time = u32::try_from(timestamp.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)
        .and_then(|nanos| DateTime::from_timestamp(timestamp.seconds, nanos))
        .ok_or_else(|| {
            Problem::new("must be an instant of the years 1 to 9999 with 0 to 999,999,999 nanoseconds")
        })?
        .trunc_subsecs(TIME_DIGITS);
    if time < range.earliest {
        return Err(Problem::new(format!(
            "must not be before {}",
            range.earliest.format("%FT%TZ")
        )));
    }
    if time > range.latest {
        return Err(Problem::new(format!(
            "must not be after {}",
            range.latest.format("%FT%TZ")
        )));
    }
    Ok(Some(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64, nanos: i32) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos }
    }

    #[test]
    fn the_past_ends_a_skew_after_now() {
        let now = start_of(2026);
        let range = TimeRange::past(now);
        let skewed = now + TIME_SKEW_MAX;
        assert_eq!(timestamp(Some(&at(skewed.timestamp(), 0)), range), Ok(skewed));
        assert!(timestamp(Some(&at(skewed.timestamp() + 1, 0)), range).is_err());
        assert!(timestamp(Some(&at(start_of(1899).timestamp(), 0)), range).is_err());
    }

    #[test]
    fn nothing_is_missing_or_none() {
        assert_eq!(timestamp(None, TimeRange::any()), Err(Problem::required()));
        assert_eq!(optional_timestamp(None, TimeRange::any()), Ok(None));
    }

    proptest! {
        #[test]
        fn any_timestamp_is_taken_or_refused_without_a_panic(seconds: i64, nanos: i32) {
            if let Ok(time) = timestamp(Some(&at(seconds, nanos)), TimeRange::any()) {
                prop_assert_eq!(time.timestamp(), seconds);
            }
        }
    }
}
