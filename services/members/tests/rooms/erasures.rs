//! `ErasureService`: people who are erased, step by step, with proof.

use std::slice;
use std::sync::Arc;

use chrono::TimeDelta;
use fealty_members::erasures::fault::{After, Faults};
use fealty_members::personal::PERSONAL_TABLES;
use fealty_proto::access::v1::Scope;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::ledger::v1::OwnerStatus;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::{ErasureCause, ErasureState, MemberStatus};
use fealty_proto::r#type::v1::{Date, ErrorReason};
use fealty_types::{Clock as _, ManualClock, SystemClock};
use fealty_vault::Signature;
use tonic::{Code, Response, Status};

use crate::happened::happened_to;
use crate::harness::{
    Auth, assert_invalid, assert_refused, database, eventually, is_replayed, nobodys_id, request_id,
};
use crate::ledger::{Door, Mood};
use crate::shop::{Shop, card, email, enrolment, external_id, phone};
use crate::{households, merges, status};

/// Longer than an erasure is left to its caller.
const LONG: TimeDelta = TimeDelta::minutes(1);

/// Somebody with a bit of everything.
pub async fn enrol_whole(shop: &Shop) -> pb::Member {
    let profile = pb::Profile {
        given_name: "Anastasija".to_owned(),
        family_name: "Petrović".to_owned(),
        birth_date: Some(Date {
            year: 1988,
            month: 2,
            day: 29,
        }),
        place: "Kuršumlija".to_owned(),
        ..Default::default()
    };
    let identifiers = [
        external_id("crm-4711-q"),
        card("4539148803436467"),
        phone("+442079460018"),
        email("anastasija.p@example.com"),
    ];
    let request = pb::EnrolMemberRequest {
        profile: Some(profile),
        ..enrolment(&identifiers)
    };
    let enrolled = shop.try_enrol(request).await.expect("enrolled").into_inner();
    let member = enrolled.member.expect("a member");
    let tier = pb::SetMemberTierRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        tier_code: "gold".to_owned(),
        reason: "her aunt works here".to_owned(),
    };
    let mut members = shop.world.members(&shop.auth);
    members.set_member_tier(tier).await.expect("in a tier");
    let preferences = pb::SetContactPreferencesRequest {
        request_id: request_id(),
        preferences: Some(pb::ContactPreferences {
            member_id: member.member_id.clone(),
            channels: vec![pb::ContactChannel::Paper.into()],
            addresses: vec![pb::ContactAddress {
                channel: pb::ContactChannel::Paper.into(),
                address: "3 Dorćol Street".to_owned(),
            }],
            ..Default::default()
        }),
    };
    let mut contacts = shop.world.contacts(&shop.auth);
    contacts.set_contact_preferences(preferences).await.expect("set");
    status::set(shop, &member, MemberStatus::Suspended).await;
    status::set(shop, &member, MemberStatus::Active).await;
    shop.get(&member.member_id).await.expect("a member")
}

pub fn erasing(member_id: &str) -> pb::EraseMemberRequest {
    pb::EraseMemberRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        cause: ErasureCause::MemberRequest.into(),
    }
}

pub async fn try_erase(
    shop: &Shop,
    request: &pb::EraseMemberRequest,
) -> Result<Response<pb::EraseMemberResponse>, Status> {
    shop.world
        .erasures(&shop.auth)
        .erase_member(request.clone())
        .await
}

pub async fn erase(shop: &Shop, member_id: &str) -> pb::Erasure {
    let answer = try_erase(shop, &erasing(member_id)).await.expect("erased");
    answer.into_inner().erasure.expect("an erasure")
}

/// As the other services do.
async fn confirm(shop: &Shop, erasure_id: &str, service: &str) -> Result<(), Status> {
    let key = shop.world.suite_key(&[Scope::ErasuresConfirm]).await;
    let auth = key.of_program(&shop.program.to_string());
    let request = pb::ConfirmErasureRequest {
        erasure_id: erasure_id.to_owned(),
        service: service.to_owned(),
    };
    shop.world
        .erasures(&auth)
        .confirm_erasure(request)
        .await
        .map(drop)
}

async fn get(shop: &Shop, erasure_id: &str) -> pb::Erasure {
    let request = pb::GetErasureRequest {
        erasure_id: erasure_id.to_owned(),
    };
    let answer = shop.world.erasures(&shop.auth).get_erasure(request).await;
    answer.expect("there").into_inner().erasure.expect("an erasure")
}

/// How many values of a column are there.
async fn count(shop: &Shop, statement: &'static str) -> i64 {
    let counted = sqlx::query_scalar(statement).fetch_one(&shop.world.database.owner);
    counted.await.expect("a number")
}

async fn key_of(shop: &Shop, member_id: &str) -> Vec<u8> {
    sqlx::query_scalar("SELECT data_key FROM member WHERE member_id = $1::uuid")
        .bind(member_id)
        .fetch_one(&shop.world.database.owner)
        .await
        .expect("a key")
}

#[tokio::test]
async fn nothing_of_an_erased_person_is_left_but_what_names_nobody() {
    let shop = Shop::open().await;
    let ana = enrol_whole(&shop).await;
    let key = key_of(&shop, &ana.member_id).await;
    let erasure = erase(&shop, &ana.member_id).await;

    assert_eq!(erasure.state(), ErasureState::Destroyed);
    assert_eq!(erasure.member_ids, slice::from_ref(&ana.member_id));
    assert_ne!(key_of(&shop, &ana.member_id).await, key, "the key is another one");
    let held = shop.ledger.account(&ana.member_id);
    assert_eq!(held.status, i32::from(OwnerStatus::Closed));

    let left = shop
        .get(&ana.member_id)
        .await
        .expect("a record that says nothing");
    assert_eq!(left.status(), MemberStatus::Closed);
    assert_eq!(
        (left.profile.unwrap_or_default(), left.identifiers),
        (
            pb::Profile {
                party_kind: pb::PartyKind::NaturalPerson.into(),
                ..Default::default()
            },
            Vec::new()
        )
    );
    for statement in [
        "SELECT count(*) FROM identifier",
        "SELECT count(*) FROM member_trait",
        "SELECT count(*) FROM contact_preference",
        "SELECT count(reason) FROM member_tier",
        "SELECT count(reason) FROM member_change",
        "SELECT count(identifier_id) FROM card",
    ] {
        assert_eq!(count(&shop, statement).await, 0, "{statement}");
    }
    // What proves that they once agreed stays.
    assert_eq!(count(&shop, "SELECT count(*) FROM consent_receipt").await, 1);

    let happened = happened_to(&shop, &ana.member_id).await;
    let Some(Payload::MemberErased(told)) = happened.last() else {
        panic!("{happened:?}");
    };
    assert_eq!(told.erasure_id, erasure.erasure_id);
    assert_eq!(told.member_ids, erasure.member_ids);
}

#[tokio::test]
async fn what_an_erased_person_was_known_by_is_free_again_but_their_card() {
    let shop = Shop::open().await;
    let ana = enrol_whole(&shop).await;
    erase(&shop, &ana.member_id).await;
    let vera = [
        external_id("crm-4711-q"),
        phone("+442079460018"),
        email("anastasija.p@example.com"),
    ];
    let vera = shop.enrol(&vera).await;
    let found = shop.lookup(phone("+442079460018")).await.unwrap();
    assert_eq!(found.member_id, vera.member_id);
    // Whoever found the plastic is not to become somebody with it.
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::CardBlocked);
    let taken = shop.try_enrol(enrolment(&[card("4539148803436467")])).await;
    assert_refused("her card", taken, code, reason);
    // Nothing new is written about who was erased.
    let renamed = pb::Member {
        profile: Some(pb::Profile {
            given_name: "Ana".to_owned(),
            ..Default::default()
        }),
        ..shop.get(&ana.member_id).await.unwrap()
    };
    let refused = shop.update(renamed, &["profile.given_name"]).await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::MemberNotActive);
    assert_refused("renamed", refused, code, reason);
}

#[tokio::test]
async fn an_erasure_is_complete_and_signed_when_the_last_service_has_confirmed() {
    let shop = Shop::open().await;
    let ana = enrol_whole(&shop).await;
    let erasure = erase(&shop, &ana.member_id).await;
    let id = erasure.erasure_id.as_str();
    confirm(&shop, id, "surveys").await.unwrap();
    confirm(&shop, id, "surveys").await.unwrap();
    let half = get(&shop, id).await;
    assert_eq!((half.state(), half.receipt), (ErasureState::Destroyed, None));
    confirm(&shop, id, "rewards").await.unwrap();
    let whole = get(&shop, id).await;
    assert_eq!(whole.state(), ErasureState::Complete);
    let services: Vec<&str> = whole.parts.iter().map(|part| part.service.as_str()).collect();
    assert_eq!(services, ["ledger", "members", "rewards", "surveys"]);
    assert!(whole.parts.iter().all(|part| part.confirm_time.is_some()));

    let receipt = whole.receipt.clone().expect("a receipt");
    let signature = Signature {
        bytes: receipt.signature.to_vec(),
        public_key: receipt.public_key.to_vec(),
    };
    assert!(signature.is_of(receipt.text.as_bytes()));
    assert!(!signature.is_of(receipt.text.replace("MEMBER", "member").as_bytes()));
    assert!(receipt.text.contains(&ana.member_id) && !receipt.text.contains("Anastasija"));
    confirm(&shop, id, "rewards").await.unwrap();
    assert_eq!(get(&shop, id).await, whole, "a receipt is written once");
}

#[tokio::test]
async fn an_erasure_that_is_cut_off_anywhere_is_finished_by_its_retry_and_by_the_job() {
    for point in After::ALL {
        for by_retry in [true, false] {
            let clock = ManualClock::new(SystemClock.now());
            let faults = Faults::new(move |at| at == point);
            let shop = Shop::open_cut_off(Arc::new(clock.clone()), faults).await;
            shop.publish("The terms.").await;
            let ana = shop
                .enrol(&[phone("+442079460018"), email("ana@example.com")])
                .await;
            households::create(&shop, &ana).await;
            let request = erasing(&ana.member_id);
            try_erase(&shop, &request).await.expect_err("it was cut off");
            // Another process, in which nothing is cut off. Its job takes over what nobody goes on with.
            let replica = shop.world.start_replica(Arc::new(clock.clone())).await;
            if by_retry {
                let answer = replica.erasures(&shop.auth).erase_member(request.clone()).await;
                let answer = answer.expect("erased");
                assert!(is_replayed(&answer), "{point:?}");
            }
            let label = format!("{point:?}, by retry: {by_retry}");
            eventually(&label, async || {
                // The process that cuts it off takes it on, too: then it is left for another while.
                clock.advance(LONG);
                let erasure = get(&shop, &request.request_id).await;
                (erasure.state() == ErasureState::Destroyed).then_some(())
            })
            .await;
            let left = shop.get(&ana.member_id).await.unwrap();
            assert_eq!(
                (left.household_id.as_str(), left.identifiers.len()),
                ("", 0),
                "{label}"
            );
            let happened = happened_to(&shop, &ana.member_id).await;
            let is_erased = |payload: &&Payload| matches!(payload, Payload::MemberErased(_));
            assert_eq!(happened.iter().filter(is_erased).count(), 1, "{label}");
        }
    }
}

#[tokio::test]
async fn nothing_is_destroyed_before_the_ledger_has_closed_the_account() {
    let shop = Shop::open().await;
    let ana = enrol_whole(&shop).await;
    shop.ledger
        .set_mood_of(Door::Status, Some(Mood::Fails(Code::Unavailable)));
    let request = erasing(&ana.member_id);
    let away = try_erase(&shop, &request).await;
    let (code, reason) = (Code::Unavailable, ErrorReason::DependencyUnavailable);
    assert_refused("away", away, code, reason);
    assert_eq!(get(&shop, &request.request_id).await.state(), ErasureState::Begun);
    assert_eq!(shop.get(&ana.member_id).await.unwrap().identifiers.len(), 4);
    shop.ledger.set_mood_of(Door::Status, None);
    let erased = try_erase(&shop, &request).await.unwrap();
    assert!(is_replayed(&erased));
    let erased = erased.into_inner().erasure.unwrap();
    assert_eq!(erased.state(), ErasureState::Destroyed);
}

#[tokio::test]
async fn a_person_is_erased_once_whoever_asks_again() {
    let shop = Shop::open().await;
    let ana = enrol_whole(&shop).await;
    let request = erasing(&ana.member_id);
    let first = try_erase(&shop, &request)
        .await
        .unwrap()
        .into_inner()
        .erasure
        .unwrap();
    assert_eq!(
        first.erasure_id, request.request_id,
        "the list that is kept outside names it"
    );
    let again = try_erase(&shop, &request).await.unwrap();
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner().erasure.as_ref(), Some(&first));
    assert_eq!(erase(&shop, &ana.member_id).await, first);
    let other = pb::EraseMemberRequest {
        member_id: shop.enrol(&[]).await.member_id,
        ..request
    };
    let (code, reason) = (Code::AlreadyExists, ErrorReason::RequestIdReused);
    assert_refused("reused", try_erase(&shop, &other).await, code, reason);
    let everything = pb::ListErasuresRequest::default();
    let list = shop.world.erasures(&shop.auth).list_erasures(everything).await;
    assert_eq!(list.unwrap().into_inner().erasures, [first]);
}

#[tokio::test]
async fn all_records_of_a_person_are_erased_by_whichever_they_are_named() {
    let shop = Shop::open().await;
    let (ana, double) = (
        enrol_whole(&shop).await,
        shop.enrol(&[phone("+442079460020")]).await,
    );
    merges::merge(&shop, &ana, &double).await;
    let erasure = erase(&shop, &ana.member_id).await;
    assert_eq!(erasure.member_id, double.member_id, "the record that stayed");
    assert_eq!(erasure.member_ids.len(), 2);
    let names = "SELECT count(given_name) FROM member";
    assert_eq!(count(&shop, names).await, 0);
    assert_eq!(count(&shop, "SELECT count(*) FROM identifier").await, 0);
}

#[tokio::test]
async fn every_table_that_names_members_is_decided_about() {
    let database = database().await;
    let mut connection = database.owner.acquire().await.unwrap();
    let columns = ["member_id", "subject_member_id", "referrer_member_id", "owner_id"];
    let unlisted = fealty_service::personal::unlisted(&mut connection, PERSONAL_TABLES, &columns).await;
    let forgotten = unlisted.unwrap();
    assert!(
        forgotten.is_empty(),
        "{forgotten:?}: add them to PERSONAL_TABLES in src/personal.rs, with what becomes of them at an erasure"
    );
}

#[tokio::test]
async fn erasures_are_for_those_with_the_scope_and_of_ones_own_program() {
    let mut shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let denied = |auth: Auth| {
        let mut erasures = shop.world.erasures(&auth);
        let request = erasing(&ana.member_id);
        async move { erasures.erase_member(request).await }
    };
    let weak = shop
        .world
        .key_of(shop.program, &[Scope::MembersWrite, Scope::MembersRead])
        .await;
    let (code, reason) = (Code::PermissionDenied, ErrorReason::ScopeMissing);
    assert_refused("weak", denied(weak).await, code, reason);
    let erasure = erase(&shop, &ana.member_id).await;
    let unknown = confirm(&shop, &nobodys_id(), "rewards").await;
    let (code, reason) = (Code::NotFound, ErrorReason::ResourceNotFound);
    assert_refused("unknown", unknown, code, reason);
    assert_invalid(
        "nobody",
        confirm(&shop, "", "ledger").await,
        &["erasure_id", "service"],
    );
    let all = pb::EraseMemberRequest::default();
    let fields = ["request_id", "member_id", "cause"];
    assert_invalid("nothing", try_erase(&shop, &all).await, &fields);
    shop.auth = shop.neighbour().await;
    let get = pb::GetErasureRequest {
        erasure_id: erasure.erasure_id,
    };
    let theirs = shop.world.erasures(&shop.auth).get_erasure(get).await;
    assert_refused("theirs", theirs, code, reason);
    assert_refused(
        "hers",
        try_erase(&shop, &erasing(&ana.member_id)).await,
        code,
        reason,
    );
}
