use chrono_tz::{America, Europe, Pacific};
use proptest::prelude::*;

use super::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

const fn life(length: LifeLength, round_up_to: Option<CalendarPeriod>) -> LotLife {
    LotLife { length, round_up_to }
}

fn days(days: u32) -> ExpiryPolicy {
    ExpiryPolicy::AfterEarning(life(LifeLength::Days(days), None))
}

fn yearly(month: u32, day: u32, years_later: u32) -> ExpiryPolicy {
    ExpiryPolicy::EachYear(YearlyDay::try_new(month, day, years_later).unwrap())
}

fn last(policy: ExpiryPolicy, first: &str) -> String {
    policy.last_day(date(first)).unwrap().to_string()
}

#[test]
fn never_has_no_end() {
    assert_eq!(
        ExpiryPolicy::Never.end(utc("2026-01-01T00:00:00Z"), Tz::UTC),
        None
    );
}

#[test]
fn a_lot_ends_at_the_start_of_the_day_after_its_last_in_the_programs_zone() {
    let end = |from: &str, zone| days(1).end(utc(from), zone).unwrap();
    assert_eq!(end("2026-01-10T12:00:00Z", Tz::UTC), utc("2026-01-12T00:00:00Z"));
    // 23:30 in London's summer is 22:30 UTC, still the 10th; its midnights are 23:00 UTC.
    assert_eq!(
        end("2026-07-10T22:30:00Z", Europe::London),
        utc("2026-07-11T23:00:00Z")
    );
    // In Moscow it is the 11th by then.
    assert_eq!(
        end("2026-07-10T22:30:00Z", Europe::Moscow),
        utc("2026-07-12T21:00:00Z")
    );
}

#[test]
fn clocks_that_change_within_a_life_do_not_move_its_midnight() {
    // London's clocks go forward on 29 March 2026 and back on 25 October.
    let end = |from: &str| days(10).end(utc(from), Europe::London).unwrap();
    assert_eq!(end("2026-03-25T12:00:00Z"), utc("2026-04-04T23:00:00Z"));
    assert_eq!(end("2026-10-20T12:00:00Z"), utc("2026-10-31T00:00:00Z"));
}

#[test]
fn a_day_whose_midnight_is_skipped_begins_when_the_clocks_resume() {
    // Sao Paulo's clocks went from 2018-11-04 00:00 to 01:00 (UTC-3 to UTC-2).
    let end = days(1).end(utc("2018-11-02T12:00:00Z"), America::Sao_Paulo);
    assert_eq!(end, Some(utc("2018-11-04T03:00:00Z")));
    // Samoa had no 30 December 2011.
    let end = days(1).end(utc("2011-12-28T20:00:00Z"), Pacific::Apia);
    assert_eq!(end, Some(utc("2011-12-30T10:00:00Z")));
}

#[test]
fn a_day_whose_midnight_comes_twice_begins_the_first_time() {
    // Havana's clocks went back from 2024-11-03 01:00 to 00:00 (UTC-4 to UTC-5): midnight was at 04:00 and 05:00 UTC.
    let end = days(1).end(utc("2024-11-01T16:00:00Z"), America::Havana);
    assert_eq!(end, Some(utc("2024-11-03T04:00:00Z")));
}

#[test]
fn a_month_that_lacks_the_day_gives_its_last_one() {
    let months = |count| ExpiryPolicy::AfterEarning(life(LifeLength::Months(count), None));
    assert_eq!(last(months(1), "2026-01-31"), "2026-02-28");
    assert_eq!(last(months(1), "2028-01-31"), "2028-02-29");
    assert_eq!(last(months(3), "2026-01-31"), "2026-04-30");
    assert_eq!(last(months(12), "2024-02-29"), "2025-02-28");
    assert_eq!(last(months(1), "2026-03-15"), "2026-04-15");
}

#[test]
fn a_life_is_rounded_up_to_the_end_of_its_month_quarter_or_year() {
    let months = |count, period| ExpiryPolicy::AfterEarning(life(LifeLength::Months(count), Some(period)));
    assert_eq!(last(months(1, CalendarPeriod::Month), "2026-01-31"), "2026-02-28");
    assert_eq!(
        last(months(12, CalendarPeriod::Month), "2026-03-05"),
        "2027-03-31"
    );
    assert_eq!(
        last(months(6, CalendarPeriod::Quarter), "2026-01-15"),
        "2026-09-30"
    );
    assert_eq!(last(months(1, CalendarPeriod::Year), "2026-12-01"), "2027-12-31");
    // Who is there already stays.
    assert_eq!(
        last(months(1, CalendarPeriod::Quarter), "2026-02-28"),
        "2026-03-31"
    );
    let days = ExpiryPolicy::AfterEarning(life(LifeLength::Days(30), Some(CalendarPeriod::Quarter)));
    assert_eq!(last(days, "2026-03-01"), "2026-03-31");
    assert_eq!(last(days, "2026-03-02"), "2026-06-30");
}

#[test]
fn the_end_of_a_month_is_that_of_the_programs_zone() {
    let policy = ExpiryPolicy::AfterEarning(life(LifeLength::Months(1), Some(CalendarPeriod::Month)));
    // Still December in New York.
    let end = policy.end(utc("2027-01-01T03:00:00Z"), America::New_York);
    assert_eq!(end, Some(utc("2027-02-01T05:00:00Z")));
}

#[test]
fn all_points_of_a_year_end_on_the_same_day_of_the_next() {
    let policy = yearly(3, 31, 1);
    for first in ["2026-01-01", "2026-03-31", "2026-04-01", "2026-12-31"] {
        assert_eq!(last(policy, first), "2027-03-31");
    }
    assert_eq!(last(policy, "2027-01-01"), "2028-03-31");
}

#[test]
fn with_no_year_between_the_next_such_day_counts() {
    let policy = yearly(3, 31, 0);
    assert_eq!(last(policy, "2026-03-31"), "2026-03-31");
    assert_eq!(last(policy, "2026-04-01"), "2027-03-31");
    let leap = yearly(2, 29, 0);
    assert_eq!(last(leap, "2026-01-01"), "2026-02-28");
    assert_eq!(last(leap, "2027-03-01"), "2028-02-29");
    for (month, day) in [(2, 30), (13, 1), (0, 1), (4, 31), (4, 0)] {
        assert_eq!(YearlyDay::try_new(month, day, 0), None);
    }
}

#[test]
fn one_date_is_the_same_for_all_and_passes_at_its_end() {
    let policy = ExpiryPolicy::OnDate(date("2026-06-30"));
    assert_eq!(last(policy, "2026-01-01"), "2026-06-30");
    assert_eq!(last(policy, "2026-07-01"), "2026-06-30");
    let passed = |now: &str| policy.has_passed(utc(now), Europe::London);
    assert!(!passed("2026-06-30T22:59:59Z") && passed("2026-06-30T23:00:00Z"));
    assert!(!days(1).has_passed(utc("2026-06-30T23:00:00Z"), Tz::UTC));
}

fn any_life() -> impl Strategy<Value = LotLife> {
    let length = prop_oneof![
        (1..=LIFE_DAYS_MAX.unsigned_abs()).prop_map(LifeLength::Days),
        (1..=LIFE_MONTHS_MAX.unsigned_abs()).prop_map(LifeLength::Months),
    ];
    let period = prop_oneof![
        Just(None),
        Just(Some(CalendarPeriod::Month)),
        Just(Some(CalendarPeriod::Quarter)),
        Just(Some(CalendarPeriod::Year)),
    ];
    (length, period).prop_map(|(length, round_up_to)| LotLife { length, round_up_to })
}

fn any_policy() -> impl Strategy<Value = ExpiryPolicy> {
    let yearly = (1_u32..=12, 1_u32..=31, 0..=YEARS_LATER_MAX.unsigned_abs());
    prop_oneof![
        any_life().prop_map(ExpiryPolicy::AfterEarning),
        any_life().prop_map(ExpiryPolicy::AfterActivity),
        yearly.prop_filter_map("no such day", |(month, day, years)| {
            YearlyDay::try_new(month, day, years).map(ExpiryPolicy::EachYear)
        }),
    ]
}

/// From 1970 to 2100.
fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    (0_i64..4_102_444_800).prop_map(|seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds))
}

fn any_zone() -> impl Strategy<Value = Tz> {
    proptest::sample::select(chrono_tz::TZ_VARIANTS.to_vec())
}

proptest! {
    #[test]
    fn an_end_is_the_first_instant_of_the_day_after_the_last(
        policy in any_policy(), time in any_time(), zone in any_zone(),
    ) {
        let first = time.with_timezone(&zone).date_naive();
        let last = policy.last_day(first).unwrap();
        prop_assert!(last >= first, "the day of the earning counts whole");
        let end = policy.end(time, zone).unwrap();
        prop_assert!(end > time);
        let day_of = |instant: DateTime<Utc>| instant.with_timezone(&zone).date_naive();
        prop_assert!(day_of(end) > last);
        prop_assert!(day_of(end - TimeDelta::microseconds(1)) <= last);
    }

    #[test]
    fn who_earns_later_keeps_as_long(
        policy in any_policy(), one in any_time(), other in any_time(), zone in any_zone(),
    ) {
        let (sooner, later) = (one.min(other), one.max(other));
        prop_assert!(policy.end(sooner, zone) <= policy.end(later, zone));
    }

    #[test]
    fn rounding_only_moves_on_and_ends_its_period(life in any_life(), time in any_time()) {
        let first = time.date_naive();
        let exact = LotLife { round_up_to: None, ..life }.last_day(first).unwrap();
        let last = life.last_day(first).unwrap();
        prop_assert!(last >= exact);
        if let Some(period) = life.round_up_to {
            let next = last.succ_opt().unwrap();
            prop_assert_eq!((next.day(), next.month0() % period.months()), (1, 0));
            prop_assert!(exact.checked_add_months(Months::new(period.months())).unwrap() > last);
        }
    }
}
