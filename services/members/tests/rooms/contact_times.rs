//! From when and until when a contact counts.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::members::v1::{
    self as pb, ContactChannel, ContactDecision, ContactPurpose, ContactRule, DeliveryOutcome,
};
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::Clock;
use sqlx::AssertSqlSafe;
use tonic::Code;

use crate::consents::{grant, grant_of};
use crate::contacts::{ALLOWED, CAPPED, PURPOSES, ask_when, contact, reachable, try_ask, try_report};
use crate::harness::{assert_refused, is_replayed, nobodys_id, request_id};
use crate::shop::{Shop, email};

async fn reserve(shop: &Shop, ana: &pb::Member) -> pb::MayContactResponse {
    let asked = try_ask(shop, contact(ana, ContactPurpose::Marketing, "sale")).await;
    let answer = asked.expect("decided").into_inner();
    assert_eq!((answer.decision(), answer.rule()), ALLOWED);
    answer
}

async fn waits_until(shop: &Shop, ana: &pb::Member) -> Option<DateTime<Utc>> {
    let (decided, when) = ask_when(shop, contact(ana, ContactPurpose::Marketing, "sale")).await;
    assert_eq!(decided, CAPPED);
    when.and_then(|when| DateTime::from_timestamp(when.seconds, 0))
}

/// The clock's time, in seconds, after some hours.
fn after(base: DateTime<Utc>, hours: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp((base + TimeDelta::hours(hours)).timestamp(), 0)
}

#[tokio::test]
async fn b6_a_contact_counts_from_when_it_took_place_and_a_reservation_until_it_ends() {
    let (shop, clock) = Shop::open_with_clock().await;
    let ana = reachable(&shop, "ana", 1).await;
    let begin = clock.now();
    let first = reserve(&shop, &ana).await;
    let second = reserve(&shop, &ana).await;
    clock.advance(TimeDelta::hours(20));
    // Sent twenty hours after it was allowed.
    try_report(&shop, &first.contact_id, DeliveryOutcome::Delivered)
        .await
        .unwrap();
    let third = reserve(&shop, &ana).await;
    assert_eq!(
        waits_until(&shop, &ana).await,
        after(begin, 24),
        "the second ends unless it is reported on"
    );
    try_report(&shop, &second.contact_id, DeliveryOutcome::Delivered)
        .await
        .unwrap();
    assert_eq!(waits_until(&shop, &ana).await, after(begin, 20 + 24));
    clock.advance(TimeDelta::hours(30));
    // The third was sent within its day, and is told of only now.
    try_report(&shop, &third.contact_id, DeliveryOutcome::Delivered)
        .await
        .unwrap();
    assert_eq!(
        waits_until(&shop, &ana).await,
        after(begin, 20 + 7 * 24),
        "seven days after the first took place, not after it was allowed"
    );
    clock.advance(TimeDelta::hours(6 * 24 - 6) - TimeDelta::minutes(1));
    assert_eq!(waits_until(&shop, &ana).await, after(begin, 20 + 7 * 24));
    clock.advance(TimeDelta::minutes(1));
    reserve(&shop, &ana).await;
    reserve(&shop, &ana).await;
    assert_eq!(
        waits_until(&shop, &ana).await,
        after(begin, 24 + 20 + 7 * 24),
        "the third counts from the end of its reservation, the new ones until the end of theirs"
    );
}

#[tokio::test]
async fn a_contact_from_before_there_were_reservations_bears_its_id_when_it_is_asked_for_again() {
    let shop = Shop::open().await;
    let ana = reachable(&shop, "ana", 1).await;
    let asked = contact(&ana, ContactPurpose::Marketing, "sale");
    let first = try_ask(&shop, asked.clone()).await.unwrap().into_inner();
    let statement = "UPDATE contact_decision SET reserve_until = NULL";
    sqlx::query(AssertSqlSafe(statement))
        .execute(&shop.world.database.owner)
        .await
        .unwrap();
    let again = try_ask(&shop, asked).await.unwrap();
    assert!(is_replayed(&again));
    let again = again.into_inner();
    assert_eq!((again.decision(), again.rule()), ALLOWED);
    assert_eq!(again.contact_id, first.contact_id);
    assert_eq!(again.reserve_until_time, None);
}

#[tokio::test]
async fn b6_a_contact_that_replaces_another_is_judged_as_if_that_had_never_been() {
    let (shop, clock) = Shop::open_with_clock().await;
    let (ana, ben) = (reachable(&shop, "ana", 1).await, reachable(&shop, "ben", 2).await);
    let replacing = |contact_id: &str| pb::MayContactRequest {
        replaces_contact_id: contact_id.to_owned(),
        ..contact(&ana, ContactPurpose::ServiceQuality, "nps")
    };
    let first = try_ask(&shop, replacing("")).await.unwrap().into_inner();
    assert_eq!((first.decision(), first.rule()), ALLOWED);
    clock.advance(TimeDelta::hours(1));
    let again = try_ask(&shop, replacing(&first.contact_id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((again.decision(), again.rule()), ALLOWED);
    assert_ne!(again.contact_id, first.contact_id);
    let reported = try_report(&shop, &first.contact_id, DeliveryOutcome::Delivered).await;
    assert_refused(
        "it is no contact any more",
        reported,
        Code::FailedPrecondition,
        ErrorReason::DeliveryReported,
    );
    // What took place stays.
    try_report(&shop, &again.contact_id, DeliveryOutcome::Delivered)
        .await
        .unwrap();
    let (decided, _) = ask_when(&shop, replacing(&again.contact_id)).await;
    assert_eq!(decided, CAPPED);
    let (code, reason) = (Code::NotFound, ErrorReason::ResourceNotFound);
    let of_ben = try_ask(&shop, contact(&ben, ContactPurpose::Marketing, "sale")).await;
    let theirs = of_ben.unwrap().into_inner().contact_id;
    for contact_id in [theirs, nobodys_id()] {
        assert_refused(
            "not hers",
            try_ask(&shop, replacing(&contact_id)).await,
            code,
            reason,
        );
    }
}

#[tokio::test]
async fn b5_a_message_that_somebody_needs_is_sent_by_whatever_reaches_them() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[email("ana@example.com")]).await;
    let channels = [ContactChannel::Email, ContactChannel::Push];
    grant(&shop, grant_of(&ana, &PURPOSES, &channels)).await;
    let preferences = pb::SetContactPreferencesRequest {
        request_id: request_id(),
        preferences: Some(pb::ContactPreferences {
            member_id: ana.member_id.clone(),
            channels: vec![ContactChannel::Push.into()],
            ..Default::default()
        }),
    };
    let set = shop
        .world
        .contacts(&shop.auth)
        .set_contact_preferences(preferences)
        .await;
    set.expect("set");
    let ask = async |purpose| {
        let request = pb::MayContactRequest {
            channel: 0,
            ..contact(&ana, purpose, "news")
        };
        let answer = try_ask(&shop, request).await.expect("decided").into_inner();
        (answer.decision(), answer.rule(), answer.channel())
    };
    assert_eq!(
        ask(ContactPurpose::Marketing).await,
        (
            ContactDecision::No,
            ContactRule::AddressMissing,
            ContactChannel::Push
        )
    );
    assert_eq!(
        ask(ContactPurpose::ServiceMessage).await,
        (ContactDecision::Yes, ContactRule::Allowed, ContactChannel::Email)
    );
}
