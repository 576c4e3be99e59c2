//! `ListDuplicateCandidates`: records that may be of one person.

use std::collections::BTreeSet;

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::{DuplicateReason, MemberStatus};
use fealty_proto::r#type::v1::{Date, ErrorReason};
use tonic::{Code, Status};

use crate::harness::{assert_invalid, assert_refused, eventually, nobodys_id, request_id};
use crate::parties;
use crate::shop::{Shop, email, enrolment, external_id, identifier, phone};
use crate::{merges, status};

/// Members of one candidate that are told at the most.
const DUPLICATES_MAX: usize = 20;

fn person(given_name: &str, family_name: &str, day: i32, place: &str) -> pb::Profile {
    pb::Profile {
        given_name: given_name.to_owned(),
        family_name: family_name.to_owned(),
        birth_date: Some(Date {
            year: 1980,
            month: 5,
            day,
        }),
        place: place.to_owned(),
        ..Default::default()
    }
}

async fn enrol(shop: &Shop, profile: pb::Profile, address: Option<&str>) -> pb::Member {
    let addresses: Vec<_> = address.into_iter().map(email).collect();
    let request = pb::EnrolMemberRequest {
        profile: Some(profile),
        ..enrolment(&addresses)
    };
    let enrolled = shop.try_enrol(request).await.expect("enrolled");
    enrolled.into_inner().member.expect("a member")
}

async fn page(
    shop: &Shop,
    request: pb::ListDuplicateCandidatesRequest,
) -> Result<pb::ListDuplicateCandidatesResponse, Status> {
    let answer = shop
        .world
        .members(&shop.auth)
        .list_duplicate_candidates(request)
        .await?;
    Ok(answer.into_inner())
}

type Found = BTreeSet<(i32, Vec<String>)>;

/// All candidates, in pages of one.
async fn found(shop: &Shop, like: &str) -> Found {
    let mut all = Found::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListDuplicateCandidatesRequest {
            member_id: like.to_owned(),
            page_size: 1,
            page_token,
        };
        let page = page(shop, request).await.expect("a page");
        assert!(page.candidates.len() <= 1);
        for candidates in page.candidates {
            assert!(
                all.insert((candidates.reason, candidates.member_ids)),
                "told twice"
            );
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

fn of(reason: DuplicateReason, members: &[&pb::Member]) -> (i32, Vec<String>) {
    let mut ids: Vec<String> = members.iter().map(|member| member.member_id.clone()).collect();
    ids.sort();
    (reason.into(), ids)
}

#[tokio::test]
async fn records_of_one_person_are_found_by_what_they_have_in_common_and_why() {
    let shop = Shop::open().await;
    let ana = enrol(
        &shop,
        person("Ana", "Petrović", 5, "Niš"),
        Some("ana.petrovic@example.com"),
    )
    .await;
    let typed = enrol(&shop, person("PETROVIĆ", "ana", 5, "Novi Sad"), None).await;
    let nameless = enrol(
        &shop,
        pb::Profile::default(),
        Some("anapetrovic+till@example.com"),
    )
    .await;
    let neighbours = enrol(&shop, person("Ana", "Petrović", 6, "niš"), None).await;
    let firm = parties::enrol(&shop, parties::company(), "1").await;
    let branch = pb::Profile {
        registration_number: "ogrn1027700132195".to_owned(),
        display_name: "A branch".to_owned(),
        ..parties::company()
    };
    let branch = parties::enrol(&shop, branch, "2").await;
    enrol(&shop, person("Vera", "Petrović", 5, "Niš"), None).await;
    shop.neighbour().await;
    let hers = [
        of(DuplicateReason::NameAndBirthDate, &[&ana, &typed]),
        of(DuplicateReason::NameAndPlace, &[&ana, &neighbours]),
        of(DuplicateReason::SimilarEmailAddress, &[&ana, &nameless]),
    ];
    let firms = of(DuplicateReason::RegistrationNumber, &[&firm, &branch]);
    let expected: Found = hers.iter().cloned().chain([firms]).collect();
    assert_eq!(found(&shop, "").await, expected);
    assert_eq!(found(&shop, &ana.member_id).await, hers.iter().cloned().collect());
    assert_eq!(found(&shop, &typed.member_id).await, [hers[0].clone()].into());
}

#[tokio::test]
async fn what_changes_or_ends_is_a_duplicate_no_more_and_what_is_added_becomes_one() {
    let shop = Shop::open().await;
    let profile = || person("Ana", "Petrović", 5, "");
    let (one, other) = (
        enrol(&shop, profile(), None).await,
        enrol(&shop, profile(), None).await,
    );
    let same = of(DuplicateReason::NameAndBirthDate, &[&one, &other]);
    assert_eq!(found(&shop, "").await, [same.clone()].into());
    let renamed = |family_name: &str| pb::Member {
        member_id: other.member_id.clone(),
        profile: Some(person("Ana", family_name, 5, "")),
        ..Default::default()
    };
    shop.update(renamed("Jović"), &["profile.family_name"])
        .await
        .unwrap();
    assert_eq!(found(&shop, "").await, Found::new());
    shop.update(renamed("petrović"), &["profile.family_name"])
        .await
        .unwrap();
    assert_eq!(found(&shop, "").await, [same].into());

    let mut identifiers = Vec::new();
    for (member, address) in [(&one, "a.na@example.com"), (&other, "ana@example.com")] {
        let request = pb::AddIdentifierRequest {
            request_id: request_id(),
            member_id: member.member_id.clone(),
            identifier: Some(identifier(email(address))),
        };
        let added = shop
            .world
            .members(&shop.auth)
            .add_identifier(request)
            .await
            .unwrap();
        identifiers.push(added.into_inner().identifier.unwrap().identifier_id);
    }
    assert_eq!(found(&shop, "").await.len(), 2);
    let removal = pb::RemoveIdentifierRequest {
        member_id: one.member_id.clone(),
        identifier_id: identifiers.remove(0),
    };
    shop.world
        .members(&shop.auth)
        .remove_identifier(removal)
        .await
        .unwrap();
    assert_eq!(found(&shop, "").await.len(), 1);

    let merge = pb::MergeMembersRequest {
        request_id: request_id(),
        from_member_id: one.member_id.clone(),
        into_member_id: other.member_id.clone(),
    };
    shop.world.members(&shop.auth).merge_members(merge).await.unwrap();
    assert_eq!(found(&shop, "").await, Found::new());
    let third = enrol(&shop, profile(), None).await;
    assert_eq!(found(&shop, "").await.len(), 1);
    status::set(&shop, &third, MemberStatus::Closed).await;
    assert_eq!(found(&shop, "").await, Found::new());
}

#[tokio::test]
async fn of_a_name_that_many_have_twenty_are_told_and_that_there_are_more() {
    let shop = Shop::open().await;
    for _ in 0..=DUPLICATES_MAX {
        enrol(&shop, person("Ana", "Petrović", 5, ""), None).await;
    }
    let all = page(&shop, pb::ListDuplicateCandidatesRequest::default())
        .await
        .unwrap();
    assert_eq!((all.candidates.len(), all.next_page_token.as_str()), (1, ""));
    let many = &all.candidates[0];
    assert!(
        many.member_ids.len() == DUPLICATES_MAX && many.has_more,
        "{many:?}"
    );
}

#[tokio::test]
async fn what_is_malformed_or_about_nobody_is_refused_and_no_table_says_what_is_compared() {
    let shop = Shop::open().await;
    enrol(
        &shop,
        person("Anastasija", "Petrović", 5, "Kuršumlija"),
        Some("ana.p@example.com"),
    )
    .await;
    let wrong = pb::ListDuplicateCandidatesRequest {
        member_id: "Ana".to_owned(),
        page_size: -1,
        ..Default::default()
    };
    assert_invalid("wrong", page(&shop, wrong).await, &["member_id", "page_size"]);
    let nobody = pb::ListDuplicateCandidatesRequest {
        member_id: nobodys_id(),
        ..Default::default()
    };
    assert_refused(
        "nobody",
        page(&shop, nobody).await,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    for (table, rows) in shop.world.contents().await {
        let rows = rows.unwrap_or_default().to_lowercase();
        for secret in ["anastasija", "petrovi", "anap@example.com", "1980-05-05"] {
            assert!(!rows.contains(secret), "{table} tells {secret}");
        }
    }
}

async fn trait_count(shop: &Shop, member: &pb::Member) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM member_trait WHERE member_id = $1::uuid")
        .bind(&member.member_id)
        .fetch_one(&shop.world.database.owner)
        .await
        .expect("a count")
}

#[tokio::test]
async fn taking_an_identifier_from_a_merged_record_makes_it_nobodys_duplicate_again() {
    let shop = Shop::open().await;
    let one = pb::EnrolMemberRequest {
        profile: Some(person("Ana", "Petrović", 5, "")),
        ..enrolment(&[external_id("1"), email("ana@example.com")])
    };
    let one = shop.try_enrol(one).await.unwrap().into_inner().member.unwrap();
    // Who stays has as many as they may have.
    let phones: Vec<_> = (0..32)
        .map(|place| phone(&format!("+4420794600{place:02}")))
        .collect();
    let other = shop.enrol(&phones).await;
    merges::merge(&shop, &one, &other).await;
    assert_eq!(trait_count(&shop, &one).await, 0);
    let removal = pb::RemoveIdentifierRequest {
        member_id: one.member_id.clone(),
        identifier_id: one.identifiers[1].identifier_id.clone(),
    };
    shop.world
        .members(&shop.auth)
        .remove_identifier(removal)
        .await
        .unwrap();
    assert_eq!(trait_count(&shop, &one).await, 0);
}

#[tokio::test]
async fn who_was_enrolled_before_anybody_looked_for_duplicates_is_found_by_itself() {
    let shop = Shop::open().await;
    let (one, other, closed) = (
        enrol(&shop, person("Ana", "Petrović", 5, ""), None).await,
        enrol(&shop, person("Ana", "Petrović", 5, ""), None).await,
        enrol(&shop, person("Ana", "Petrović", 5, ""), None).await,
    );
    status::set(&shop, &closed, MemberStatus::Closed).await;
    // As they were before there were traits.
    for statement in [
        "DELETE FROM member_trait",
        "UPDATE member SET traits_noted = false",
    ] {
        sqlx::query(statement)
            .execute(&shop.world.database.owner)
            .await
            .unwrap();
    }
    let both = of(DuplicateReason::NameAndBirthDate, &[&one, &other]);
    eventually("the job", async || {
        (found(&shop, "").await == [both.clone()].into()).then_some(())
    })
    .await;
    eventually("all of them", async || {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM member WHERE NOT traits_noted")
            .fetch_one(&shop.world.database.owner)
            .await
            .unwrap();
        (left == 0).then_some(())
    })
    .await;
}
