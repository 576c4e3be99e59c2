//! `ContactService`: who may be contacted, how often, and what about.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::{
    ConsentPurpose, ContactChannel, ContactDecision, ContactPurpose, ContactRule, DeliveryOutcome,
};
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::Clock;
use futures::future::join_all;
use tonic::{Code, Response, Status};

use crate::consents::{grant, grant_of};
use crate::harness::{
    Contacts, PATIENCE, assert_invalid, assert_refused, is_replayed, nobodys_id, request_id,
};
use crate::shop::{SHOP_SCOPES, Shop, email, phone};

/// Senders who ask at once.
const SENDERS_COUNT: usize = 40;

/// What a sender waits for before it asks again.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Topics that one member can opt out of.
const TOPICS_MAX: usize = 200;

pub const ALLOWED: (ContactDecision, ContactRule) = (ContactDecision::Yes, ContactRule::Allowed);
const OPTED_OUT: (ContactDecision, ContactRule) = (ContactDecision::No, ContactRule::TopicOptOut);
pub const CAPPED: (ContactDecision, ContactRule) = (ContactDecision::NotBefore, ContactRule::FrequencyCap);

pub const PURPOSES: [ConsentPurpose; 6] = [
    ConsentPurpose::ServiceQuality,
    ConsentPurpose::NewProducts,
    ConsentPurpose::PersonalOffers,
    ConsentPurpose::TariffChanges,
    ConsentPurpose::Marketing,
    ConsentPurpose::Protection,
];

/// Somebody with an e-mail address and a telephone number, who allows everything by both.
pub async fn reachable(shop: &Shop, name: &str, number: i64) -> pb::Member {
    let address = email(&format!("{name}@example.com"));
    let member = shop
        .enrol(&[address, phone(&format!("+4420794600{number}"))])
        .await;
    let channels = [ContactChannel::Email, ContactChannel::Sms, ContactChannel::Viber];
    grant(shop, grant_of(&member, &PURPOSES, &channels)).await;
    member
}

pub fn contact(member: &pb::Member, purpose: ContactPurpose, topic: &str) -> pb::MayContactRequest {
    pb::MayContactRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        channel: ContactChannel::Email.into(),
        purpose: purpose.into(),
        topic: topic.to_owned(),
        ..Default::default()
    }
}

pub async fn try_ask(
    shop: &Shop,
    request: pb::MayContactRequest,
) -> Result<Response<pb::MayContactResponse>, Status> {
    shop.world.contacts(&shop.auth).may_contact(request).await
}

/// Asks as clients do: whoever waited for too long behind others, for the member or for a connection, asks again under the
/// same id, which counts one contact however often it is asked.
async fn try_ask_until_answered(
    mut client: Contacts,
    request: pb::MayContactRequest,
) -> Result<Response<pb::MayContactResponse>, Status> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        match client.may_contact(request.clone()).await {
            Err(status)
                if matches!(status.code(), Code::Aborted | Code::Unavailable)
                    && tokio::time::Instant::now() < end =>
            {
                tokio::time::sleep(ASK_AGAIN).await;
            }
            answer => return answer,
        }
    }
}

/// The answer, with the time when to ask again.
pub async fn ask_when(
    shop: &Shop,
    request: pb::MayContactRequest,
) -> ((ContactDecision, ContactRule), Option<prost_types::Timestamp>) {
    let answer = try_ask(shop, request).await.expect("decided").into_inner();
    ((answer.decision(), answer.rule()), answer.not_before_time)
}

pub async fn ask(shop: &Shop, request: pb::MayContactRequest) -> (ContactDecision, ContactRule) {
    ask_when(shop, request).await.0
}

pub async fn try_report(
    shop: &Shop,
    contact_id: &str,
    outcome: DeliveryOutcome,
) -> Result<pb::ReportDeliveryResponse, Status> {
    let request = pb::ReportDeliveryRequest {
        contact_id: contact_id.to_owned(),
        outcome: outcome.into(),
    };
    let answer = shop.world.contacts(&shop.auth).report_delivery(request).await?;
    Ok(answer.into_inner())
}

/// Contacts somebody who may be contacted, and reports on it.
pub async fn send(shop: &Shop, request: pb::MayContactRequest) {
    let answer = try_ask(shop, request).await.expect("decided").into_inner();
    assert_eq!((answer.decision(), answer.rule()), ALLOWED);
    try_report(shop, &answer.contact_id, DeliveryOutcome::Delivered)
        .await
        .expect("reported");
}

async fn try_opt_out(shop: &Shop, member_id: &str, topic: &str) -> Result<pb::OptOutTopicResponse, Status> {
    let request = pb::OptOutTopicRequest {
        member_id: member_id.to_owned(),
        topic: topic.to_owned(),
    };
    let answer = shop.world.contacts(&shop.auth).opt_out_topic(request).await?;
    Ok(answer.into_inner())
}

async fn topics(shop: &Shop, member: &pb::Member, page_size: i32) -> Vec<String> {
    let mut topics = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListTopicOptOutsRequest {
            member_id: member.member_id.clone(),
            page_size,
            page_token,
        };
        let page = shop.world.contacts(&shop.auth).list_topic_opt_outs(request).await;
        let page = page.expect("a page").into_inner();
        topics.extend(page.topic_opt_outs.into_iter().map(|opt_out| opt_out.topic));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return topics;
        }
    }
}

pub fn at(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos().cast_signed(),
    }
}

#[tokio::test]
async fn somebody_is_asked_once_in_thirty_days_and_the_answer_says_when_again() {
    let (shop, clock) = Shop::open_with_clock().await;
    let (ana, vera) = (
        reachable(&shop, "ana", 18).await,
        reachable(&shop, "vera", 19).await,
    );
    let survey = |member| contact(member, ContactPurpose::ServiceQuality, "nps");
    let asked_time = clock.now();
    send(&shop, survey(&ana)).await;
    clock.advance(TimeDelta::days(30) - TimeDelta::microseconds(1));
    let again = at(asked_time + TimeDelta::days(30));
    assert_eq!(ask_when(&shop, survey(&ana)).await, (CAPPED, Some(again)));
    assert_eq!(
        ask(&shop, survey(&vera)).await,
        ALLOWED,
        "everybody for themselves"
    );
    // To be told to wait is no contact.
    clock.advance(TimeDelta::microseconds(1));
    assert_eq!(ask(&shop, survey(&ana)).await, ALLOWED);
    assert_eq!(ask(&shop, survey(&ana)).await, CAPPED);
}

#[tokio::test]
async fn b6_a_fourth_advertisement_within_seven_days_waits_for_the_first() {
    let (shop, clock) = Shop::open_with_clock().await;
    let ana = reachable(&shop, "ana", 18).await;
    let advertisement = |topic| contact(&ana, ContactPurpose::Marketing, topic);
    let first_time = clock.now();
    for topic in ["sale", "autumn", "autumn"] {
        send(&shop, advertisement(topic)).await;
        clock.advance(TimeDelta::days(1));
    }
    let again = at(first_time + TimeDelta::days(7));
    for purpose in [
        ContactPurpose::Marketing,
        ContactPurpose::NewProducts,
        ContactPurpose::PersonalOffers,
    ] {
        let other = contact(&ana, purpose, "books");
        assert_eq!(ask_when(&shop, other).await, (CAPPED, Some(again)), "{purpose:?}");
    }
    // What is for something else has bounds of its own, or none.
    let survey = contact(&ana, ContactPurpose::ServiceQuality, "nps");
    assert_eq!(ask(&shop, survey).await, ALLOWED);
    for _ in 0..5 {
        let message = contact(&ana, ContactPurpose::ServiceMessage, "order");
        assert_eq!(ask(&shop, message).await, ALLOWED);
    }
    clock.advance(TimeDelta::days(4));
    assert_eq!(ask(&shop, advertisement("books")).await, ALLOWED);
    assert_eq!(
        ask(&shop, advertisement("books")).await,
        CAPPED,
        "the second still counts"
    );
}

#[tokio::test]
async fn b4_a_topic_is_ended_for_ever_and_others_go_on() {
    let (shop, clock) = Shop::open_with_clock().await;
    let ana = reachable(&shop, "ana", 18).await;
    let ended_time = clock.now();
    let ended = try_opt_out(&shop, &ana.member_id, "mothers_day").await.unwrap();
    assert_eq!(ended.opt_out_time, Some(at(ended_time)));
    let purposes = [
        ContactPurpose::Marketing,
        ContactPurpose::ServiceQuality,
        ContactPurpose::ServiceMessage,
    ];
    for years in [0, 1, 9] {
        clock.advance(TimeDelta::days(365 * years));
        for purpose in purposes {
            assert_eq!(ask(&shop, contact(&ana, purpose, "mothers_day")).await, OPTED_OUT);
            assert_eq!(ask(&shop, contact(&ana, purpose, "fathers_day")).await, ALLOWED);
        }
        clock.advance(TimeDelta::days(60));
    }
    // It was ended when it was first asked for.
    let again = try_opt_out(&shop, &ana.member_id, "mothers_day").await.unwrap();
    assert_eq!(again, ended);
    let vera = reachable(&shop, "vera", 19).await;
    let other = contact(&vera, ContactPurpose::Marketing, "mothers_day");
    assert_eq!(ask(&shop, other).await, ALLOWED, "it is hers alone");
}

#[tokio::test]
async fn the_same_request_is_answered_as_the_first_time_whatever_has_happened_since() {
    let (shop, clock) = Shop::open_with_clock().await;
    let ana = reachable(&shop, "ana", 18).await;
    let yes = contact(&ana, ContactPurpose::ServiceQuality, "nps");
    let not_yet = contact(&ana, ContactPurpose::ServiceQuality, "nps");
    let mut first = Vec::new();
    for request in [&yes, &not_yet] {
        let answer = try_ask(&shop, request.clone()).await.unwrap();
        assert!(!is_replayed(&answer));
        first.push(answer.into_inner());
    }
    assert_eq!(first[1].rule(), ContactRule::FrequencyCap);
    clock.advance(TimeDelta::days(29));
    try_opt_out(&shop, &ana.member_id, "nps").await.unwrap();
    let no = contact(&ana, ContactPurpose::ServiceQuality, "nps");
    first.push(try_ask(&shop, no.clone()).await.unwrap().into_inner());
    assert_eq!(first[2].rule(), ContactRule::TopicOptOut);
    for (request, first) in [yes.clone(), not_yet, no].into_iter().zip(first) {
        let again = try_ask(&shop, request).await.unwrap();
        assert!(is_replayed(&again));
        assert_eq!(again.into_inner(), first);
    }
    let other = pb::MayContactRequest {
        topic: "other".to_owned(),
        ..yes
    };
    let reused = try_ask(&shop, other).await;
    let (code, reason) = (Code::AlreadyExists, ErrorReason::RequestIdReused);
    assert_refused("another topic", reused, code, reason);
}

#[tokio::test]
async fn of_many_senders_at_once_through_two_replicas_as_many_pass_as_may() {
    let (shop, clock) = Shop::open_with_clock().await;
    let replica = shop.world.start_replica(std::sync::Arc::new(clock.clone())).await;
    for (number, (purpose, count_max)) in (18..).zip([
        (ContactPurpose::ServiceQuality, 1),
        (ContactPurpose::Marketing, 3),
    ]) {
        let ana = reachable(&shop, &format!("ana{number}"), number).await;
        let asking = (0..SENDERS_COUNT).map(|sender| {
            let client = if sender % 2 == 0 {
                shop.world.contacts(&shop.auth)
            } else {
                replica.contacts(&shop.auth)
            };
            let asked = try_ask_until_answered(client, contact(&ana, purpose, "nps"));
            async move {
                let answer = asked.await.expect("decided").into_inner();
                (answer.decision(), answer.rule())
            }
        });
        let answers = join_all(asking).await;
        let allowed_count = answers.iter().filter(|answer| **answer == ALLOWED).count();
        let capped_count = answers.iter().filter(|answer| **answer == CAPPED).count();
        assert_eq!(
            (allowed_count, capped_count),
            (count_max, SENDERS_COUNT - count_max)
        );
    }
}

#[tokio::test]
async fn one_sender_who_asks_many_times_at_once_is_one_contact() {
    let shop = Shop::open().await;
    let ana = reachable(&shop, "ana", 18).await;
    let request = contact(&ana, ContactPurpose::Marketing, "sale");
    let asking =
        (0..SENDERS_COUNT).map(|_| try_ask_until_answered(shop.world.contacts(&shop.auth), request.clone()));
    let answers = join_all(asking).await;
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("decided"))
        .collect();
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| answer.get_ref().rule() == ContactRule::Allowed)
    );
    for expected in [ALLOWED, ALLOWED, CAPPED] {
        let next = contact(&ana, ContactPurpose::Marketing, "sale");
        assert_eq!(ask(&shop, next).await, expected);
    }
}

#[tokio::test]
async fn topics_are_listed_in_their_order_and_bounded_in_number() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let mut names: Vec<String> = (0..TOPICS_MAX).map(|number| format!("topic-{number}")).collect();
    for name in &names {
        try_opt_out(&shop, &ana.member_id, name).await.unwrap();
    }
    let more = try_opt_out(&shop, &ana.member_id, "more").await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::CountExceeded);
    assert_refused("one more", more, code, reason);
    try_opt_out(&shop, &ana.member_id, "topic-7")
        .await
        .expect("it is ended already");
    names.sort();
    assert_eq!(topics(&shop, &ana, 70).await, names);
    assert_eq!(topics(&shop, &ana, 1_000).await, names);
    let vera = shop.enrol(&[]).await;
    assert_eq!(topics(&shop, &vera, 0).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_malformed_or_about_nobody_is_refused_and_leaves_nothing() {
    let mut shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let whole = || contact(&ana, ContactPurpose::Marketing, "sale");
    let before = shop.world.contents().await;
    let nothing = try_ask(&shop, pb::MayContactRequest::default()).await;
    let all = ["request_id", "member_id", "purpose", "topic"];
    assert_invalid("nothing", nothing, &all);
    let unknown = pb::MayContactRequest {
        channel: 99,
        purpose: -1,
        topic: "Sale!".to_owned(),
        ..whole()
    };
    assert_invalid(
        "unknown",
        try_ask(&shop, unknown).await,
        &["channel", "purpose", "topic"],
    );
    let opt_out = try_opt_out(&shop, "Ana", "").await;
    assert_invalid("no topic", opt_out, &["member_id", "topic"]);
    let list = pb::ListTopicOptOutsRequest {
        page_size: -1,
        ..Default::default()
    };
    let listed = shop.world.contacts(&shop.auth).list_topic_opt_outs(list).await;
    assert_invalid("no page", listed, &["member_id", "page_size"]);

    let (code, reason) = (Code::NotFound, ErrorReason::ResourceNotFound);
    let nobody = pb::MayContactRequest {
        member_id: nobodys_id(),
        ..whole()
    };
    assert_refused("nobody", try_ask(&shop, nobody).await, code, reason);
    assert_eq!(shop.world.contents().await, before);

    // Another program's key.
    shop.auth = shop.neighbour().await;
    let before = shop.world.contents().await;
    assert_refused("theirs", try_ask(&shop, whole()).await, code, reason);
    let theirs = try_opt_out(&shop, &ana.member_id, "sale").await;
    assert_refused("theirs", theirs, code, reason);
    let list = pb::ListTopicOptOutsRequest {
        member_id: ana.member_id.clone(),
        ..Default::default()
    };
    let listed = shop.world.contacts(&shop.auth).list_topic_opt_outs(list).await;
    assert_refused("theirs", listed, code, reason);
    assert_eq!(shop.world.contents().await, before);
}

#[tokio::test]
async fn to_ask_needs_a_scope_of_its_own() {
    let mut shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    shop.auth = shop.world.key_of(shop.program, &SHOP_SCOPES[2..]).await;
    let refused = try_ask(&shop, contact(&ana, ContactPurpose::Marketing, "sale")).await;
    let (code, reason) = (Code::PermissionDenied, ErrorReason::ScopeMissing);
    assert_refused("no scope", refused, code, reason);
}
