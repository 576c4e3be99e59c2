//! `ContactService`: what members allow, how they are reached, what became of contacts, and why a decision was made.

use chrono::{TimeDelta, TimeZone, Utc};
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::{
    ConsentPurpose, ContactChannel, ContactDecision, ContactPurpose, ContactRule, DeliveryOutcome,
};
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::{Clock, ManualClock};
use futures::future::join_all;
use tonic::{Code, Status};

use crate::companies::name_company;
use crate::consents::{grant, grant_of, try_accept, withdraw, withdrawal_of};
use crate::contacts::{
    ALLOWED, CAPPED, PURPOSES, ask, ask_when, at, contact, reachable, send, try_ask, try_report,
};
use crate::harness::{assert_invalid, assert_refused};
use crate::shop::{Shop, email};

pub const NO_CONSENT: (ContactDecision, ContactRule) = (ContactDecision::No, ContactRule::NoConsent);

pub async fn open_at_noon() -> (Shop, ManualClock) {
    // Noon in London, where the program is.
    let noon = Utc
        .with_ymd_and_hms(2026, 1, 10, 12, 0, 0)
        .single()
        .expect("a time");
    let clock = ManualClock::new(noon);
    let shop = Shop::open_without_policy(std::sync::Arc::new(clock.clone())).await;
    shop.publish("The terms.").await;
    (shop, clock)
}

pub fn by(channel: ContactChannel, request: pb::MayContactRequest) -> pb::MayContactRequest {
    pb::MayContactRequest {
        channel: channel.into(),
        ..request
    }
}

pub async fn try_set(
    shop: &Shop,
    settings: pb::ContactSettings,
    paths: &[&str],
) -> Result<pb::ContactSettings, Status> {
    let request = pb::UpdateContactSettingsRequest {
        settings: Some(settings),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
    };
    let answer = shop
        .world
        .contacts(&shop.auth)
        .update_contact_settings(request)
        .await?;
    Ok(answer.into_inner().settings.expect("settings"))
}

async fn explain(shop: &Shop, member: &pb::Member, channel: ContactChannel) -> pb::ExplainContactResponse {
    let request = pb::ExplainContactRequest {
        member_id: member.member_id.clone(),
        channel: channel.into(),
        purpose: ContactPurpose::Marketing.into(),
        topic: "sale".to_owned(),
        company_code: String::new(),
    };
    let answer = shop.world.contacts(&shop.auth).explain_contact(request).await;
    answer.expect("explained").into_inner()
}

#[tokio::test]
async fn b18_b19_a_withdrawal_of_marketing_holds_at_once_and_service_messages_go_on() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[email("ana@example.com")]).await;
    let of = |purpose| contact(&ana, purpose, "news");
    assert_eq!(
        ask(&shop, of(ContactPurpose::Marketing)).await,
        NO_CONSENT,
        "silence is no consent"
    );
    grant(&shop, grant_of(&ana, &PURPOSES, &[ContactChannel::Email])).await;
    assert_eq!(ask(&shop, of(ContactPurpose::Marketing)).await, ALLOWED);
    let marketing = pb::WithdrawConsentRequest {
        purposes: vec![ConsentPurpose::Marketing.into()],
        ..withdrawal_of(&ana)
    };
    withdraw(&shop, marketing).await;
    assert_eq!(ask(&shop, of(ContactPurpose::Marketing)).await, NO_CONSENT);
    for purpose in [
        ContactPurpose::ServiceMessage,
        ContactPurpose::ServiceQuality,
        ContactPurpose::NewProducts,
        ContactPurpose::PersonalOffers,
        ContactPurpose::TariffChanges,
        ContactPurpose::Protection,
    ] {
        assert_eq!(ask(&shop, of(purpose)).await, ALLOWED, "{purpose:?}");
    }
    withdraw(&shop, withdrawal_of(&ana)).await;
    assert_eq!(ask(&shop, of(ContactPurpose::Protection)).await, NO_CONSENT);
    assert_eq!(ask(&shop, of(ContactPurpose::ServiceMessage)).await, ALLOWED);
}

#[tokio::test]
async fn b19_whoever_asks_beside_a_withdrawal_is_told_no_once_it_is_answered() {
    let shop = Shop::open().await;
    for number in 18..23 {
        let ana = reachable(&shop, &format!("ana{number}"), number).await;
        let asking =
            join_all((0..8).map(|_| ask(&shop, contact(&ana, ContactPurpose::ServiceQuality, "nps"))));
        let (_, _) = tokio::join!(asking, withdraw(&shop, withdrawal_of(&ana)));
        let after = ask(&shop, contact(&ana, ContactPurpose::Protection, "safety")).await;
        assert_eq!(after, NO_CONSENT);
    }
}

#[tokio::test]
async fn b14_under_a_newer_policy_nothing_but_service_messages_is_sent_until_it_is_accepted() {
    let shop = Shop::open().await;
    let ana = reachable(&shop, "ana", 18).await;
    shop.publish("The terms, with more to read.").await;
    let outdated = (ContactDecision::No, ContactRule::PolicyNotAccepted);
    assert_eq!(
        ask(&shop, contact(&ana, ContactPurpose::Marketing, "sale")).await,
        outdated
    );
    assert_eq!(
        ask(&shop, contact(&ana, ContactPurpose::ServiceMessage, "terms")).await,
        ALLOWED
    );
    try_accept(&shop, &ana, 2).await.expect("accepted");
    assert_eq!(
        ask(&shop, contact(&ana, ContactPurpose::Marketing, "sale")).await,
        ALLOWED
    );
}

#[tokio::test]
async fn b15_a_company_contacts_by_the_groups_consent_and_not_by_another_companys() {
    let shop = Shop::open().await;
    for code in ["books", "toys"] {
        name_company(&shop, code).await;
    }
    let ana = shop.enrol(&[email("ana@example.com")]).await;
    let said_to_books = |scope: pb::ConsentScope, purpose| pb::GrantConsentRequest {
        scope: scope.into(),
        company_code: "books".to_owned(),
        ..grant_of(&ana, &[purpose], &[ContactChannel::Email])
    };
    grant(
        &shop,
        said_to_books(pb::ConsentScope::Group, ConsentPurpose::Marketing),
    )
    .await;
    grant(
        &shop,
        said_to_books(pb::ConsentScope::Company, ConsentPurpose::Protection),
    )
    .await;
    let from = |code: &str, purpose| pb::MayContactRequest {
        company_code: code.to_owned(),
        ..contact(&ana, purpose, "news")
    };
    assert_eq!(ask(&shop, from("toys", ContactPurpose::Marketing)).await, ALLOWED);
    assert_eq!(
        ask(&shop, from("books", ContactPurpose::Protection)).await,
        ALLOWED
    );
    assert_eq!(
        ask(&shop, from("toys", ContactPurpose::Protection)).await,
        NO_CONSENT
    );
    let unknown = try_ask(&shop, from("shoes", ContactPurpose::Marketing)).await;
    assert_refused(
        "no such company",
        unknown,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
}

#[tokio::test]
async fn b6_a_contact_that_failed_or_that_nobody_reports_on_does_not_count() {
    let (shop, clock) = open_at_noon().await;
    let ana = reachable(&shop, "ana", 18).await;
    let survey = || contact(&ana, ContactPurpose::ServiceQuality, "nps");
    let first = try_ask(&shop, survey()).await.unwrap().into_inner();
    assert_eq!(
        first.reserve_until_time,
        Some(at(clock.now() + TimeDelta::days(1)))
    );
    assert_eq!(ask(&shop, survey()).await, CAPPED);
    let reported = try_report(&shop, &first.contact_id, DeliveryOutcome::Failed)
        .await
        .unwrap();
    clock.advance(TimeDelta::minutes(1));
    let again = try_report(&shop, &first.contact_id, DeliveryOutcome::Failed)
        .await
        .unwrap();
    assert_eq!(again, reported, "to say it again changes nothing");
    let opposite = try_report(&shop, &first.contact_id, DeliveryOutcome::Delivered).await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::DeliveryReported);
    assert_refused("the opposite", opposite, code, reason);

    let second = try_ask(&shop, survey()).await.unwrap().into_inner();
    assert_eq!(second.rule(), ContactRule::Allowed, "what failed is no contact");
    clock.advance(TimeDelta::days(1) - TimeDelta::microseconds(1));
    assert_eq!(ask(&shop, survey()).await, CAPPED);
    clock.advance(TimeDelta::microseconds(1));
    let third = try_ask(&shop, survey()).await.unwrap().into_inner();
    assert_eq!(
        third.rule(),
        ContactRule::Allowed,
        "nobody reported on the second"
    );
    try_report(&shop, &third.contact_id, DeliveryOutcome::Delivered)
        .await
        .unwrap();
    clock.advance(TimeDelta::days(2));
    assert_eq!(ask(&shop, survey()).await, CAPPED, "what was delivered counts on");

    let told_no = try_report(&shop, &ana.member_id, DeliveryOutcome::Delivered).await;
    assert_refused(
        "no contact",
        told_no,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
}

#[tokio::test]
async fn b6_after_so_many_commercial_contacts_something_else_comes_first_or_time() {
    let (shop, clock) = open_at_noon().await;
    let ana = reachable(&shop, "ana", 18).await;
    let offer = || contact(&ana, ContactPurpose::PersonalOffers, "sale");
    let settings = pb::ContactSettings {
        commercial_run_max: 2,
        ..Default::default()
    };
    try_set(&shop, settings, &["commercial_run_max"]).await.unwrap();
    let first_time = clock.now();
    for _ in 0..2 {
        send(&shop, offer()).await;
        clock.advance(TimeDelta::days(1));
    }
    let mixed = (ContactDecision::NotBefore, ContactRule::Mix);
    let again = Some(at(first_time + TimeDelta::days(30)));
    assert_eq!(
        ask_when(&shop, offer()).await,
        (mixed, again),
        "nobody waits for ever"
    );
    send(&shop, contact(&ana, ContactPurpose::Protection, "safety")).await;
    clock.advance(TimeDelta::hours(1));
    assert_eq!(ask(&shop, offer()).await, ALLOWED);
}

#[tokio::test]
async fn b7_nothing_is_sent_that_is_nothing_but_advertising() {
    let shop = Shop::open().await;
    let ana = reachable(&shop, "ana", 18).await;
    let of = |ad_share_percent| pb::MayContactRequest {
        ad_share_percent,
        ..contact(&ana, ContactPurpose::Marketing, "newsletter")
    };
    for share in [100, -1] {
        assert_invalid(
            "the share",
            try_ask(&shop, of(share)).await,
            &["ad_share_percent"],
        );
    }
    assert_eq!(ask(&shop, of(90)).await, ALLOWED);
}

#[tokio::test]
async fn an_explanation_is_the_decision_with_every_rule_and_reserves_nothing() {
    let (shop, clock) = open_at_noon().await;
    let ana = reachable(&shop, "ana", 18).await;
    for _ in 0..3 {
        send(&shop, contact(&ana, ContactPurpose::Marketing, "sale")).await;
    }
    clock.advance(TimeDelta::hours(10));
    let before = shop.world.contents().await;
    let told = explain(&shop, &ana, ContactChannel::Sms).await;
    assert_eq!(shop.world.contents().await, before);
    assert_eq!((told.decision(), told.rule()), CAPPED);
    let outcomes: Vec<(ContactRule, bool)> = told
        .outcomes
        .iter()
        .map(|outcome| (outcome.rule(), outcome.passed))
        .collect();
    let expected = [
        (ContactRule::MemberNotActive, true),
        (ContactRule::TopicOptOut, true),
        (ContactRule::NoConsent, true),
        (ContactRule::PolicyNotAccepted, true),
        (ContactRule::ChannelNotWanted, true),
        (ContactRule::AddressMissing, true),
        (ContactRule::FrequencyCap, false),
        (ContactRule::Mix, true),
        (ContactRule::QuietHours, false),
    ];
    assert_eq!(outcomes, expected);
    let fact = |outcome: usize, name: &str| {
        told.outcomes[outcome]
            .facts
            .get(name)
            .cloned()
            .unwrap_or_default()
    };
    assert_eq!(
        (fact(0, "status"), fact(2, "granted")),
        ("ACTIVE".to_owned(), "true".to_owned())
    );
    assert_eq!(
        (fact(6, "counted"), fact(6, "count_max")),
        ("3".to_owned(), "3".to_owned())
    );
    assert_eq!(fact(8, "local_time"), "22:00");
    let asked = ask_when(
        &shop,
        by(
            ContactChannel::Sms,
            contact(&ana, ContactPurpose::Marketing, "sale"),
        ),
    )
    .await;
    assert_eq!(
        asked,
        ((told.decision(), told.rule()), told.not_before_time),
        "the same is decided"
    );
}
