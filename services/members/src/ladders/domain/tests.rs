//! Tiers by days.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

mod properties;

use super::*;
use crate::people::domain::TierCode;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn tier(code: &str, threshold: i64) -> Tier {
    Tier {
        code: code.parse().unwrap(),
        display_name: code.parse().unwrap(),
        threshold,
        benefits: Vec::new(),
    }
}

fn definition(tiers: Vec<Tier>, period: Period, grace: Span, landing: Landing) -> Definition {
    Definition {
        ladder_code: "status".parse().unwrap(),
        display_name: "Status".parse().unwrap(),
        qualification: Some(Qualification {
            measure: Measure::Spend("GBP".parse().unwrap()),
            period,
            grace,
            landing,
        }),
        tiers,
    }
}

fn metals(period: Period, grace: Span, landing: Landing) -> Definition {
    let tiers = vec![tier("bronze", 100), tier("silver", 500), tier("gold", 1_000)];
    definition(tiers, period, grace, landing)
}

fn version(definition: Definition, version: i64, start: NaiveDate) -> Ladder {
    Ladder {
        definition,
        version,
        start_day: start,
        create_time: start.and_hms_opt(9, 0, 0).unwrap().and_utc(),
        retire_time: None,
    }
}

fn book(spent: &[(&str, i64)]) -> Book {
    let mut book = Book::default();
    for (text, value) in spent {
        book.add("spend:GBP", day(text), *value);
    }
    book
}

fn rank_on(ladder: &Ladder, book: &Book, text: &str) -> Rank {
    replay(std::slice::from_ref(ladder), book, None, day(text)).rank
}

/// B8: the threshold itself is enough, and one less is not.
#[test]
fn b8_a_club_is_joined_at_its_threshold_and_not_before() {
    let club = definition(
        vec![tier("club", 10_000)],
        Period::SinceJoining,
        Span::NONE,
        Landing::ByBalance,
    );
    let club = version(club, 1, day("2026-01-01"));
    assert_eq!(rank_on(&club, &book(&[("2026-02-01", 9_999)]), "2026-02-01"), 0);
    let reached = book(&[("2026-02-01", 9_999), ("2026-02-03", 1)]);
    assert_eq!(rank_on(&club, &reached, "2026-02-02"), 0);
    assert_eq!(rank_on(&club, &reached, "2026-02-03"), 1);
    assert_eq!(rank_on(&club, &reached, "2036-02-03"), 1);
}

#[test]
fn a_calendar_year_with_a_grace_of_twelve_months_holds_until_the_end_of_the_next() {
    let ladder = metals(Period::CalendarYear, Span::Months(12), Landing::ByBalance);
    let ladder = version(ladder, 1, day("2025-01-01"));
    let book = book(&[("2025-06-01", 1_000), ("2026-11-30", 120)]);
    for (text, rank) in [
        ("2025-05-31", 0),
        ("2025-06-01", 3),
        ("2026-12-31", 3),
        ("2027-01-01", 0),
    ] {
        assert_eq!(rank_on(&ladder, &book, text), rank, "{text}");
    }
}

/// B10: one tier at a time, each with a grace of its own.
#[test]
fn b10_a_soft_landing_takes_one_step_after_each_grace() {
    let ladder = metals(Period::Rolling(Span::Days(30)), Span::Days(10), Landing::OneStep);
    let ladder = version(ladder, 1, day("2026-01-01"));
    let book = book(&[("2026-03-01", 1_000)]);
    let falls = [
        ("2026-04-09", 3),
        ("2026-04-10", 2),
        ("2026-04-19", 2),
        ("2026-04-20", 1),
        ("2026-04-30", 0),
    ];
    for (text, rank) in falls {
        assert_eq!(rank_on(&ladder, &book, text), rank, "{text}");
    }
    let held = replay(std::slice::from_ref(&ladder), &book, None, day("2026-04-01"));
    assert_eq!(
        next_change(&ladder.definition, &book, held, day("2026-04-01")),
        Some(day("2026-04-10"))
    );
}

#[test]
fn what_is_earned_again_within_the_grace_keeps_the_tier() {
    let ladder = metals(
        Period::Rolling(Span::Days(30)),
        Span::Days(10),
        Landing::ByBalance,
    );
    let ladder = version(ladder, 1, day("2026-01-01"));
    let kept = book(&[("2026-03-01", 1_000), ("2026-04-09", 1_000)]);
    assert_eq!(rank_on(&ladder, &kept, "2026-04-30"), 3);
    let late = book(&[("2026-03-01", 1_000), ("2026-04-10", 500)]);
    assert_eq!(rank_on(&ladder, &late, "2026-04-10"), 2);
}

#[test]
fn a_leap_day_counts_twelve_months_until_the_last_of_february() {
    let period = Period::Rolling(Span::Months(12));
    assert_eq!(period.end_of(day("2024-02-29")), Some(day("2025-02-28")));
    assert_eq!(period.end_of(day("2024-02-28")), Some(day("2025-02-28")));
    assert_eq!(period.first_day(day("2025-02-28")), Some(day("2024-03-01")));
    assert_eq!(period.first_day(day("2025-02-27")), Some(day("2024-02-28")));
    assert_eq!(
        Period::Rolling(Span::Days(366)).first_day(day("2024-12-31")),
        Some(day("2024-01-01"))
    );
}

#[test]
fn a_day_begins_with_its_first_instant_also_where_clocks_leave_out_midnight() {
    let zone: Tz = "America/Santiago".parse().unwrap();
    // Clocks went from midnight to one o'clock.
    assert_eq!(
        start_of_day(day("2024-09-08"), zone),
        Some(time("2024-09-08T04:00:00Z"))
    );
    let london: Tz = "Europe/London".parse().unwrap();
    assert_eq!(
        start_of_day(day("2026-07-01"), london),
        Some(time("2026-06-30T23:00:00Z"))
    );
    // A day that was left out altogether.
    let apia: Tz = "Pacific/Apia".parse().unwrap();
    assert_eq!(
        start_of_day(day("2011-12-30"), apia),
        start_of_day(day("2011-12-31"), apia)
    );
}

#[test]
fn who_has_a_tier_that_is_gone_stands_in_the_highest_below_it() {
    let before = metals(Period::SinceJoining, Span::NONE, Landing::ByBalance);
    let after = definition(
        vec![tier("bronze", 100), tier("gold", 5_000)],
        Period::SinceJoining,
        Span::Days(30),
        Landing::ByBalance,
    );
    let versions = [
        version(before, 1, day("2026-01-01")),
        version(after, 2, day("2026-03-01")),
    ];
    let silver = book(&[("2026-02-01", 600)]);
    assert_eq!(replay(&versions, &silver, None, day("2026-03-01")).rank, 1);
    let gold = book(&[("2026-02-01", 1_000)]);
    let kept = replay(&versions, &gold, None, day("2026-03-30"));
    assert_eq!(
        (kept.rank, kept.below_since),
        (2, Some(day("2026-03-01"))),
        "gold is kept for the grace"
    );
    assert_eq!(replay(&versions, &gold, None, day("2026-03-31")).rank, 1);
}

#[test]
fn a_grant_holds_beside_what_is_earned_until_its_end() {
    let ladder = version(
        metals(Period::SinceJoining, Span::NONE, Landing::ByBalance),
        1,
        day("2026-01-01"),
    );
    let earned = book(&[("2026-02-01", 100)]);
    let grant = Grant {
        tier_grant_id: fealty_types::TierGrantId::generate_at(time("2026-02-02T10:00:00Z")),
        member_id: fealty_types::MemberId::generate_at(time("2026-02-02T10:00:00Z")),
        ladder_code: "status".parse().unwrap(),
        tier_code: "gold".parse().unwrap(),
        end_time: Some(time("2026-02-03T15:30:00Z")),
        actor: "a key".to_owned(),
        create_time: time("2026-02-02T10:00:00Z"),
        revoked: None,
    };
    let known = Known {
        versions: std::slice::from_ref(&ladder),
        book: &earned,
        grants: std::slice::from_ref(&grant),
        from: None,
    };
    let at = |text: &str| {
        assess(
            Question {
                now: time(text),
                zone: Tz::UTC,
            },
            known,
        )
        .unwrap()
    };
    assert_eq!(at("2026-02-02T09:59:59Z").rank, 1);
    assert_eq!(
        (
            at("2026-02-02T10:00:00Z").rank,
            at("2026-02-02T10:00:00Z").due_time
        ),
        (3, grant.end_time)
    );
    assert_eq!(
        (
            at("2026-02-03T15:30:00Z").rank,
            at("2026-02-03T15:30:00Z").due_time
        ),
        (1, None)
    );
    let told = Told {
        tier: Some("gold".parse().unwrap()),
        due_time: grant.end_time,
        earned: Some("bronze".parse().unwrap()),
    };
    let asked = Question {
        now: time("2026-02-05T00:00:00Z"),
        zone: Tz::UTC,
    };
    let settled = settle(
        asked,
        Some(known),
        told,
        Trigger::Time,
        &(&ladder.definition.ladder_code, 1),
    );
    let change = &settled.changes[0];
    assert_eq!(
        (change.cause, Some(change.change_time)),
        (Cause::GrantEnded, grant.end_time)
    );
}

#[test]
fn what_a_refund_takes_back_is_a_share_even_of_points_that_were_spent() {
    let at = time("2026-02-02T10:00:00Z");
    let (purchase, refund) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
    let money = |minor| fealty_types::Money::new("GBP".parse().unwrap(), minor);
    let posting = |transaction_id, what, change| Posting {
        program_id: fealty_types::ProgramId::generate_at(at),
        member_id: fealty_types::MemberId::generate_at(at),
        transaction_id,
        what,
        changes: vec![("points".parse().unwrap(), change)],
        occur_time: at,
    };
    let bought = posting(
        purchase,
        What::Purchase {
            purchase_id: purchase,
            money: money(1_000),
        },
        100,
    );
    let (source, sums) = counted(&bought, day("2026-02-02"));
    assert_eq!(
        sums.iter().map(|sum| sum.value).collect::<Vec<_>>(),
        [100, 1_000, 1]
    );
    // All points but 10 have been spent.
    let back = posting(
        refund,
        What::Refund {
            purchase_id: Some(purchase),
            money: money(400),
        },
        -10,
    );
    let (left, sums) = take_back(&back, &source);
    let found: BTreeMap<_, _> = sums.iter().map(|sum| (sum.measure.as_str(), sum.value)).collect();
    assert_eq!(
        found,
        BTreeMap::from([("spend:GBP", -400), ("earned:points", -40)])
    );
    let rest = posting(
        refund,
        What::Refund {
            purchase_id: Some(purchase),
            money: money(600),
        },
        0,
    );
    let (left, sums) = take_back(&rest, &left);
    let found: BTreeMap<_, _> = sums.iter().map(|sum| (sum.measure.as_str(), sum.value)).collect();
    let all = BTreeMap::from([("spend:GBP", -600), ("purchases", -1), ("earned:points", -60)]);
    assert_eq!((found, left.left_minor), (all, None));
}

#[test]
fn visits_are_days_with_a_purchase_that_counts() {
    let mut book = Book::default();
    for (text, count) in [
        ("2026-02-01", 2),
        ("2026-02-02", 1),
        ("2026-02-02", -1),
        ("2026-02-03", 1),
    ] {
        book.add("purchases", day(text), count);
    }
    book.add("purchases", LIFETIME_DAY, 9);
    book.add("visits", LIFETIME_DAY, 5);
    assert_eq!(
        book.of(&Measure::Visits)
            .balance(Period::SinceJoining, day("2026-02-03")),
        7
    );
    assert_eq!(
        book.of(&Measure::Purchases)
            .balance(Period::CalendarYear, day("2026-02-03")),
        3
    );
}

#[test]
fn a_stored_cause_reads_back() {
    for cause in Cause::ALL {
        assert_eq!(Cause::from_column(cause.as_str()), Some(cause));
    }
    let code: Result<TierCode, _> = "gold".parse();
    assert!(code.is_ok());
}

#[test]
fn who_falls_when_a_grace_is_over_falls_to_where_they_belonged_that_day() {
    let how = (Period::Rolling(Span::Months(6)), Span::Days(22));
    let ladder = version(metals(how.0, how.1, Landing::ByBalance), 1, day("2023-11-20"));
    let book = book(&[("2023-11-01", 64), ("2024-01-06", 436)]);
    // Silver until 22 days after the first sum has ended, then bronze by the second; that ends on 6 July.
    assert_eq!(rank_on(&ladder, &book, "2024-05-22"), 2);
    assert_eq!(rank_on(&ladder, &book, "2024-05-23"), 1);
    assert_eq!(rank_on(&ladder, &book, "2024-07-06"), 1);
    assert_eq!(rank_on(&ladder, &book, "2024-07-28"), 0);
}
