//! `MarkIdentifierVerified` and `ListIdentifierHistory`.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::events::v1::event::Payload;
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::Clock;
use prost_types::Timestamp;
use tonic::{Code, Response, Status};

use crate::happened::happened_to;
use crate::harness::{assert_invalid, assert_refused, is_replayed, nobodys_id, request_id};
use crate::shop::{Shop, card, email, external_id, phone};

fn at(time: DateTime<Utc>) -> Timestamp {
    Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos().cast_signed(),
    }
}

pub fn marking(member: &pb::Member, place: usize) -> pb::MarkIdentifierVerifiedRequest {
    pb::MarkIdentifierVerifiedRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        identifier_id: member.identifiers[place].identifier_id.clone(),
        verify_time: None,
    }
}

pub async fn mark(
    shop: &Shop,
    request: pb::MarkIdentifierVerifiedRequest,
) -> Result<Response<pb::MarkIdentifierVerifiedResponse>, Status> {
    shop.world
        .members(&shop.auth)
        .mark_identifier_verified(request)
        .await
}

pub async fn history(shop: &Shop, member_id: &str) -> Vec<pb::IdentifierHistoryEntry> {
    let mut entries = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListIdentifierHistoryRequest {
            member_id: member_id.to_owned(),
            page_size: 2,
            page_token,
        };
        let page = shop
            .world
            .members(&shop.auth)
            .list_identifier_history(request)
            .await
            .expect("a page");
        let page = page.into_inner();
        entries.extend(page.entries);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return entries;
        }
    }
}

#[tokio::test]
async fn a_number_is_verified_once_with_who_said_so_and_when_and_finds_its_member_before_and_after() {
    let (shop, clock) = Shop::open_with_clock().await;
    let ana = shop
        .enrol(&[phone("+442079460018"), email("ana@example.com")])
        .await;
    assert!(shop.lookup(phone("+442079460018")).await.is_ok());
    let yesterday = clock.now() - TimeDelta::days(1);
    let request = pb::MarkIdentifierVerifiedRequest {
        verify_time: Some(at(yesterday)),
        ..marking(&ana, 0)
    };
    let first = mark(&shop, request.clone()).await.unwrap();
    let again = mark(&shop, request).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.get_ref(), again.get_ref());
    let marked = first.into_inner();
    let (member, verified) = (marked.member.unwrap(), marked.identifier.unwrap());
    assert_eq!(verified.verify_time, Some(at(yesterday)));
    assert!(verified.verified_by.starts_with("key:"), "{verified:?}");
    assert_ne!(member.etag, ana.etag);
    assert_eq!(
        (&member.identifiers[0], &member.identifiers[1]),
        (&verified, &ana.identifiers[1])
    );
    assert_eq!(shop.lookup(phone("+442079460018")).await.unwrap(), member);
    // What is verified already stays as it is.
    let later = mark(&shop, marking(&ana, 0)).await.unwrap().into_inner();
    assert_eq!(later.member.unwrap(), member);

    let mailed = mark(&shop, marking(&ana, 1)).await.unwrap().into_inner();
    assert_eq!(mailed.identifier.unwrap().verify_time, Some(at(clock.now())));
    let told = happened_to(&shop, &ana.member_id).await;
    let is_verified = |payload: &Payload| match payload {
        Payload::IdentifierChanged(changed) => changed.change == "VERIFIED",
        _ => false,
    };
    assert_eq!(told.iter().filter(|payload| is_verified(payload)).count(), 2);
}

#[tokio::test]
async fn cards_and_external_ids_are_not_verified_nor_what_is_somebody_elses() {
    let shop = Shop::open().await;
    let ana = shop
        .enrol(&[card("4539148803436467"), external_id("1"), phone("+442079460018")])
        .await;
    let ben = shop.enrol(&[]).await;
    let before = shop.world.contents().await;
    for place in [0, 1] {
        let refused = mark(&shop, marking(&ana, place)).await;
        assert_invalid("no number", refused, &["identifier_id"]);
    }
    let bens = pb::MarkIdentifierVerifiedRequest {
        member_id: ben.member_id,
        ..marking(&ana, 2)
    };
    let not_found = ErrorReason::ResourceNotFound;
    assert_refused("another's", mark(&shop, bens).await, Code::NotFound, not_found);
    let tomorrow = pb::MarkIdentifierVerifiedRequest {
        verify_time: Some(at(fealty_types::SystemClock.now() + TimeDelta::days(1))),
        request_id: String::new(),
        ..marking(&ana, 2)
    };
    assert_invalid(
        "tomorrow",
        mark(&shop, tomorrow).await,
        &["request_id", "verify_time"],
    );
    assert_eq!(shop.world.contents().await, before);
}

#[tokio::test]
async fn what_became_of_identifiers_is_kept_in_order_without_what_they_say() {
    let (shop, clock) = Shop::open_with_clock().await;
    let ana = shop.enrol(&[phone("+442079460018")]).await;
    clock.advance(TimeDelta::hours(1));
    mark(&shop, marking(&ana, 0)).await.unwrap();
    clock.advance(TimeDelta::hours(1));
    let adding = pb::AddIdentifierRequest {
        request_id: request_id(),
        member_id: ana.member_id.clone(),
        identifier: Some(crate::shop::identifier(email("ana@example.com"))),
    };
    let added = shop
        .world
        .members(&shop.auth)
        .add_identifier(adding)
        .await
        .unwrap()
        .into_inner();
    clock.advance(TimeDelta::hours(1));
    let removal = pb::RemoveIdentifierRequest {
        member_id: ana.member_id.clone(),
        identifier_id: ana.identifiers[0].identifier_id.clone(),
    };
    shop.world
        .members(&shop.auth)
        .remove_identifier(removal)
        .await
        .unwrap();
    let entries = history(&shop, &ana.member_id).await;
    let told: Vec<(&str, &str, &str)> = entries
        .iter()
        .map(|entry| {
            (
                entry.kind.as_str(),
                entry.change.as_str(),
                entry.identifier_id.as_str(),
            )
        })
        .collect();
    let (phones, emails) = (
        &ana.identifiers[0].identifier_id,
        &added.identifier.unwrap().identifier_id,
    );
    let expected = [
        ("phone_number", "ADDED", phones.as_str()),
        ("phone_number", "VERIFIED", phones),
        ("email_address", "ADDED", emails),
        ("phone_number", "REMOVED", phones),
    ];
    assert_eq!(told, expected);
    assert!(entries.iter().all(|entry| entry.actor.starts_with("key:")));
    assert_eq!(entries[3].change_time, Some(at(clock.now())));

    let mut members = shop.world.members(&shop.auth);
    let nobody = pb::ListIdentifierHistoryRequest {
        member_id: nobodys_id(),
        ..Default::default()
    };
    let refused = members.list_identifier_history(nobody).await;
    assert_refused("nobody", refused, Code::NotFound, ErrorReason::ResourceNotFound);
    let strange = pb::ListIdentifierHistoryRequest {
        page_size: -1,
        ..Default::default()
    };
    let refused = members.list_identifier_history(strange).await;
    assert_invalid("a strange page", refused, &["member_id", "page_size"]);
}

#[tokio::test]
async fn what_became_of_identifiers_within_one_instant_is_kept_in_order_too() {
    let (shop, _clock) = Shop::open_with_clock().await;
    let ana = shop.enrol(&[]).await;
    let mut expected = Vec::new();
    for place in 0..6 {
        let adding = pb::AddIdentifierRequest {
            request_id: request_id(),
            member_id: ana.member_id.clone(),
            identifier: Some(crate::shop::identifier(phone(&format!("+44207946000{place}")))),
        };
        let mut members = shop.world.members(&shop.auth);
        let added = members.add_identifier(adding).await.unwrap().into_inner();
        let identifier_id = added.identifier.unwrap().identifier_id;
        let removal = pb::RemoveIdentifierRequest {
            member_id: ana.member_id.clone(),
            identifier_id: identifier_id.clone(),
        };
        members.remove_identifier(removal).await.unwrap();
        expected.extend(["ADDED", "REMOVED"].map(|change| (identifier_id.clone(), change.to_owned())));
    }
    let entries = history(&shop, &ana.member_id).await;
    let told: Vec<_> = entries
        .into_iter()
        .map(|entry| (entry.identifier_id, entry.change))
        .collect();
    assert_eq!(told, expected);
}
