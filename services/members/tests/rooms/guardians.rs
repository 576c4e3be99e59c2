//! Minors and who answers for them.

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::MemberStatus;
use fealty_proto::r#type::v1::{Date, ErrorReason};
use fealty_types::{Clock, ManualClock};
use tonic::{Code, Status};

use crate::harness::{assert_invalid, assert_refused, nobodys_id, request_id};
use crate::shop::{Shop, enrolment};
use crate::status;

/// So many years and days before the clock's day.
pub fn ago(clock: &ManualClock, years: u32, days: i64) -> Date {
    let day: NaiveDate = clock.now().with_timezone(&chrono_tz::Europe::London).date_naive();
    date(day - Months::new(12 * years) - TimeDelta::days(days))
}

fn date(day: NaiveDate) -> Date {
    Date {
        year: day.year(),
        month: day.month().cast_signed(),
        day: day.day().cast_signed(),
    }
}

pub fn born(birth_date: Date, guardian_member_id: &str) -> pb::EnrolMemberRequest {
    pb::EnrolMemberRequest {
        profile: Some(pb::Profile {
            given_name: "Mila".to_owned(),
            birth_date: Some(birth_date),
            ..Default::default()
        }),
        guardian_member_id: guardian_member_id.to_owned(),
        ..enrolment(&[])
    }
}

pub async fn enrol(shop: &Shop, birth_date: Date, guardian_member_id: &str) -> Result<pb::Member, Status> {
    let enrolled = shop.try_enrol(born(birth_date, guardian_member_id)).await?;
    Ok(enrolled.into_inner().member.expect("a member"))
}

/// A change of the birthday and the guardian.
pub fn change(member: &pb::Member, birth_date: Option<Date>, guardian_member_id: &str) -> pb::Member {
    pb::Member {
        member_id: member.member_id.clone(),
        guardian_member_id: guardian_member_id.to_owned(),
        profile: Some(pb::Profile {
            birth_date,
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[track_caller]
pub fn assert_no(label: &str, answer: Result<pb::Member, Status>, reason: ErrorReason) {
    assert_refused(label, answer, Code::FailedPrecondition, reason);
}

/// The clock's time on the day when somebody becomes so many years old.
pub fn birthday(birth_date: Date, years: i32) -> DateTime<Utc> {
    let day = NaiveDate::from_ymd_opt(
        birth_date.year + years,
        birth_date.month.cast_unsigned(),
        birth_date.day.cast_unsigned(),
    );
    day.and_then(|day| day.and_hms_opt(12, 0, 0))
        .expect("noon")
        .and_utc()
}

#[tokio::test]
async fn a_minor_joins_with_a_guardian_who_gives_the_consent_and_it_ends_by_itself_at_majority() {
    let (shop, clock) = Shop::open_with_clock().await;
    let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    assert_eq!(
        (
            vera.guardian_member_id.as_str(),
            vera.policy_accepted_by_member_id.as_str()
        ),
        ("", "")
    );
    let birth_date = ago(&clock, 17, 100);
    let mila = enrol(&shop, birth_date, &vera.member_id).await.unwrap();
    assert_eq!(mila.guardian_member_id, vera.member_id);
    assert_eq!(mila.policy_accepted_by_member_id, vera.member_id);
    assert_eq!(shop.get(&mila.member_id).await.unwrap(), mila);

    // Nothing runs, nobody is asked: the day comes.
    let of_age = birthday(birth_date, 18);
    clock.advance(of_age - clock.now() - TimeDelta::days(1));
    assert_eq!(
        shop.get(&mila.member_id).await.unwrap().guardian_member_id,
        vera.member_id
    );
    clock.advance(TimeDelta::days(1));
    let grown = shop.get(&mila.member_id).await.unwrap();
    assert_eq!(grown.guardian_member_id, "");
    assert_eq!(
        grown.policy_accepted_by_member_id, vera.member_id,
        "who consented then stays known"
    );
    // And she can answer for others herself.
    let child = enrol(&shop, ago(&clock, 3, 0), &mila.member_id).await.unwrap();
    assert_eq!(child.guardian_member_id, mila.member_id);
}

#[tokio::test]
async fn nobody_is_enrolled_as_a_minor_without_a_fit_guardian_nor_as_an_adult_with_one() {
    let (shop, clock) = Shop::open_with_clock().await;
    let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let ageless = shop.enrol(&[]).await;
    let child = ago(&clock, 10, 0);
    let mila = enrol(&shop, child, &vera.member_id).await.unwrap();
    let neighbour = shop.neighbour().await;
    let theirs = shop
        .world
        .members(&neighbour)
        .enrol_member(born(ago(&clock, 40, 0), ""))
        .await
        .unwrap();
    let theirs = theirs.into_inner().member.unwrap();
    let before = shop.world.contents().await;
    assert_no(
        "alone",
        enrol(&shop, child, "").await,
        ErrorReason::GuardianRequired,
    );
    for (label, guardian) in [("a child", &mila), ("nobody knows how old", &ageless)] {
        let refused = enrol(&shop, child, &guardian.member_id).await;
        assert_no(label, refused, ErrorReason::GuardianUnsuitable);
    }
    for guardian in [&nobodys_id(), &theirs.member_id] {
        let refused = enrol(&shop, child, guardian).await;
        assert_refused(
            "not there",
            refused,
            Code::NotFound,
            ErrorReason::ResourceNotFound,
        );
    }
    let adult = enrol(&shop, ago(&clock, 18, 0), &vera.member_id).await;
    assert_invalid("of age today", adult, &["guardian_member_id"]);
    let no_year = Date { year: 0, ..child };
    let refused = enrol(&shop, no_year, &vera.member_id).await;
    assert_invalid("nobody knows the year", refused, &["guardian_member_id"]);
    assert_invalid(
        "no id",
        enrol(&shop, child, "Vera").await,
        &["guardian_member_id"],
    );
    assert_eq!(shop.world.contents().await, before);
    status::set(&shop, &vera, MemberStatus::Suspended).await;
    let refused = enrol(&shop, child, &vera.member_id).await;
    assert_no("suspended", refused, ErrorReason::GuardianUnsuitable);
}

#[tokio::test]
async fn another_birthday_or_guardian_is_judged_as_at_enrolment() {
    let (shop, clock) = Shop::open_with_clock().await;
    let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let ivan = enrol(&shop, ago(&clock, 41, 0), "").await.unwrap();
    let mila = shop.enrol(&[]).await;
    let child = Some(ago(&clock, 10, 0));
    let (birthday, guardian) = ("profile.birth_date", "guardian_member_id");
    let alone = shop.update(change(&mila, child, ""), &[birthday]).await;
    assert_no("a minor alone", alone, ErrorReason::GuardianRequired);
    let both = change(&mila, child, &vera.member_id);
    let minor = shop.update(both, &[birthday, guardian]).await.unwrap();
    assert_eq!(minor.guardian_member_id, vera.member_id);
    let herself = shop
        .update(change(&mila, child, &mila.member_id), &[guardian])
        .await;
    assert_no("herself", herself, ErrorReason::GuardianUnsuitable);
    let nobody = shop.update(change(&mila, child, ""), &[guardian]).await;
    assert_no("nobody", nobody, ErrorReason::GuardianRequired);
    let other = shop
        .update(change(&mila, None, &ivan.member_id), &[guardian])
        .await
        .unwrap();
    assert_eq!(other.guardian_member_id, ivan.member_id);
    assert_eq!(other.profile.as_ref().unwrap().birth_date, child);
    // What a change of something else says of nothing stays.
    let moved = shop
        .update(change(&mila, None, ""), &["profile.place"])
        .await
        .unwrap();
    assert_eq!(moved.guardian_member_id, ivan.member_id);

    let grown = change(&mila, Some(ago(&clock, 20, 0)), "");
    let grown = shop.update(grown, &[birthday]).await.unwrap();
    assert_eq!(grown.guardian_member_id, "");
    let again = shop
        .update(change(&mila, None, &vera.member_id), &[guardian])
        .await;
    assert_invalid("of age", again, &["member.guardian_member_id"]);
}

#[tokio::test]
async fn who_takes_a_guardians_record_over_answers_for_their_wards() {
    let (shop, clock) = Shop::open_with_clock().await;
    let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let same = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let mila = enrol(&shop, ago(&clock, 10, 0), &vera.member_id).await.unwrap();
    let merge = pb::MergeMembersRequest {
        request_id: request_id(),
        from_member_id: vera.member_id,
        into_member_id: same.member_id.clone(),
    };
    shop.world.members(&shop.auth).merge_members(merge).await.unwrap();
    let minor = shop.get(&mila.member_id).await.unwrap();
    assert_eq!(minor.guardian_member_id, same.member_id);
    assert_ne!(minor.etag, mila.etag);
}

#[tokio::test]
async fn a_program_says_from_which_birthday_on_somebody_is_of_age() {
    let (shop, clock) = Shop::open_with_clock().await;
    let scopes = [Scope::ProgramsRead, Scope::ProgramsWrite];
    let auth = shop.world.suite_key(&scopes).await;
    let auth = auth.of_program(&shop.program.to_string());
    let mut programs = shop.world.programs(&auth);
    let set = |majority_age_years| pb::UpdateProgramRequest {
        program: Some(pb::Program {
            majority_age_years,
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["majority_age_years".to_owned()],
        }),
    };
    let program = programs
        .get_program(pb::GetProgramRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(program.program.unwrap().majority_age_years, 18);
    for wrong in [0, -1, 22] {
        let refused = programs.update_program(set(wrong)).await;
        assert_invalid("no age", refused, &["program.majority_age_years"]);
    }
    let of_sixteen = ago(&clock, 16, 0);
    assert_no(
        "at 18",
        enrol(&shop, of_sixteen, "").await,
        ErrorReason::GuardianRequired,
    );
    let changed = programs.update_program(set(16)).await.unwrap().into_inner();
    assert_eq!(changed.program.unwrap().majority_age_years, 16);
    assert!(enrol(&shop, of_sixteen, "").await.is_ok());
}

#[tokio::test]
async fn no_table_tells_when_a_minor_comes_of_age() {
    let (shop, clock) = Shop::open_with_clock().await;
    let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let birth_date = ago(&clock, 10, 0);
    enrol(&shop, birth_date, &vera.member_id).await.unwrap();
    let majority = birthday(birth_date, 18);
    let day = format!("{}", majority.format("%Y-%m-%d"));
    let begins = majority - TimeDelta::hours(12);
    let seconds = [begins, begins - TimeDelta::hours(1)].map(|time| time.timestamp().to_string());
    for (table, rows) in shop.world.contents().await {
        let rows = rows.unwrap_or_default();
        assert!(!rows.contains(&day), "{table}");
        assert!(!seconds.iter().any(|seconds| rows.contains(seconds)), "{table}");
    }
}

#[tokio::test]
async fn a_guardian_whose_time_is_over_does_not_come_back_with_another_birthday() {
    let (shop, clock) = Shop::open_with_clock().await;
    let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let mila = enrol(&shop, ago(&clock, 17, 360), &vera.member_id).await.unwrap();
    // While it lasts, it lasts to the day that is right.
    let younger = change(&mila, Some(ago(&clock, 17, 350)), "");
    let younger = shop.update(younger, &["profile.birth_date"]).await.unwrap();
    assert_eq!(younger.guardian_member_id, vera.member_id);
    clock.advance(TimeDelta::days(30));
    status::set(&shop, &vera, MemberStatus::Closed).await;
    assert_eq!(shop.get(&mila.member_id).await.unwrap().guardian_member_id, "");
    let minor = change(&mila, Some(ago(&clock, 10, 0)), "");
    let minor = shop.update(minor, &["profile.birth_date"]).await;
    assert_no("a minor again", minor, ErrorReason::GuardianRequired);
}
