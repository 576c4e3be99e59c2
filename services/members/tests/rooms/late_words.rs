//! What is heard of late, and what is said in somebody's stead: neither makes more of it than it was.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::members::v1::{self as pb, ConsentGiver, ConsentPurpose, ConsentStatus, ContactChannel};
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::Clock;
use tonic::{Code, Status};

use crate::consents::{by_mail, grant, grant_of, history, origin, try_grant, withdraw, withdrawal_of};
use crate::contacts::at;
use crate::guardians::{ago, born};
use crate::harness::{assert_refused, request_id};
use crate::shop::Shop;

const BY_MAIL: [ContactChannel; 1] = [ContactChannel::Email];

/// Consent to advertising by e-mail, said at a time.
fn said_at(member: &pb::Member, time: DateTime<Utc>) -> pb::GrantConsentRequest {
    pb::GrantConsentRequest {
        consent_time: Some(at(time)),
        ..grant_of(member, &[ConsentPurpose::Marketing], &BY_MAIL)
    }
}

fn of_guardian(guardian: &pb::Member) -> pb::ConsentOrigin {
    pb::ConsentOrigin {
        giver: ConsentGiver::Guardian.into(),
        guardian_member_id: guardian.member_id.clone(),
        ..origin()
    }
}

async fn accept(
    shop: &Shop,
    member: &pb::Member,
    policy_version: i64,
    (origin, time): (pb::ConsentOrigin, Option<DateTime<Utc>>),
) -> Result<pb::ConsentReceipt, Status> {
    let request = pb::AcceptPolicyRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        policy_version,
        origin: Some(origin),
        accept_time: time.map(at),
    };
    let answer = shop.world.consents(&shop.auth).accept_policy(request).await?;
    Ok(answer.into_inner().receipt.expect("a receipt"))
}

#[tokio::test]
async fn b19_who_withdraws_everything_withdraws_what_nobody_has_heard_of_yet_too() {
    let (shop, clock) = Shop::open_with_clock().await;
    let ana = shop.enrol(&[]).await;
    let said = clock.now() + TimeDelta::minutes(1);
    clock.advance(TimeDelta::hours(1));
    let receipt = withdraw(&shop, withdrawal_of(&ana)).await;
    assert!(receipt.items.len() > 1, "it says of what: {receipt:?}");
    clock.advance(TimeDelta::hours(1));
    // The till was offline: a consent from before the withdrawal arrives after it.
    grant(&shop, said_at(&ana, said)).await;
    assert_eq!(
        by_mail(&shop, &ana, "").await,
        Some((ConsentStatus::Withdrawn, false))
    );
}

#[tokio::test]
async fn b14_a_late_consent_is_judged_by_the_policy_of_its_own_time() {
    let (shop, clock) = Shop::open_with_clock().await;
    let ana = shop.enrol(&[]).await;
    let under_first = clock.now() + TimeDelta::minutes(1);
    clock.advance(TimeDelta::days(1));
    shop.publish("The terms, with more to read.").await;
    clock.advance(TimeDelta::days(1));
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::PolicyVersionOutdated);
    let before_it_was = pb::GrantConsentRequest {
        policy_version: 2,
        ..said_at(&ana, under_first)
    };
    assert_refused(
        "under a text that nobody could know",
        try_grant(&shop, before_it_was).await,
        code,
        reason,
    );
    let receipt = grant(&shop, said_at(&ana, under_first)).await;
    assert_eq!(receipt.policy_version, 1);
    assert_eq!(
        by_mail(&shop, &ana, "").await,
        Some((ConsentStatus::NeedsReacceptance, false))
    );
    // An old acceptance that is heard of after a newer one is kept, and takes nothing back.
    accept(&shop, &ana, 2, (origin(), None)).await.unwrap();
    let late = accept(&shop, &ana, 1, (origin(), Some(under_first)))
        .await
        .unwrap();
    assert_eq!(late.policy_version, 1);
    let kept = shop.get(&ana.member_id).await.unwrap();
    assert_eq!(kept.policy_acceptance.unwrap().policy_version, 2);
}

#[tokio::test]
async fn what_a_guardian_says_is_proven_as_theirs_and_nobody_elses_counts() {
    let (shop, clock) = Shop::open_with_clock().await;
    let enrol = async |request| {
        shop.try_enrol(request)
            .await
            .unwrap()
            .into_inner()
            .member
            .unwrap()
    };
    let vera = enrol(born(ago(&clock, 40, 0), "")).await;
    let stranger = enrol(born(ago(&clock, 41, 0), "")).await;
    let mila = enrol(born(ago(&clock, 10, 0), &vera.member_id)).await;
    let enrolled = history(&shop, &mila, 10).await.pop().expect("the enrolment's");
    assert_eq!(enrolled.origin.as_ref().unwrap().giver(), ConsentGiver::Guardian);
    assert_eq!(enrolled.origin.unwrap().guardian_member_id, vera.member_id);

    let by = |guardian: &pb::Member, of: &pb::Member| pb::GrantConsentRequest {
        origin: Some(of_guardian(guardian)),
        ..grant_of(of, &[ConsentPurpose::Marketing], &BY_MAIL)
    };
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::NotTheGuardian);
    assert_refused(
        "a stranger",
        try_grant(&shop, by(&stranger, &mila)).await,
        code,
        reason,
    );
    assert_refused(
        "of an adult",
        try_grant(&shop, by(&stranger, &vera)).await,
        code,
        reason,
    );
    let accepted = accept(&shop, &mila, 1, (of_guardian(&stranger), None)).await;
    assert_refused("accepts", accepted, code, reason);
    let withdrawal = pb::WithdrawConsentRequest {
        origin: Some(of_guardian(&stranger)),
        ..withdrawal_of(&mila)
    };
    let withdrawn = shop.world.consents(&shop.auth).withdraw_consent(withdrawal).await;
    assert_refused("withdraws", withdrawn, code, reason);

    let receipt = grant(&shop, by(&vera, &mila)).await;
    assert_eq!(receipt.origin, Some(of_guardian(&vera)));
    clock.advance(TimeDelta::days(1));
    shop.publish("The terms, with more to read.").await;
    accept(&shop, &mila, 2, (origin(), None)).await.unwrap();
    let by_herself = shop.get(&mila.member_id).await.unwrap();
    assert_eq!(by_herself.policy_accepted_by_member_id, "");
    clock.advance(TimeDelta::days(1));
    shop.publish("The terms, with still more to read.").await;
    accept(&shop, &mila, 3, (of_guardian(&vera), None)).await.unwrap();
    let in_her_stead = shop.get(&mila.member_id).await.unwrap();
    assert_eq!(in_her_stead.policy_accepted_by_member_id, vera.member_id);
}
