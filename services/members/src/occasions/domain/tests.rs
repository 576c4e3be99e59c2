//! Days of all kinds of years and zones.

use chrono::TimeDelta;
use chrono_tz::{Africa, America, Europe, Pacific};
use proptest::prelude::*;

use super::*;

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn day(month: u32, day: u32) -> MonthDay {
    MonthDay::try_new(month, day).unwrap()
}

#[test]
fn b3_the_29th_of_february_is_on_the_28th_in_years_without_it() {
    let born = day(2, 29);
    assert!(born.falls_on(date(2023, 2, 28)));
    assert!(born.falls_on(date(2100, 2, 28)), "a century is no leap year");
    assert!(born.falls_on(date(2024, 2, 29)) && !born.falls_on(date(2024, 2, 28)));
    assert!(born.falls_on(date(2000, 2, 29)) && !born.falls_on(date(2000, 2, 28)));
    assert!(!born.falls_on(date(2023, 3, 1)));
    assert_eq!(MonthDay::try_new(2, 30), Err(MonthDayError));
    assert_eq!(MonthDay::try_new(0, 1), Err(MonthDayError));
    assert_eq!(MonthDay::from_number(born.as_number()), Some(born));
    assert_eq!(MonthDay::from_number(431), None);
}

#[test]
fn a_day_begins_at_the_first_instant_that_the_wall_shows_of_it() {
    let begin = |date, zone| begin_of(date, zone).unwrap().to_rfc3339();
    assert_eq!(
        begin(date(2026, 7, 1), Europe::Belgrade),
        "2026-06-30T22:00:00+00:00"
    );
    // Midnight is left out when the clock is put forward there; and shown twice when it is put back.
    assert_eq!(
        begin(date(2026, 4, 24), Africa::Cairo),
        "2026-04-23T22:00:00+00:00"
    );
    assert_eq!(
        begin(date(2026, 11, 1), America::Havana),
        "2026-11-01T04:00:00+00:00"
    );
    assert_eq!(
        begin(date(2026, 1, 1), Pacific::Kiritimati),
        "2025-12-31T10:00:00+00:00"
    );
}

#[test]
fn what_was_missed_is_told_for_a_week_and_never_twice() {
    let today = date(2026, 3, 2);
    assert_eq!(days_to_tell(today, None), [today]);
    assert_eq!(days_to_tell(today, Some(today)), []);
    assert_eq!(
        days_to_tell(today, Some(date(2026, 2, 27))),
        [date(2026, 2, 28), date(2026, 3, 1), today]
    );
    assert_eq!(days_to_tell(today, Some(date(2025, 1, 1))).len(), 8);
    let tomorrow = date(2026, 3, 3);
    assert_eq!(
        days_to_tell(today, Some(tomorrow)),
        [],
        "a clock that was set back"
    );
}

#[test]
fn a_day_of_the_program_is_each_years_or_one_years() {
    let new_year = ProgramDay {
        day_code: "new_year".parse().unwrap(),
        display_name: DisplayName::try_new("New Year").unwrap(),
        month_day: day(1, 1),
        year: None,
    };
    assert!(new_year.falls_on(date(2026, 1, 1)) && new_year.falls_on(date(2027, 1, 1)));
    let once = ProgramDay {
        year: Some(2026),
        ..new_year
    };
    assert!(once.falls_on(date(2026, 1, 1)) && !once.falls_on(date(2027, 1, 1)));
    for text in ["", "New Year", "день", "x".repeat(41).as_str()] {
        assert_eq!(text.parse::<DayCode>(), Err(DayCodeError), "{text}");
    }
}

proptest! {
    /// Every day of the calendar is on exactly one date of each year.
    #[test]
    fn b3_each_day_comes_once_in_each_year(year in 1900_i32..2200, number in 0_i64..366) {
        let any = date(2000, 1, 1) + TimeDelta::days(number);
        let day = day(any.month(), any.day());
        let dates = date(year, 1, 1).iter_days().take_while(|date| date.year() == year);
        prop_assert_eq!(dates.filter(|date| day.falls_on(*date)).count(), 1);
    }

    /// Where the job last was decides what is left, whatever is missed: no day is told twice, none out of order.
    #[test]
    fn days_are_told_once_and_in_order(gaps in prop::collection::vec(0_u64..20, 1..20)) {
        let mut today = date(2026, 1, 1);
        let mut told: Vec<NaiveDate> = Vec::new();
        for gap in gaps {
            today = today + Days::new(gap);
            told.extend(days_to_tell(today, told.last().copied()));
            prop_assert_eq!(told.last(), Some(&today));
        }
        prop_assert!(told.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
