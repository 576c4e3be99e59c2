use chrono::{Datelike, TimeDelta};
use proptest::prelude::*;

use super::*;

const MAJORITY: Majority = Majority {
    age_years: 18,
    time_zone: chrono_tz::Europe::Moscow,
};

fn born(year: i32, month: i32, day: i32) -> BirthDate {
    let today = NaiveDate::from_ymd_opt(2100, 1, 1).unwrap();
    BirthDate::try_new(year, month, day, today).unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

const fn asked(guardian: Change<MemberId>, candidate: Option<Candidate>) -> Naming {
    Naming {
        guardian,
        field: "guardian_member_id",
        candidate,
    }
}

fn some_member() -> MemberId {
    MemberId::generate_at(DateTime::UNIX_EPOCH)
}

fn adult(member_id: MemberId) -> Candidate {
    Candidate {
        member_id,
        status: MemberStatus::Active,
        birth_date: Some(born(1950, 1, 1)),
    }
}

#[test]
fn a_day_in_the_programs_zone_makes_somebody_of_age() {
    let begins = |birth_date| MAJORITY.begins(&birth_date);
    assert_eq!(begins(born(2008, 11, 22)), Some(time("2026-11-21T21:00:00Z")));
    // No 29 February in the year of majority.
    assert_eq!(begins(born(2004, 2, 29)), Some(time("2022-02-28T21:00:00Z")));
    assert_eq!(begins(born(0, 2, 28)), None);
}

#[test]
fn a_birthday_that_the_zone_left_out_begins_with_the_next_day() {
    let apia = Majority {
        time_zone: chrono_tz::Pacific::Apia,
        ..MAJORITY
    };
    // The 30th of December 2011 never was there.
    let begins = apia.begins(&born(1993, 12, 30));
    assert_eq!(begins, Some(time("2011-12-30T10:00:00Z")));
    assert_eq!(
        apia.begins(&born(1993, 12, 29)),
        Some(time("2011-12-29T10:00:00Z"))
    );
}

proptest! {
    #[test]
    fn exactly_minors_have_a_guardian_until_they_come_of_age(
        year in 1950..2026_i32,
        day in 0..365_i64,
        given in any::<bool>(),
    ) {
        let now = time("2026-11-22T12:00:00Z");
        let date = NaiveDate::from_ymd_opt(year, 1, 1).unwrap() + TimeDelta::days(day);
        let birth_date = born(date.year(), date.month().cast_signed(), date.day().cast_signed());
        let of_age = MAJORITY.begins(&birth_date).unwrap();
        let who = some_member();
        let naming = asked(Change::Set(given.then_some(who)), given.then(|| adult(who)));
        let decided = MAJORITY.decide(Some(&birth_date), None, naming, now);
        let expected = match (now < of_age, given) {
            (true, true) => Ok(Some(Guardian { member_id: who, until: of_age })),
            (true, false) => Err(Refusal::GuardianRequired),
            (false, true) => Err(Refusal::GuardianNotNeeded { field: "guardian_member_id" }),
            (false, false) => Ok(None),
        };
        prop_assert_eq!(decided, expected);
    }
}

#[test]
fn a_guardian_is_active_and_known_to_be_of_age() {
    let now = time("2026-11-22T12:00:00Z");
    let (child, who) = (born(2015, 5, 5), some_member());
    let decide = |candidate| {
        let naming = asked(Change::Set(Some(who)), Some(candidate));
        MAJORITY.decide(Some(&child), None, naming, now)
    };
    assert!(decide(adult(who)).is_ok());
    let refused = Err(Refusal::GuardianUnsuitable {
        guardian_member_id: who,
    });
    for birth_date in [None, Some(born(0, 1, 1)), Some(born(2010, 1, 1))] {
        let candidate = Candidate {
            birth_date,
            ..adult(who)
        };
        assert_eq!(decide(candidate), refused);
    }
    for status in [
        MemberStatus::Suspended,
        MemberStatus::Excluded,
        MemberStatus::Closed,
    ] {
        let candidate = Candidate { status, ..adult(who) };
        assert_eq!(decide(candidate), refused);
    }
}

#[test]
fn another_birthday_moves_the_end_and_who_is_of_age_loses_their_guardian() {
    let now = time("2026-11-22T12:00:00Z");
    let who = some_member();
    let current = Some(Guardian {
        member_id: who,
        until: time("2033-05-04T21:00:00Z"),
    });
    let kept = MAJORITY
        .decide(Some(&born(2016, 5, 5)), current, asked(Change::Keep, None), now)
        .unwrap()
        .unwrap();
    assert_eq!((kept.member_id, kept.until), (who, time("2034-05-04T21:00:00Z")));
    for birth_date in [Some(born(2001, 5, 5)), None] {
        let decided = MAJORITY.decide(birth_date.as_ref(), current, asked(Change::Keep, None), now);
        assert_eq!(decided, Ok(None));
    }
    let stored = Guardian::from_stored(who, &kept.until_as_personal());
    assert_eq!(stored, Some(kept));
}
