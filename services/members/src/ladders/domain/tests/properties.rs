//! Tiers by days, against a judge that looks at every day.

use chrono::{Datelike as _, Days, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::super::*;
use super::{day, metals, version};

/// The judge that looks at every day, and adds up every time.
fn every_day(ladder: &Ladder, spent: &[(NaiveDate, i64)], until: NaiveDate) -> Held {
    let days = ladder.start_day.iter_days().take_while(|today| *today <= until);
    days.fold(Held::default(), |held, today| {
        one_day(&ladder.definition, spent, held, today)
    })
}

fn one_day(ladder: &Definition, spent: &[(NaiveDate, i64)], held: Held, today: NaiveDate) -> Held {
    let how = ladder.qualification.as_ref().unwrap();
    let counts = spent
        .iter()
        .filter(|(day, _)| counts_plainly(how.period, *day, today));
    let balance: i64 = counts.map(|(_, value)| value).sum();
    let target = ladder
        .tiers
        .iter()
        .filter(|tier| balance >= tier.threshold)
        .count();
    step(how, held, today, target)
}

fn counts_plainly(period: Period, day: NaiveDate, today: NaiveDate) -> bool {
    day <= today
        && match period {
            Period::CalendarYear => day.year() == today.year(),
            Period::Rolling(span) => today < span.after(day),
            Period::SinceJoining => true,
        }
}

fn some_span(max: u32) -> impl Strategy<Value = Span> {
    prop_oneof![
        (1..=max).prop_map(Span::Days),
        (1..=max / 30 + 1).prop_map(Span::Months)
    ]
}

fn some_ladder() -> impl Strategy<Value = Ladder> {
    let period = prop_oneof![
        Just(Period::CalendarYear),
        Just(Period::SinceJoining),
        some_span(200).prop_map(Period::Rolling)
    ];
    let grace = prop_oneof![Just(Span::NONE), some_span(90)];
    (period, grace, any::<bool>()).prop_map(|(period, grace, one_step)| {
        let landing = if one_step && !grace.is_none() {
            Landing::OneStep
        } else {
            Landing::ByBalance
        };
        // Over a leap day and the ends of three years.
        version(metals(period, grace, landing), 1, day("2023-11-20"))
    })
}

fn some_spending() -> impl Strategy<Value = Vec<(NaiveDate, i64)>> {
    let one = (0..500u64, 1..600i64);
    let of = |(after, value)| (day("2023-11-01") + Days::new(after), value);
    prop::collection::vec(one.prop_map(of), 0..25)
}

fn book_of(spent: &[(NaiveDate, i64)]) -> Book {
    let mut book = Book::default();
    for (day, value) in spent {
        book.add("spend:GBP", *day, *value);
    }
    book
}

proptest! {
    #[test]
    fn judging_on_the_days_that_matter_is_judging_every_day(
        ladder in some_ladder(), spent in some_spending(), after in 0..700u64,
    ) {
        let until = ladder.start_day + Days::new(after);
        let book = book_of(&spent);
        let held = replay(std::slice::from_ref(&ladder), &book, None, until);
        prop_assert_eq!(held, every_day(&ladder, &spent, until));
    }

    #[test]
    fn in_however_many_steps_time_goes_by_the_tier_is_the_same(
        ladder in some_ladder(), spent in some_spending(), steps in prop::collection::vec(0..60u64, 1..12),
    ) {
        let book = book_of(&spent);
        let versions = std::slice::from_ref(&ladder);
        let mut today = ladder.start_day;
        let mut from = None;
        for step in steps {
            today = today + Days::new(step);
            let held = replay(versions, &book, from, today);
            from = Some(Checkpoint { day: today, version: 1, held });
            prop_assert_eq!(held, replay(versions, &book, None, today));
        }
    }

    #[test]
    fn the_next_change_is_the_first_day_on_which_the_place_is_another(
        ladder in some_ladder(), spent in some_spending(), after in 0..500u64,
    ) {
        let today = ladder.start_day + Days::new(after);
        let spent: Vec<_> = spent.into_iter().filter(|(day, _)| *day <= today).collect();
        let book = book_of(&spent);
        let held = replay(std::slice::from_ref(&ladder), &book, None, today);
        let found = next_change(&ladder.definition, &book, held, today);
        // A year and the longest period and graces: what is to come has come by then.
        let later = today.iter_days().skip(1).take(900);
        let first = later.scan(held, |held, day| {
            *held = one_day(&ladder.definition, &spent, *held, day);
            Some((day, held.rank))
        });
        prop_assert_eq!(found, first.into_iter().find(|(_, rank)| *rank != held.rank).map(|(day, _)| day));
    }

    #[test]
    fn what_is_told_by_events_and_due_times_is_what_a_replay_says(
        ladder in some_ladder(), mut spent in some_spending(), pauses in prop::collection::vec(1..2_000i64, 1..12),
        zone in prop::sample::select(vec![Tz::UTC, Tz::Europe__London, Tz::America__Santiago, Tz::Pacific__Apia]),
    ) {
        spent.sort_unstable();
        let code = ladder.definition.ladder_code.clone();
        let mut now = ladder.create_time;
        let mut told = Told::default();
        let mut known_book = Book::default();
        let mut pauses = pauses.into_iter().cycle();
        for (day, value) in spent {
            let bought = day.and_hms_opt(12, 0, 0).unwrap().and_utc();
            now = now.max(bought);
            // Sometimes somebody looks before, and sometimes nobody does.
            let looked = now - TimeDelta::minutes(pauses.next().unwrap_or(1));
            let versions = std::slice::from_ref(&ladder);
            for (at, trigger) in [(looked, Trigger::Time), (now, Trigger::Time), (now, Trigger::Posting)] {
                if trigger == Trigger::Posting {
                    known_book.add("spend:GBP", day_of(bought, zone), value);
                }
                if at < ladder.create_time || (trigger == Trigger::Time && told.due_time.is_none_or(|due| due > at)) {
                    continue;
                }
                let known = Known { versions, book: &known_book, grants: &[], from: None };
                let settled = settle(Question { now: at, zone }, Some(known), told, trigger, &(&code, 1));
                told = settled.told;
            }
            let held = replay(versions, &known_book, None, day_of(now, zone));
            prop_assert_eq!(told.tier.as_ref(), ladder.definition.code_at(held.rank));
            prop_assert!(told.due_time.is_none_or(|due| due > now));
        }
    }

    #[test]
    fn the_first_day_of_a_period_counts_and_the_day_before_does_not(after in 0..2_000u64, span in some_span(1_000)) {
        let today = day("2023-01-01") + Days::new(after);
        for period in [Period::CalendarYear, Period::Rolling(span)] {
            let first = period.first_day(today).unwrap();
            prop_assert!(period.counts(first, today));
            prop_assert!(!period.counts(first.pred_opt().unwrap(), today));
        }
    }

    #[test]
    fn days_that_are_put_together_change_nothing_that_is_not_fixed(
        spent in prop::collection::vec((0..3_000u64, 1..600i64), 0..40), ladder in some_ladder(),
    ) {
        let start = day("2018-01-01");
        let ladder = Ladder { start_day: start, ..ladder };
        let today = start + Days::new(3_000);
        let spent: Vec<_> = spent.into_iter().map(|(after, value)| (start + Days::new(after), value)).collect();
        let whole = book_of(&spent);
        let versions = std::slice::from_ref(&ladder);
        let fixed = fixed_day(today);
        let held = replay(versions, &whole, None, fixed);
        let kept: Vec<_> = spent.iter().map(|(day, value)| (keep_day(*day, today), *value)).collect();
        let from = Checkpoint { day: fixed, version: 1, held };
        prop_assert_eq!(
            replay(versions, &book_of(&kept), Some(from), today),
            replay(versions, &whole, None, today)
        );
    }
}
