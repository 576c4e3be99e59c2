//! `ConsentService`: what members allow, to whom and since when.

use chrono::TimeDelta;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::members::v1::{self as pb, ConsentChange, ConsentPurpose, ConsentStatus, ContactChannel};
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::Clock;
use tonic::{Code, Response, Status};

use crate::happened::happened_to;
use crate::harness::{assert_invalid, assert_refused, is_replayed, request_id};
use crate::merges;
use crate::shop::{Shop, enrolment};

pub fn origin() -> pb::ConsentOrigin {
    pb::ConsentOrigin {
        giver: pb::ConsentGiver::Member.into(),
        source: "web".to_owned(),
        ..Default::default()
    }
}

/// Consent to the first policy, for the whole group, said to the program itself.
pub fn grant_of(
    member: &pb::Member,
    purposes: &[ConsentPurpose],
    channels: &[ContactChannel],
) -> pb::GrantConsentRequest {
    pb::GrantConsentRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        purposes: purposes.iter().map(|purpose| (*purpose).into()).collect(),
        channels: channels.iter().map(|channel| (*channel).into()).collect(),
        scope: pb::ConsentScope::Group.into(),
        origin: Some(origin()),
        policy_version: 1,
        ..Default::default()
    }
}

/// A withdrawal of everything, for the whole group.
pub fn withdrawal_of(member: &pb::Member) -> pb::WithdrawConsentRequest {
    pb::WithdrawConsentRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        scope: pb::ConsentScope::Group.into(),
        origin: Some(origin()),
        ..Default::default()
    }
}

pub async fn try_grant(
    shop: &Shop,
    request: pb::GrantConsentRequest,
) -> Result<Response<pb::GrantConsentResponse>, Status> {
    shop.world.consents(&shop.auth).grant_consent(request).await
}

pub async fn grant(shop: &Shop, request: pb::GrantConsentRequest) -> pb::ConsentReceipt {
    let answer = try_grant(shop, request).await.expect("granted");
    answer.into_inner().receipt.expect("a receipt")
}

pub async fn withdraw(shop: &Shop, request: pb::WithdrawConsentRequest) -> pb::ConsentReceipt {
    let answer = shop.world.consents(&shop.auth).withdraw_consent(request).await;
    answer
        .expect("withdrawn")
        .into_inner()
        .receipt
        .expect("a receipt")
}

async fn get(shop: &Shop, member: &pb::Member, company_code: &str) -> pb::GetConsentsResponse {
    let request = pb::GetConsentsRequest {
        member_id: member.member_id.clone(),
        company_code: company_code.to_owned(),
    };
    let answer = shop.world.consents(&shop.auth).get_consents(request).await;
    answer.expect("answered").into_inner()
}

/// What is said of advertising by e-mail: where it stands, and whether it is inherited.
pub async fn by_mail(shop: &Shop, member: &pb::Member, company_code: &str) -> Option<(ConsentStatus, bool)> {
    let mail = pb::ConsentItem {
        purpose: ConsentPurpose::Marketing.into(),
        channel: ContactChannel::Email.into(),
    };
    let consents = get(shop, member, company_code).await.consents;
    let found = consents.iter().find(|consent| consent.item == Some(mail))?;
    Some((found.status(), found.inherited))
}

pub async fn history(shop: &Shop, member: &pb::Member, page_size: i32) -> Vec<pb::ConsentReceipt> {
    let mut receipts = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListConsentHistoryRequest {
            member_id: member.member_id.clone(),
            page_size,
            page_token,
        };
        let page = shop
            .world
            .consents(&shop.auth)
            .list_consent_history(request)
            .await;
        let page = page.expect("a page").into_inner();
        receipts.extend(page.receipts);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return receipts;
        }
    }
}

/// What others hear of somebody's consents: whether each was allowed.
async fn told(shop: &Shop, member: &pb::Member) -> Vec<bool> {
    let happened = happened_to(shop, &member.member_id).await.into_iter();
    let granted = |payload| match payload {
        Payload::MemberConsentChanged(told) => Some(told.granted),
        _ => None,
    };
    happened.filter_map(granted).collect()
}

pub async fn try_accept(
    shop: &Shop,
    member: &pb::Member,
    policy_version: i64,
) -> Result<pb::ConsentReceipt, Status> {
    let request = pb::AcceptPolicyRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        policy_version,
        origin: Some(origin()),
        accept_time: None,
    };
    let answer = shop.world.consents(&shop.auth).accept_policy(request).await?;
    Ok(answer.into_inner().receipt.expect("a receipt"))
}

#[tokio::test]
async fn b14_an_acceptance_proves_version_text_time_and_channel_and_a_newer_text_needs_another() {
    let (shop, clock) = Shop::open_with_clock().await;
    let ana = shop.enrol(&[]).await;
    clock.advance(TimeDelta::seconds(1));
    let mail = [ContactChannel::Email];
    grant(&shop, grant_of(&ana, &[ConsentPurpose::Marketing], &mail)).await;
    assert_eq!(
        get(&shop, &ana, "").await.policy_status(),
        pb::PolicyStatus::Accepted
    );
    assert_eq!(
        by_mail(&shop, &ana, "").await,
        Some((ConsentStatus::Granted, false))
    );

    clock.advance(TimeDelta::days(1));
    let second = shop.publish("The terms, with more to read.").await;
    let standing = get(&shop, &ana, "").await;
    assert_eq!(
        (
            standing.policy_status(),
            standing.accepted_policy_version,
            standing.policy_version
        ),
        (pb::PolicyStatus::NeedsReacceptance, 1, 2)
    );
    let waiting = Some((ConsentStatus::NeedsReacceptance, false));
    assert_eq!(
        by_mail(&shop, &ana, "").await,
        waiting,
        "nobody agrees by silence"
    );
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::PolicyVersionOutdated);
    assert_refused("the old text", try_accept(&shop, &ana, 1).await, code, reason);
    let under_old = try_grant(&shop, grant_of(&ana, &[ConsentPurpose::Marketing], &mail)).await;
    assert_refused("under the old text", under_old, code, reason);

    clock.advance(TimeDelta::hours(1));
    let accepted = try_accept(&shop, &ana, 2).await.unwrap();
    assert_eq!(accepted.change(), ConsentChange::PolicyAccepted);
    assert_eq!(
        (accepted.policy_version, &accepted.text_sha256),
        (2, &second.text_sha256)
    );
    assert_eq!(accepted.consent_time.unwrap().seconds, clock.now().timestamp());
    assert_eq!(accepted.origin, Some(origin()));
    assert!(accepted.actor.starts_with("key:"), "{}", accepted.actor);
    assert_eq!(
        get(&shop, &ana, "").await.policy_status(),
        pb::PolicyStatus::Accepted
    );
    assert_eq!(
        by_mail(&shop, &ana, "").await,
        Some((ConsentStatus::Granted, false))
    );
    let kept = shop.get(&ana.member_id).await.unwrap().policy_acceptance.unwrap();
    assert_eq!((kept.policy_version, kept.channel.as_str()), (2, "web"));

    // The first acceptance stays provable.
    let first = history(&shop, &ana, 2).await.pop().expect("the enrolment's");
    assert_eq!(
        (first.change(), first.policy_version),
        (ConsentChange::PolicyAccepted, 1)
    );
    assert_eq!(first.text_sha256, ana.policy_acceptance.unwrap().text_sha256);
    assert_eq!(first.origin.unwrap().source, "till 4");
}

#[tokio::test]
async fn b16_nobody_is_enrolled_who_has_not_accepted_the_policy() {
    let shop = Shop::open().await;
    let silent = pb::EnrolMemberRequest {
        policy_acceptance: None,
        ..enrolment(&[])
    };
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::ConsentRequired);
    assert_refused("silent", shop.try_enrol(silent).await, code, reason);
    assert_eq!(shop.count().await, 0);
}

#[tokio::test]
async fn b18_each_purpose_is_allowed_and_withdrawn_by_itself() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let purposes = [
        ConsentPurpose::ServiceQuality,
        ConsentPurpose::NewProducts,
        ConsentPurpose::PersonalOffers,
        ConsentPurpose::TariffChanges,
        ConsentPurpose::Marketing,
        ConsentPurpose::Protection,
    ];
    grant(
        &shop,
        grant_of(&ana, &purposes, &[ContactChannel::Email, ContactChannel::Sms]),
    )
    .await;
    let marketing = pb::WithdrawConsentRequest {
        purposes: vec![ConsentPurpose::Marketing.into()],
        ..withdrawal_of(&ana)
    };
    let receipt = withdraw(&shop, marketing).await;
    assert_eq!(receipt.items.len(), 8, "by every channel: {receipt:?}");
    let consents = get(&shop, &ana, "").await.consents;
    assert_eq!(consents.len(), 5 * 2 + 8);
    for consent in consents {
        let purpose = consent.item.as_ref().expect("an item").purpose();
        let expected = if purpose == ConsentPurpose::Marketing {
            ConsentStatus::Withdrawn
        } else {
            ConsentStatus::Granted
        };
        assert_eq!(consent.status(), expected, "{purpose:?}");
    }
}

#[tokio::test]
async fn b19_a_withdrawal_is_one_call_holds_at_once_and_is_proven_by_a_receipt() {
    let (shop, clock) = Shop::open_with_clock().await;
    let ana = shop.enrol(&[]).await;
    clock.advance(TimeDelta::seconds(1));
    let asked = grant_of(
        &ana,
        &[ConsentPurpose::Marketing],
        &[ContactChannel::Email, ContactChannel::Sms],
    );
    let first = try_grant(&shop, asked.clone()).await.unwrap();
    let again = try_grant(&shop, asked).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.into_inner(), again.into_inner());

    clock.advance(TimeDelta::days(3));
    let everything = withdrawal_of(&ana);
    let receipt = withdraw(&shop, everything.clone()).await;
    assert_eq!(receipt.change(), ConsentChange::Withdrawn);
    assert_eq!(receipt.record_time.unwrap().seconds, clock.now().timestamp());
    assert_eq!(receipt.items.len(), 6 * 8 + 1, "all that there is");
    assert_eq!(
        by_mail(&shop, &ana, "").await,
        Some((ConsentStatus::Withdrawn, false))
    );
    assert_eq!(
        withdraw(&shop, everything).await,
        receipt,
        "the same receipt again"
    );

    // A consent of the day before is heard of only now: it is kept, and changes nothing.
    clock.advance(TimeDelta::seconds(1));
    let late = pb::GrantConsentRequest {
        consent_time: Some(prost_types::Timestamp {
            seconds: clock.now().timestamp() - 86_400,
            nanos: 0,
        }),
        ..grant_of(&ana, &[ConsentPurpose::Marketing], &[ContactChannel::Email])
    };
    grant(&shop, late).await;
    assert_eq!(
        by_mail(&shop, &ana, "").await,
        Some((ConsentStatus::Withdrawn, false))
    );
    clock.advance(TimeDelta::seconds(1));
    grant(
        &shop,
        grant_of(&ana, &[ConsentPurpose::Marketing], &[ContactChannel::Email]),
    )
    .await;
    assert_eq!(
        by_mail(&shop, &ana, "").await,
        Some((ConsentStatus::Granted, false))
    );

    let all = history(&shop, &ana, 1_000).await;
    let changes: Vec<ConsentChange> = all.iter().map(pb::ConsentReceipt::change).collect();
    let expected = [
        ConsentChange::Granted,
        ConsentChange::Granted,
        ConsentChange::Withdrawn,
        ConsentChange::Granted,
        ConsentChange::PolicyAccepted,
    ];
    assert_eq!(changes, expected);
    assert_eq!(
        history(&shop, &ana, 2).await,
        all,
        "whatever the size of the page"
    );

    assert_eq!(
        told(&shop, &ana).await,
        [true, false, true],
        "others hear what changed"
    );
}

#[tokio::test]
async fn b19_whoever_is_closed_can_still_withdraw_and_allows_nothing_more() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    grant(
        &shop,
        grant_of(&ana, &[ConsentPurpose::Marketing], &[ContactChannel::Email]),
    )
    .await;
    crate::status::set(&shop, &ana, pb::MemberStatus::Closed).await;
    let more = try_grant(
        &shop,
        grant_of(&ana, &[ConsentPurpose::Protection], &[ContactChannel::Email]),
    )
    .await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::MemberNotActive);
    assert_refused("one more", more, code, reason);
    assert_refused("accept", try_accept(&shop, &ana, 1).await, code, reason);
    withdraw(&shop, withdrawal_of(&ana)).await;
    assert_eq!(
        by_mail(&shop, &ana, "").await,
        Some((ConsentStatus::Withdrawn, false))
    );
}

#[tokio::test]
async fn b19_what_one_record_of_two_withdrew_is_withdrawn_for_who_stays() {
    let (shop, clock) = Shop::open_with_clock().await;
    let (old, new) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    for member in [&old, &new] {
        grant(
            &shop,
            grant_of(member, &[ConsentPurpose::Marketing], &[ContactChannel::Email]),
        )
        .await;
    }
    let sms = [ContactChannel::Sms];
    grant(&shop, grant_of(&old, &[ConsentPurpose::Marketing], &sms)).await;
    clock.advance(TimeDelta::seconds(1));
    let mail = pb::WithdrawConsentRequest {
        channels: vec![ContactChannel::Email.into()],
        ..withdrawal_of(&old)
    };
    withdraw(&shop, mail).await;
    merges::merge(&shop, &old, &new).await;
    assert_eq!(
        by_mail(&shop, &new, "").await,
        Some((ConsentStatus::Withdrawn, false))
    );
    let consents = get(&shop, &new, "").await.consents;
    let by_sms = |consent: &pb::Consent| {
        consent
            .item
            .is_some_and(|item| item.channel() == ContactChannel::Sms)
    };
    assert!(
        !consents.iter().any(by_sms),
        "what the other allowed is not theirs: {consents:?}"
    );
}

#[tokio::test]
async fn b23_to_be_followed_by_cookies_is_allowed_apart_from_everything_else() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let with_others = grant_of(
        &ana,
        &[ConsentPurpose::DeviceTracking, ConsentPurpose::Marketing],
        &[],
    );
    assert_invalid("with others", try_grant(&shop, with_others).await, &["purposes"]);
    let by_channel = grant_of(&ana, &[ConsentPurpose::DeviceTracking], &[ContactChannel::Email]);
    assert_invalid("by a channel", try_grant(&shop, by_channel).await, &["channels"]);
    let mail = [ContactChannel::Email];
    grant(&shop, grant_of(&ana, &[ConsentPurpose::Marketing], &mail)).await;
    assert_eq!(
        get(&shop, &ana, "").await.consents.len(),
        1,
        "nobody is followed for it"
    );
    let receipt = grant(&shop, grant_of(&ana, &[ConsentPurpose::DeviceTracking], &[])).await;
    let tracking = pb::ConsentItem {
        purpose: ConsentPurpose::DeviceTracking.into(),
        channel: 0,
    };
    assert_eq!(receipt.items, [tracking]);
    let only_tracking = pb::WithdrawConsentRequest {
        purposes: vec![ConsentPurpose::DeviceTracking.into()],
        ..withdrawal_of(&ana)
    };
    assert_eq!(withdraw(&shop, only_tracking).await.items, [tracking]);
    assert_eq!(
        by_mail(&shop, &ana, "").await,
        Some((ConsentStatus::Granted, false))
    );
}
