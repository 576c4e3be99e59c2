//! `OccasionService`: whom to greet on which day.

use std::slice;

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use chrono_tz::Europe::London;
use fealty_proto::members::v1::{self as pb, MemberStatus, OccasionKind};
use fealty_proto::r#type::v1::{Date, ErrorReason};
use fealty_types::{Clock, ManualClock};
use tonic::{Code, Response, Status};

use crate::guardians::born;
use crate::harness::{assert_invalid, assert_refused, is_replayed, nobodys_id, request_id};
use crate::shop::Shop;
use crate::status;

pub fn day(year: i32, month: i32, day: i32) -> Date {
    Date { year, month, day }
}

/// Noon in London.
pub fn noon(date: Date) -> DateTime<Utc> {
    let day = NaiveDate::from_ymd_opt(date.year, date.month.cast_unsigned(), date.day.cast_unsigned());
    let noon = day.and_then(|day| day.and_hms_opt(12, 0, 0)).expect("a noon");
    London.from_local_datetime(&noon).unwrap().to_utc()
}

pub fn move_to(clock: &ManualClock, time: DateTime<Utc>) {
    clock.advance(time - clock.now());
}

/// Somebody born on a day, who joins now.
pub async fn joined(shop: &Shop, birth_date: Option<Date>) -> pb::Member {
    let request = match birth_date {
        Some(date) => born(date, ""),
        None => crate::shop::enrolment(&[]),
    };
    let enrolled = shop.try_enrol(request).await.expect("enrolled");
    enrolled.into_inner().member.expect("a member")
}

pub async fn set_member_days(
    shop: &Shop,
    member: &pb::Member,
    days: &[(&str, Date)],
) -> Result<Response<pb::SetMemberDaysResponse>, Status> {
    let request = pb::SetMemberDaysRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        days: days
            .iter()
            .map(|(code, date)| pb::MemberDay {
                day_code: (*code).to_owned(),
                date: Some(*date),
            })
            .collect(),
    };
    shop.world.occasions(&shop.auth).set_member_days(request).await
}

pub fn program_days(days: &[(&str, Date)]) -> pb::SetProgramDaysRequest {
    let of = |(code, date): &(&str, Date)| pb::ProgramDay {
        day_code: (*code).to_owned(),
        display_name: format!("The day {code}"),
        date: Some(*date),
    };
    pb::SetProgramDaysRequest {
        request_id: request_id(),
        days: days.iter().map(of).collect(),
    }
}

pub async fn set_program_days(shop: &Shop, days: &[(&str, Date)]) -> pb::SetProgramDaysResponse {
    let set = shop
        .world
        .occasions(&shop.auth)
        .set_program_days(program_days(days))
        .await;
    set.expect("set").into_inner()
}

fn from(date: Date, day_count: i32) -> pb::ListDueOccasionsRequest {
    pb::ListDueOccasionsRequest {
        from_date: Some(date),
        day_count,
        ..Default::default()
    }
}

/// All pages.
async fn due(shop: &Shop, request: pb::ListDueOccasionsRequest) -> Vec<pb::Occasion> {
    let mut occasions = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListDueOccasionsRequest {
            page_token,
            ..request.clone()
        };
        let page = shop.world.occasions(&shop.auth).list_due_occasions(request).await;
        let page = page.expect("a page").into_inner();
        occasions.extend(page.occasions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return occasions;
        }
    }
}

/// What is due, whose, on which day of the month, and about how many years.
fn told(occasion: &pb::Occasion) -> (OccasionKind, &str, i32, i32) {
    let day = occasion.date.expect("a date").day;
    (occasion.kind(), &occasion.member_id, day, occasion.number)
}

#[tokio::test]
async fn b3_a_birthday_on_29_february_is_on_the_28th_in_2023_and_on_its_own_day_in_2024() {
    let (shop, _) = Shop::open_with_clock().await;
    let leap = joined(&shop, Some(day(1988, 2, 29))).await;
    let ana = joined(&shop, Some(day(0, 2, 28))).await;
    let of = async |date| {
        let request = pb::ListDueOccasionsRequest {
            kinds: vec![OccasionKind::Birthday.into()],
            ..from(date, 1)
        };
        let mut ids: Vec<String> = due(&shop, request)
            .await
            .into_iter()
            .map(|occasion| occasion.member_id)
            .collect();
        ids.sort();
        ids
    };
    let mut both = vec![leap.member_id.clone(), ana.member_id.clone()];
    both.sort();
    assert_eq!(of(day(2023, 2, 28)).await, both);
    assert_eq!(of(day(2024, 2, 28)).await, slice::from_ref(&ana.member_id));
    assert_eq!(of(day(2024, 2, 29)).await, slice::from_ref(&leap.member_id));
    assert!(of(day(2023, 3, 1)).await.is_empty());
    assert_eq!(of(day(2100, 2, 28)).await, both);
    // Whoever corrects their birthday is greeted on the other day.
    let changed = pb::Member {
        member_id: leap.member_id.clone(),
        profile: Some(pb::Profile {
            birth_date: Some(day(1988, 3, 1)),
            ..Default::default()
        }),
        ..Default::default()
    };
    shop.update(changed, &["profile.birth_date"]).await.unwrap();
    assert_eq!(of(day(2023, 2, 28)).await, slice::from_ref(&ana.member_id));
    assert_eq!(of(day(2023, 3, 1)).await, [leap.member_id]);
}

#[tokio::test]
async fn b3_the_anniversary_of_joining_comes_each_year_with_its_number_by_the_programs_clock() {
    let (shop, clock) = Shop::open_with_clock().await;
    // Half past midnight in London is the evening before in UTC.
    move_to(&clock, "2027-06-30T23:30:00Z".parse().unwrap());
    let ana = joined(&shop, None).await;
    let year_of = async |year| {
        let all = due(&shop, from(day(year, 6, 30), 3)).await;
        all.iter().map(|one| told(one).3).collect::<Vec<i32>>()
    };
    assert!(
        year_of(2027).await.is_empty(),
        "who has just joined has no anniversary"
    );
    assert_eq!(year_of(2028).await, [1]);
    assert_eq!(year_of(2029).await, [2]);
    let tenth = due(&shop, from(day(2037, 7, 1), 1)).await;
    assert_eq!(
        tenth.iter().map(told).collect::<Vec<_>>(),
        [(OccasionKind::JoiningAnniversary, ana.member_id.as_str(), 1, 10)]
    );
    // A day begins and ends by the clock on the wall: here in summer time.
    let (begin, end) = (tenth[0].begin_time.unwrap(), tenth[0].end_time.unwrap());
    let begins: DateTime<Utc> = "2037-06-30T23:00:00Z".parse().unwrap();
    assert_eq!(
        (begin.seconds, end.seconds - begin.seconds),
        (begins.timestamp(), 86_400)
    );
}

#[tokio::test]
async fn b3_wedding_days_and_days_of_the_program_stand_in_the_list_day_by_day() {
    let (shop, clock) = Shop::open_with_clock().await;
    let days = [
        ("new_year", day(0, 1, 1)),
        ("teachers", day(0, 10, 5)),
        ("company_30", day(2027, 10, 6)),
    ];
    let set = set_program_days(&shop, &days).await;
    let codes: Vec<&str> = set.days.iter().map(|day| day.day_code.as_str()).collect();
    assert_eq!(codes, ["company_30", "new_year", "teachers"]);
    move_to(&clock, noon(day(2027, 1, 15)));
    let (ana, ben, zoe) = (
        joined(&shop, Some(day(1990, 10, 5))).await,
        joined(&shop, None).await,
        joined(&shop, None).await,
    );
    for member in [&ana, &ben, &zoe] {
        set_member_days(
            &shop,
            member,
            &[("wedding", day(0, 10, 6)), ("name_day", day(0, 3, 9))],
        )
        .await
        .unwrap();
    }
    status::set(&shop, &zoe, MemberStatus::Suspended).await;
    let window = from(day(2027, 10, 4), 4);
    let all = due(&shop, window.clone()).await;
    let mut weddings =
        [&ana, &ben].map(|member| (OccasionKind::MemberDay, "wedding", member.member_id.as_str(), 6));
    weddings.sort_by_key(|wedding| wedding.2);
    let expected = [
        (OccasionKind::ProgramDay, "teachers", "", 5),
        (OccasionKind::Birthday, "", ana.member_id.as_str(), 5),
        (OccasionKind::ProgramDay, "company_30", "", 6),
        weddings[0],
        weddings[1],
    ];
    let seen: Vec<_> = all
        .iter()
        .map(|one| {
            (
                one.kind(),
                one.day_code.as_str(),
                one.member_id.as_str(),
                told(one).2,
            )
        })
        .collect();
    assert_eq!(seen, expected, "only who is active is greeted");
    for page_size in 1..=5 {
        let paged = pb::ListDueOccasionsRequest {
            page_size,
            ..window.clone()
        };
        assert_eq!(due(&shop, paged).await, all, "whatever the size of the page");
    }
    let only = pb::ListDueOccasionsRequest {
        kinds: vec![OccasionKind::ProgramDay.into()],
        ..from(day(2028, 10, 4), 4)
    };
    let of_2028 = due(&shop, only).await;
    assert_eq!(of_2028.len(), 1, "the company is thirty only once: {of_2028:?}");
}

#[tokio::test]
async fn b3_days_that_are_set_take_the_place_of_those_before() {
    let shop = Shop::open().await;
    let ana = joined(&shop, None).await;
    let days = [("name_day", day(0, 3, 9)), ("wedding", day(0, 10, 6))];
    set_member_days(&shop, &ana, &days).await.unwrap();
    set_program_days(&shop, &[("teachers", day(0, 10, 6))]).await;
    let window = from(day(2027, 10, 6), 1);
    assert_eq!(due(&shop, window.clone()).await.len(), 2);
    set_member_days(&shop, &ana, &[("wedding", day(0, 5, 1))])
        .await
        .unwrap();
    assert_eq!(due(&shop, window.clone()).await.len(), 1);
    let get = pb::GetMemberDaysRequest {
        member_id: ana.member_id.clone(),
    };
    let kept = shop.world.occasions(&shop.auth).get_member_days(get).await;
    let kept = kept.unwrap().into_inner().days;
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (kept[0].day_code.as_str(), kept[0].date),
        ("wedding", Some(day(0, 5, 1)))
    );
    set_program_days(&shop, &[]).await;
    assert!(due(&shop, window).await.is_empty());
    let get = pb::GetProgramDaysRequest {};
    let kept = shop.world.occasions(&shop.auth).get_program_days(get).await;
    assert!(kept.unwrap().into_inner().days.is_empty());
}

#[tokio::test]
async fn b3_a_day_is_that_of_the_members_own_clock_and_today_that_of_the_programs() {
    let (shop, clock) = Shop::open_with_clock().await;
    move_to(&clock, "2027-06-30T23:30:00Z".parse().unwrap());
    let ana = joined(&shop, Some(day(1990, 7, 1))).await;
    let preferences = pb::SetContactPreferencesRequest {
        request_id: request_id(),
        preferences: Some(pb::ContactPreferences {
            member_id: ana.member_id.clone(),
            time_zone: "Pacific/Auckland".to_owned(),
            ..Default::default()
        }),
    };
    shop.world
        .contacts(&shop.auth)
        .set_contact_preferences(preferences)
        .await
        .expect("set");
    let today = due(&shop, pb::ListDueOccasionsRequest::default()).await;
    assert_eq!(
        today.iter().map(told).collect::<Vec<_>>(),
        [(OccasionKind::Birthday, ana.member_id.as_str(), 1, 0)],
        "in London it is the first of July already"
    );
    let begins: DateTime<Utc> = "2027-06-30T12:00:00Z".parse().unwrap();
    assert_eq!(today[0].begin_time.unwrap().seconds, begins.timestamp());
}

#[tokio::test]
async fn days_are_set_once_for_each_request_and_of_nobody_elses_members() {
    let shop = Shop::open().await;
    let ana = joined(&shop, None).await;
    let request = program_days(&[("new_year", day(0, 1, 1))]);
    let mut client = shop.world.occasions(&shop.auth);
    let first = client.set_program_days(request.clone()).await.unwrap();
    let again = client.set_program_days(request.clone()).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.into_inner(), again.into_inner());
    let other = pb::SetProgramDaysRequest {
        request_id: request.request_id,
        ..program_days(&[])
    };
    assert_refused(
        "another command",
        client.set_program_days(other).await,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
    let neighbour = shop.neighbour().await;
    let get = pb::GetMemberDaysRequest {
        member_id: ana.member_id.clone(),
    };
    let theirs = shop.world.occasions(&neighbour).get_member_days(get).await;
    assert_refused(
        "not theirs",
        theirs,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    let days = shop
        .world
        .occasions(&neighbour)
        .get_program_days(pb::GetProgramDaysRequest {})
        .await;
    assert!(days.unwrap().into_inner().days.is_empty());
    let nobody = pb::Member {
        member_id: nobodys_id(),
        ..Default::default()
    };
    let refused = set_member_days(&shop, &nobody, &[]).await;
    assert_refused("nobody", refused, Code::NotFound, ErrorReason::ResourceNotFound);
    status::set(&shop, &ana, MemberStatus::Closed).await;
    let refused = set_member_days(&shop, &ana, &[]).await;
    assert_refused(
        "closed",
        refused,
        Code::FailedPrecondition,
        ErrorReason::MemberNotActive,
    );
}

#[tokio::test]
async fn what_is_malformed_is_named_and_changes_nothing() {
    let shop = Shop::open().await;
    let ana = joined(&shop, None).await;
    let before = shop.world.contents().await;
    let mut client = shop.world.occasions(&shop.auth);
    let days = program_days(&[
        ("new_year", day(0, 1, 1)),
        ("New Year", day(2023, 2, 29)),
        ("new_year", day(0, 13, 1)),
    ]);
    let fields = [
        "days[1].day_code",
        "days[1].date.day",
        "days[2].date.day",
        "days[2].day_code",
    ];
    assert_invalid("days", client.set_program_days(days).await, &fields);
    let codes: Vec<String> = (0..=100).map(|number| format!("day-{number}")).collect();
    let many: Vec<(&str, Date)> = codes.iter().map(|code| (code.as_str(), day(0, 1, 1))).collect();
    let refused = client.set_program_days(program_days(&many)).await;
    assert_invalid("too many", refused, &["days"]);
    let with_year = set_member_days(&shop, &ana, &[("wedding", day(1999, 5, 1))]).await;
    assert_invalid("a year", with_year, &["days[0].date.year"]);
    let window = pb::ListDueOccasionsRequest {
        from_date: Some(day(0, 2, 30)),
        day_count: 32,
        kinds: vec![0, 99],
        page_size: -1,
        ..Default::default()
    };
    let fields = [
        "from_date.year",
        "from_date.day",
        "day_count",
        "kinds[0]",
        "kinds[1]",
        "page_size",
    ];
    assert_invalid("a window", client.list_due_occasions(window).await, &fields);
    assert_eq!(shop.world.contents().await, before);
}
