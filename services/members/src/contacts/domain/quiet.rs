//! When people sleep: told by the clock on their wall, also on the days on which it is put forward or back.

use chrono::{DateTime, Days, LocalResult, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// Where a clock was put forward, the first instant after the gap is looked for in such steps: every zone's jump is a
/// multiple of them.
const GAP_STEP: TimeDelta = TimeDelta::minutes(1);

/// Steps of that search: no clock was ever put forward by more than a day.
const GAP_STEPS_MAX: usize = 24 * 60 + 1;

/// Days on which quiet hours can end that have begun: today, tomorrow, and one more where a day was left out.
const DAYS_MAX: u64 = 3;

/// Quiet hours in minutes of a local day. They may pass midnight; where both are the same there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// The first quiet minute.
    pub begin_minute: i32,
    /// The first that is not.
    pub end_minute: i32,
}

impl Quiet {
    /// Whether a minute of the day is quiet.
    #[must_use]
    pub const fn includes(self, minute: i32) -> bool {
        if self.begin_minute <= self.end_minute {
            self.begin_minute <= minute && minute < self.end_minute
        } else {
            self.begin_minute <= minute || minute < self.end_minute
        }
    }

    /// Whether it is quiet at an instant, by a zone's clock.
    #[must_use]
    pub fn is_quiet_at(self, time: DateTime<Utc>, zone: Tz) -> bool {
        let local = time.with_timezone(&zone).time();
        let minute = i32::try_from(local.num_seconds_from_midnight() / 60).unwrap_or(0);
        self.includes(minute)
    }
}

/// Until when it is quiet; None where it is not.
#[must_use]
pub fn quiet_until(quiet: Quiet, time: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    if !quiet.is_quiet_at(time, zone) {
        return None;
    }
    let seconds = u32::try_from(quiet.end_minute).unwrap_or(0) * 60;
    let end = NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0)?;
    let today = time.with_timezone(&zone).date_naive();
    let ends = (0..DAYS_MAX).filter_map(|days| today.checked_add_days(Days::new(days)));
    let instants = ends.flat_map(|day| instants_of(day.and_time(end), zone));
    // A clock that is put forward over the end, or over all of the night, leaves no instant of that name: then the first
    // one that is not quiet.
    let mut after: Vec<DateTime<Utc>> = instants
        .filter(|instant| *instant > time && !quiet.is_quiet_at(*instant, zone))
        .collect();
    after.sort_unstable();
    after.first().copied()
}

/// The instants at which a zone's clock shows a time: two where it was put back, and where it was put forward over it the
/// first one after.
pub(crate) fn instants_of(local: NaiveDateTime, zone: Tz) -> Vec<DateTime<Utc>> {
    for step in 0..GAP_STEPS_MAX {
        let steps = i32::try_from(step).unwrap_or(0);
        match zone.from_local_datetime(&(local + GAP_STEP * steps)) {
            LocalResult::None => {}
            LocalResult::Single(one) => return vec![one.to_utc()],
            LocalResult::Ambiguous(first, second) => return vec![first.to_utc(), second.to_utc()],
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use chrono_tz::{Africa, America, Australia, Europe, Pacific};
    use proptest::prelude::*;

    use super::*;

    const NIGHT: Quiet = Quiet {
        begin_minute: 21 * 60,
        end_minute: 8 * 60,
    };

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_night_ends_by_the_clock_on_the_wall_also_when_it_is_put_forward_or_back() {
        let until = |time, zone| quiet_until(NIGHT, utc(time), zone);
        let berlin = Europe::Berlin;
        assert_eq!(until("2026-01-10T19:59:59Z", berlin), None);
        assert_eq!(
            until("2026-01-10T20:00:00Z", berlin),
            Some(utc("2026-01-11T07:00:00Z"))
        );
        // On the last Sunday of March the night is an hour shorter, on that of October an hour longer.
        assert_eq!(
            until("2026-03-28T22:00:00Z", berlin),
            Some(utc("2026-03-29T06:00:00Z"))
        );
        assert_eq!(
            until("2026-10-24T22:00:00Z", berlin),
            Some(utc("2026-10-25T07:00:00Z"))
        );
        assert_eq!(until("2026-01-11T07:00:00Z", berlin), None);
        // The same instant is day elsewhere.
        assert_eq!(until("2026-01-10T20:00:00Z", America::New_York), None);
    }

    #[test]
    fn an_end_that_the_clock_leaves_out_is_the_first_instant_after() {
        let until_half_past_two = Quiet {
            begin_minute: 0,
            end_minute: 150,
        };
        let until = quiet_until(until_half_past_two, utc("2026-03-29T00:30:00Z"), Europe::Berlin);
        assert_eq!(until, Some(utc("2026-03-29T01:00:00Z")), "03:00 follows 01:59");
        let none = Quiet {
            begin_minute: 480,
            end_minute: 480,
        };
        assert_eq!(
            quiet_until(none, utc("2026-03-29T00:30:00Z"), Europe::Berlin),
            None
        );
    }

    proptest! {
        /// Who waits until then is not told to wait again, and never waits longer than a day and the change of a clock.
        #[test]
        fn b6_the_end_of_quiet_hours_is_not_quiet_and_near(
            begin_minute in 0_i32..1_440,
            end_minute in 0_i32..1_440,
            // The years 2024 to 2027.
            seconds in 1_704_067_200_i64..1_830_297_600,
            zone in prop::sample::select(vec![
                Europe::Berlin, Europe::London, America::New_York, America::St_Johns, Australia::Lord_Howe,
                Pacific::Apia, Africa::Casablanca, Pacific::Chatham,
            ]),
        ) {
            let quiet = Quiet { begin_minute, end_minute };
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            match quiet_until(quiet, time, zone) {
                None => prop_assert!(!quiet.is_quiet_at(time, zone)),
                Some(until) => {
                    prop_assert!(quiet.is_quiet_at(time, zone) && !quiet.is_quiet_at(until, zone));
                    prop_assert!(until > time && until - time <= TimeDelta::hours(26), "{}", until - time);
                }
            }
        }
    }
}
