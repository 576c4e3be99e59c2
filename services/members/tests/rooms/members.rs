//! `MemberService`: reading, finding, changing and listing.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::{Date, ErrorReason};
use fealty_types::{Clock, ManualClock, SystemClock};
use tonic::Code;

use crate::harness::{assert_invalid, assert_refused};
use crate::shop::{Shop, card, email, enrolment, external_id, phone};

fn ana() -> pb::Profile {
    pb::Profile {
        given_name: "Ana".to_owned(),
        family_name: "Petrović".to_owned(),
        birth_date: Some(Date {
            year: 1988,
            month: 2,
            day: 29,
        }),
        language_code: "sr-latn".to_owned(),
        place: "Niš".to_owned(),
        ..Default::default()
    }
}

async fn enrol_ana(shop: &Shop) -> pb::Member {
    let request = pb::EnrolMemberRequest {
        profile: Some(ana()),
        ..enrolment(&[external_id("17"), phone("+381 18 555 333")])
    };
    let enrolled = shop.try_enrol(request).await.expect("enrolled");
    enrolled.into_inner().member.expect("a member")
}

fn at(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos().cast_signed(),
    }
}

#[tokio::test]
async fn a_profile_is_read_as_it_was_given() {
    let shop = Shop::open().await;
    let member = enrol_ana(&shop).await;
    let expected = pb::Profile {
        display_name: "Ana Petrović".to_owned(),
        language_code: "sr-Latn".to_owned(),
        party_kind: pb::PartyKind::NaturalPerson.into(),
        ..ana()
    };
    assert_eq!(member.profile, Some(expected));
    assert_eq!(shop.get(&member.member_id).await.unwrap(), member);
}

#[tokio::test]
async fn b2_a_till_learns_how_to_address_somebody_by_any_identifier_even_after_three_years() {
    let clock = ManualClock::new(SystemClock.now());
    let shop = Shop::open_without_policy(Arc::new(clock.clone())).await;
    shop.publish("The terms.").await;
    let identifiers = [
        external_id("12346"),
        card("4539148803436467"),
        phone("+442079460018"),
        email("ana@example.com"),
    ];
    let request = pb::EnrolMemberRequest {
        profile: Some(ana()),
        ..enrolment(&identifiers)
    };
    shop.try_enrol(request).await.unwrap();
    clock.advance(TimeDelta::days(3 * 365));
    let as_typed = [
        external_id("12346"),
        card("4539 1488 0343 6467"),
        phone("+44 (20) 7946-0018"),
        email(" ANA@Example.com"),
    ];
    for value in as_typed {
        let found = shop.lookup(value.clone()).await.unwrap();
        assert_eq!(found.profile.unwrap().display_name, "Ana Petrović", "{value:?}");
    }
}

#[tokio::test]
async fn who_is_not_there_is_not_found_and_the_value_is_not_repeated() {
    let shop = Shop::open().await;
    shop.enrol(&[external_id("12346")]).await;
    let secret = "ana@example.com";
    let status = assert_refused(
        "nobody",
        shop.lookup(email(secret)).await,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    let told = format!("{status:?} {}", String::from_utf8_lossy(status.details()));
    assert!(!told.contains(secret) && told.contains("email_address"), "{told}");
    // The same value of another kind is another thing.
    let other_kind = shop.lookup(phone("+12346123")).await;
    assert_refused(
        "another kind",
        other_kind,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names() {
    let shop = Shop::open().await;
    let member = enrol_ana(&shop).await;
    let change = |profile| pb::Member {
        member_id: member.member_id.clone(),
        profile: Some(profile),
        ..Default::default()
    };
    let jovic = change(pb::Profile {
        family_name: "Jović".to_owned(),
        place: "Not named by the mask".to_owned(),
        ..Default::default()
    });
    let changed = shop.update(jovic, &["profile.family_name"]).await.unwrap();
    let expected = pb::Profile {
        family_name: "Jović".to_owned(),
        // Nobody had set it: it follows the names.
        display_name: "Ana Jović".to_owned(),
        ..member.profile.clone().unwrap()
    };
    assert_eq!(changed.profile, Some(expected));
    assert_ne!(changed.etag, member.etag);
    assert_eq!(changed.identifiers, member.identifiers);
    assert_eq!(shop.get(&member.member_id).await.unwrap(), changed);

    let cleared = shop
        .update(change(pb::Profile::default()), &["profile"])
        .await
        .unwrap();
    let nothing = pb::Profile {
        party_kind: pb::PartyKind::NaturalPerson.into(),
        ..Default::default()
    };
    assert_eq!(cleared.profile, Some(nothing));
    let again = shop
        .update(change(pb::Profile::default()), &["profile"])
        .await
        .unwrap();
    assert_eq!(again, cleared, "what changes nothing is no revision");
}

#[tokio::test]
async fn an_update_for_an_older_revision_is_refused_and_one_without_etag_overwrites() {
    let shop = Shop::open().await;
    let member = enrol_ana(&shop).await;
    let change = |etag: &str, place: &str| pb::Member {
        member_id: member.member_id.clone(),
        etag: etag.to_owned(),
        profile: Some(pb::Profile {
            place: place.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let paths = ["profile.place"];
    shop.update(change(&member.etag, "Beograd"), &paths)
        .await
        .unwrap();
    let stale = shop.update(change(&member.etag, "Novi Sad"), &paths).await;
    assert_refused("a stale etag", stale, Code::Aborted, ErrorReason::EtagMismatch);
    assert_eq!(
        shop.get(&member.member_id).await.unwrap().profile.unwrap().place,
        "Beograd"
    );
    let forced = shop.update(change("", "Novi Sad"), &paths).await.unwrap();
    assert_eq!(forced.profile.unwrap().place, "Novi Sad");
}

#[tokio::test]
async fn a_list_pages_through_everybody_in_the_order_of_enrolment() {
    let shop = Shop::open().await;
    let mut enrolled = Vec::new();
    for number in 0..7 {
        enrolled.push(shop.enrol(&[external_id(&number.to_string())]).await);
    }
    shop.neighbour().await;
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListMembersRequest {
            page_size: 3,
            page_token,
            ..Default::default()
        };
        let page = shop.list(request).await.unwrap();
        listed.extend(page.members);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, enrolled);
}

#[tokio::test]
async fn a_list_is_bounded_by_times_and_its_token_by_them_too() {
    let clock = ManualClock::new(SystemClock.now());
    let shop = Shop::open_without_policy(Arc::new(clock.clone())).await;
    shop.publish("The terms.").await;
    let mut times = Vec::new();
    for _ in 0..4 {
        clock.advance(TimeDelta::hours(1));
        times.push(clock.now());
        shop.enrol(&[]).await;
    }
    let range = |from: usize, before: usize| pb::ListMembersRequest {
        page_size: 1,
        enrolled_from_time: Some(at(times[from])),
        enrolled_before_time: Some(at(times[before])),
        ..Default::default()
    };
    let page = shop.list(range(1, 3)).await.unwrap();
    assert_eq!(page.members[0].create_time, Some(at(times[1])));
    let next = |range| pb::ListMembersRequest {
        page_token: page.next_page_token.clone(),
        ..range
    };
    let last = shop.list(next(range(1, 3))).await.unwrap();
    assert_eq!((last.members.len(), last.next_page_token.as_str()), (1, ""));
    assert_eq!(last.members[0].create_time, Some(at(times[2])));
    let other = shop.list(next(range(0, 3))).await;
    assert_refused(
        "another range",
        other,
        Code::InvalidArgument,
        ErrorReason::PageTokenInvalid,
    );
    let backwards = shop.list(range(3, 1)).await;
    assert_invalid("backwards", backwards, &["enrolled_before_time"]);
}
