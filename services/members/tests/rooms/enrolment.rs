//! `EnrolMember`: consent, the ledger, retries, and what is left half-made.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use fealty_proto::ledger::v1::OwnerKind;
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::{Clock, ManualClock, SystemClock};
use futures::future::join_all;
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::harness::{assert_refused, eventually, is_replayed, request_id};
use crate::ledger::{LEDGER_KEY, Mood};
use crate::shop::{Shop, acceptance, card, email, enrolment, external_id, identifier};

/// Callers who send the same request at once.
const CALLERS_COUNT: usize = 100;

/// Longer than any enrolment is left to its caller.
const LONG: TimeDelta = TimeDelta::minutes(1);

#[tokio::test]
async fn an_enrolled_member_is_known_to_the_ledger_and_found() {
    let shop = Shop::open().await;
    let member = shop
        .enrol(&[external_id("12346"), card("4539 1488 0343 6467")])
        .await;
    let opened = shop.ledger.opened();
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].owner_id, member.member_id);
    assert_eq!(opened[0].kind, i32::from(OwnerKind::Member));
    assert_eq!(opened[0].program, shop.program.to_string());
    assert_eq!(opened[0].authorization, format!("Bearer {LEDGER_KEY}"));
    assert_eq!(shop.get(&member.member_id).await.unwrap(), member);
    assert_eq!(shop.lookup(card("4539-1488-0343-6467")).await.unwrap(), member);
}

#[tokio::test]
async fn b14_the_acceptance_is_kept_with_version_text_hash_time_and_channel() {
    let shop = Shop::open().await;
    let policy = shop.publish("Version two.").await;
    let accepted = prost_types::Timestamp {
        seconds: 1_700_000_000,
        nanos: 0,
    };
    let request = pb::EnrolMemberRequest {
        policy_acceptance: Some(pb::PolicyAcceptance {
            policy_version: 2,
            accept_time: Some(accepted),
            ..acceptance()
        }),
        ..enrolment(&[])
    };
    let member = shop
        .try_enrol(request)
        .await
        .unwrap()
        .into_inner()
        .member
        .unwrap();
    let expected = pb::PolicyAcceptance {
        policy_version: 2,
        channel: "till 4".to_owned(),
        accept_time: Some(accepted),
        text_sha256: policy.text_sha256,
    };
    assert_eq!(member.policy_acceptance, Some(expected));
}

#[tokio::test]
async fn b16_nobody_is_enrolled_without_consent_to_the_policy_in_force() {
    let shop = Shop::open_without_policy(SystemClock::shared()).await;
    let without = shop.try_enrol(enrolment(&[])).await;
    assert_refused(
        "no policy",
        without,
        Code::FailedPrecondition,
        ErrorReason::PolicyMissing,
    );
    shop.publish("One.").await;
    let policy = shop.publish("Two.").await;
    let before = shop.world.contents().await;

    let outdated = ErrorReason::PolicyVersionOutdated;
    let required = ErrorReason::ConsentRequired;
    let zero = pb::PolicyAcceptance {
        policy_version: 0,
        ..acceptance()
    };
    let third = pb::PolicyAcceptance {
        policy_version: 3,
        ..acceptance()
    };
    for (label, given, reason) in [
        ("none", None, required),
        ("of no version", Some(zero), required),
        ("of an older version", Some(acceptance()), outdated),
        ("of a version that is not there", Some(third), outdated),
    ] {
        let request = pb::EnrolMemberRequest {
            policy_acceptance: given,
            ..enrolment(&[external_id("1")])
        };
        let status = assert_refused(
            label,
            shop.try_enrol(request).await,
            Code::FailedPrecondition,
            reason,
        );
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.metadata["policy_id"], policy.policy_id, "{label}");
        assert_eq!(info.metadata["policy_version"], "2", "{label}");
    }
    assert_eq!(shop.world.contents().await, before);
    assert!(shop.ledger.opened().is_empty());
}

#[tokio::test]
async fn the_same_request_gives_the_same_member_again() {
    let shop = Shop::open().await;
    let request = enrolment(&[external_id("12346")]);
    let first = shop.try_enrol(request.clone()).await.unwrap();
    let again = shop.try_enrol(request.clone()).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.into_inner(), again.into_inner());
    let other = pb::EnrolMemberRequest {
        identifiers: vec![identifier(external_id("12347"))],
        ..request
    };
    let reused = shop.try_enrol(other).await;
    assert_refused(
        "another person",
        reused,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
    assert_eq!(shop.count().await, 1);
}

#[tokio::test]
async fn a_hundred_callers_at_once_enrol_one() {
    let shop = Shop::open().await;
    let request = enrolment(&[external_id("12346"), email("ana@example.com")]);
    let answers = join_all((0..CALLERS_COUNT).map(|_| shop.try_enrol(request.clone()))).await;
    let members: Vec<pb::EnrolMemberResponse> = answers
        .into_iter()
        .map(|answer| answer.expect("enrolled").into_inner())
        .collect();
    assert!(members.iter().all(|member| *member == members[0]));
    assert_eq!(shop.count().await, 1);
    let owner_id = &members[0].member.as_ref().unwrap().member_id;
    assert!(
        shop.ledger
            .opened()
            .iter()
            .all(|opened| opened.owner_id == *owner_id)
    );
}

#[tokio::test]
async fn a_hundred_people_with_the_same_card_at_once_are_one() {
    let shop = Shop::open().await;
    let enrol = |number: usize| {
        let own = email(&format!("ana{number}@example.com"));
        shop.try_enrol(enrolment(&[own, card("4539148803436467")]))
    };
    let answers = join_all((0..CALLERS_COUNT).map(enrol)).await;
    let enrolled_count = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(enrolled_count, 1);
    for answer in answers.into_iter().filter(Result::is_err) {
        let taken = ErrorReason::ResourceExists;
        let status = assert_refused("the others", answer, Code::AlreadyExists, taken);
        let metadata = status.get_details_error_info().unwrap().metadata;
        assert_eq!(
            (metadata["kind"].as_str(), metadata["index"].as_str()),
            ("card_number", "1")
        );
    }
    assert_eq!(shop.count().await, 1);
}

/// Somebody whom the ledger did not open: they are nobody's member yet.
async fn left_half_made(shop: &Shop, mood: Mood) -> pb::EnrolMemberRequest {
    let request = enrolment(&[external_id("12346")]);
    shop.ledger.set_mood(mood);
    let status = assert_refused(
        "no ledger",
        shop.try_enrol(request.clone()).await,
        Code::Unavailable,
        ErrorReason::DependencyUnavailable,
    );
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!(info.metadata["dependency"], "ledger");
    assert_eq!(shop.count().await, 0);
    let lookup = shop.lookup(external_id("12346")).await;
    assert_refused("not found", lookup, Code::NotFound, ErrorReason::ResourceNotFound);
    shop.ledger.set_mood(Mood::Answers);
    request
}

#[tokio::test]
async fn a_retry_finishes_what_an_absent_ledger_left() {
    for mood in [
        Mood::Fails(Code::Unavailable),
        Mood::Fails(Code::Unauthenticated),
        Mood::Hangs,
    ] {
        let shop = Shop::open().await;
        let request = left_half_made(&shop, mood).await;
        let retried = shop.try_enrol(request).await.unwrap();
        assert!(is_replayed(&retried), "{mood:?}");
        let member = retried.into_inner().member.unwrap();
        assert!(shop.ledger.has_opened(&member.member_id));
        assert_eq!(shop.lookup(external_id("12346")).await.unwrap(), member);
    }
}

#[tokio::test]
async fn a_half_made_member_is_neither_changed_nor_given_identifiers() {
    let shop = Shop::open().await;
    left_half_made(&shop, Mood::Fails(Code::Unavailable)).await;
    let member_id: uuid::Uuid = sqlx::query_scalar("SELECT member_id FROM member")
        .fetch_one(&shop.world.database.owner)
        .await
        .unwrap();
    let member_id = member_id.to_string();
    let not_found = ErrorReason::ResourceNotFound;
    assert_refused("get", shop.get(&member_id).await, Code::NotFound, not_found);
    let change = pb::Member {
        member_id: member_id.clone(),
        ..Default::default()
    };
    assert_refused(
        "update",
        shop.update(change, &["profile"]).await,
        Code::NotFound,
        not_found,
    );
    let more = pb::AddIdentifierRequest {
        request_id: request_id(),
        member_id,
        identifier: Some(identifier(email("ana@example.com"))),
    };
    let added = shop.world.members(&shop.auth).add_identifier(more).await;
    assert_refused("add", added, Code::NotFound, not_found);
}

#[tokio::test]
async fn a_hanging_ledger_is_said_to_be_away_before_the_callers_deadline() {
    let shop = Shop::open().await;
    shop.ledger.set_mood(Mood::Hangs);
    let mut request = Request::new(enrolment(&[]));
    request.set_timeout(Duration::from_secs(2));
    let refused = shop.world.members(&shop.auth).enrol_member(request).await;
    assert_refused(
        "hanging",
        refused,
        Code::Unavailable,
        ErrorReason::DependencyUnavailable,
    );
}

#[tokio::test]
async fn what_nobody_retries_is_finished_by_itself() {
    let clock = ManualClock::new(SystemClock.now());
    let shop = Shop::open_without_policy(Arc::new(clock.clone())).await;
    shop.publish("The terms.").await;
    left_half_made(&shop, Mood::Fails(Code::Unavailable)).await;
    clock.advance(LONG);
    let member = eventually("the job", async || shop.lookup(external_id("12346")).await.ok()).await;
    assert!(shop.ledger.has_opened(&member.member_id));
    assert_eq!(shop.count().await, 1);
}

#[tokio::test]
async fn the_job_leaves_to_a_call_what_the_call_is_about_to_finish() {
    let shop = Shop::open().await;
    left_half_made(&shop, Mood::Fails(Code::Unavailable)).await;
    // Two rounds of the job.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(shop.count().await, 0);
    assert!(shop.ledger.opened().is_empty());
}

#[tokio::test]
async fn many_leftovers_are_finished_by_two_replicas_once_each() {
    const LEFTOVERS_COUNT: usize = 50;
    let clock = ManualClock::new(SystemClock.now());
    let shop = Shop::open_without_policy(Arc::new(clock.clone())).await;
    shop.publish("The terms.").await;
    // Refused at once, without the client's own retries.
    shop.ledger.set_mood(Mood::Fails(Code::PermissionDenied));
    let requests: Vec<_> = (0..LEFTOVERS_COUNT).map(|_| enrolment(&[])).collect();
    let refused = join_all(requests.iter().cloned().map(|request| shop.try_enrol(request))).await;
    assert!(refused.iter().all(|answer| {
        answer
            .as_ref()
            .is_err_and(|status| status.code() == Code::Unavailable)
    }));
    shop.ledger.set_mood(Mood::Answers);
    let replica = shop.world.start_replica(Arc::new(clock.clone())).await;
    clock.advance(LONG);
    eventually("the job", async || {
        (shop.count().await == LEFTOVERS_COUNT).then_some(())
    })
    .await;
    let mut opened = shop.ledger.opened();
    assert_eq!(opened.len(), LEFTOVERS_COUNT);
    opened.sort();
    opened.dedup();
    assert_eq!(opened.len(), LEFTOVERS_COUNT, "each of them once");
    drop(replica);
}
