//! How owners may transfer points to each other.

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use fealty_types::{Points, UnitCode};

use crate::refusal::Refusal;

/// At one instant, two zones show days that lie no further apart than that: clocks differ by 26 hours at the most.
const ZONES_APART_MAX_DAYS: u64 = 2;

/// Bounds of transfers. `None` is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferRules {
    /// Fewest points of one.
    pub value_min: Points,
    /// Most points of one.
    pub value_max: Option<Points>,
    /// Most points that an owner sends on one day.
    pub day_value_max: Option<Points>,
    /// Most transfers that an owner sends on one day.
    pub day_count_max: Option<i64>,
}

/// What an owner has sent of a unit on the last day on which they sent any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentOnDay {
    /// A calendar day in the program's time zone.
    pub day: NaiveDate,
    /// How many points.
    pub value: Points,
    /// How many transfers.
    pub count: i64,
    /// The time zone in which this day is told from those before it. `None` where no one zone does: another was the
    /// program's when points were sent last, in these days or at a time of which it is not known.
    pub zone: Option<Tz>,
}

impl SentOnDay {
    /// Nothing yet.
    const fn nothing(day: NaiveDate) -> Self {
        Self {
            day,
            value: Points::ZERO,
            count: 0,
            zone: None,
        }
    }

    /// Whether `zone` tells `day` from all days before it, of which this is the last.
    fn is_told_apart(&self, day: NaiveDate, zone: Tz) -> bool {
        let later = self.day.checked_add_days(Days::new(ZONES_APART_MAX_DAYS));
        self.zone == Some(zone) || later.is_some_and(|later| later < day)
    }
}

impl TransferRules {
    /// What was sent on `day` once `value` is sent, too; or why it may not be. What was sent on another day does not
    /// count.
    pub fn allow(
        &self,
        unit_code: &UnitCode,
        value: Points,
        (day, zone): (NaiveDate, Tz),
        sent: Option<SentOnDay>,
    ) -> Result<SentOnDay, Refusal> {
        if value < self.value_min || self.value_max.is_some_and(|max| value > max) {
            return Err(Refusal::TransferValueNotAllowed {
                unit_code: unit_code.clone(),
                required: value,
                value_min: self.value_min,
                value_max: self.value_max,
            });
        }
        let is_told_apart = sent.is_none_or(|sent| sent.is_told_apart(day, zone));
        let sent = sent.filter(|sent| sent.day == day);
        let sent = sent.unwrap_or_else(|| SentOnDay::nothing(day));
        // What does not fit is more than any bound; without one it is counted no further.
        let sum = sent.value.checked_add(value).unwrap_or(Points::new(i64::MAX));
        let count = sent.count.saturating_add(1);
        if self.day_value_max.is_some_and(|max| sum > max)
            || self.day_count_max.is_some_and(|max| count > max)
        {
            return Err(Refusal::TransferLimitReached {
                unit_code: unit_code.clone(),
                day,
                sent_value: sent.value,
                day_value_max: self.day_value_max,
                sent_count: sent.count,
                day_count_max: self.day_count_max,
            });
        }
        Ok(SentOnDay {
            day,
            value: sum,
            count,
            zone: is_told_apart.then_some(zone),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, number).unwrap()
    }

    fn rules() -> TransferRules {
        TransferRules {
            value_min: Points::new(10),
            value_max: Some(Points::new(60)),
            day_value_max: Some(Points::new(100)),
            day_count_max: Some(3),
        }
    }

    fn allow(rules: &TransferRules, value: i64, sent: Option<SentOnDay>) -> Result<SentOnDay, Refusal> {
        rules.allow(
            &"points".parse().unwrap(),
            Points::new(value),
            (day(22), Tz::UTC),
            sent,
        )
    }

    #[test]
    fn one_transfer_is_within_its_bounds() {
        for (value, is_allowed) in [(9, false), (10, true), (60, true), (61, false), (i64::MAX, false)] {
            assert_eq!(allow(&rules(), value, None).is_ok(), is_allowed, "{value}");
        }
    }

    #[test]
    fn a_day_ends_with_its_points_or_with_its_count_and_the_next_begins_anew() {
        let first = allow(&rules(), 60, None).unwrap();
        let second = allow(&rules(), 30, Some(first)).unwrap();
        assert_eq!((second.value.get(), second.count), (90, 2));
        let reached = allow(&rules(), 11, Some(second)).unwrap_err();
        assert!(
            matches!(reached, Refusal::TransferLimitReached { sent_value, .. } if sent_value.get() == 90)
        );
        let third = allow(&rules(), 10, Some(second)).unwrap();
        assert!(allow(&rules(), 10, Some(third)).is_err());
        let yesterday = SentOnDay {
            day: day(21),
            ..third
        };
        assert_eq!(allow(&rules(), 60, Some(yesterday)), Ok(first));
        let few = SentOnDay { count: 3, ..first };
        assert!(allow(&rules(), 10, Some(few)).is_err(), "three is all");
    }

    #[test]
    fn a_day_names_its_zone_unless_another_was_in_force_in_the_days_before() {
        let free = TransferRules {
            value_min: Points::new(1),
            value_max: None,
            day_value_max: None,
            day_count_max: None,
        };
        let code = "points".parse().unwrap();
        let send = |number, zone, sent| {
            let sent = free.allow(&code, Points::new(1), (day(number), zone), sent);
            sent.unwrap()
        };
        let (here, there) = (Tz::UTC, Tz::Pacific__Auckland);
        let first = send(5, here, None);
        assert_eq!(first.zone, Some(here));
        assert_eq!(send(5, here, Some(first)).zone, Some(here));
        assert_eq!(send(6, here, Some(first)).zone, Some(here));
        let moved = send(5, there, Some(first));
        assert_eq!((moved.zone, moved.count), (None, 2), "it is one day all the same");
        for number in [5, 6, 7] {
            assert_eq!(send(number, there, Some(moved)).zone, None);
        }
        assert_eq!(send(8, there, Some(moved)).zone, Some(there));
    }

    #[test]
    fn without_bounds_nothing_is_too_much_and_it_is_counted_all_the_same() {
        let free = TransferRules {
            value_min: Points::new(1),
            value_max: None,
            day_value_max: None,
            day_count_max: None,
        };
        let sent = allow(&free, i64::MAX, None).unwrap();
        let sent = allow(&free, i64::MAX, Some(sent)).unwrap();
        assert_eq!((sent.value.get(), sent.count), (i64::MAX, 2));
        assert!(
            allow(
                &TransferRules {
                    day_value_max: Some(Points::new(i64::MAX)),
                    ..free
                },
                1,
                Some(sent)
            )
            .is_ok()
        );
    }
}
