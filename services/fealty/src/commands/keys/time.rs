//! Ends of keys, as people write them.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{Clock as _, SystemClock};

/// Reads a time of the calendar, or a number of hours or days from now.
pub(super) fn parse_end(text: &str) -> Result<DateTime<Utc>, String> {
    parse_end_after(SystemClock.now(), text)
}

fn parse_end_after(now: DateTime<Utc>, text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let after = |digits: &str, unit: fn(i64) -> Option<TimeDelta>| {
        let count: u32 = digits.parse().ok()?;
        now.checked_add_signed(unit(count.into())?)
    };
    text.strip_suffix('h')
        .and_then(|digits| after(digits, TimeDelta::try_hours))
        .or_else(|| {
            text.strip_suffix('d')
                .and_then(|digits| after(digits, TimeDelta::try_days))
        })
        .ok_or_else(|| {
            "must be a time such as 2027-01-31T00:00:00Z, or a while such as 12h or 90d".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_a_while_from_now() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(parse_end_after(now, "12h"), Ok(now + TimeDelta::hours(12)));
        assert_eq!(parse_end_after(now, "90d"), Ok(now + TimeDelta::days(90)));
        assert_eq!(
            parse_end_after(now, "1970-01-02T01:00:00+01:00"),
            Ok(now + TimeDelta::days(1))
        );
        for text in [
            "",
            "d",
            "-1d",
            "soon",
            "2027-01-31",
            "99999999999d",
            "4294967295d",
        ] {
            assert!(parse_end_after(now, text).is_err(), "{text}");
        }
    }
}
