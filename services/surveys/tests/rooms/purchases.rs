//! Invitations by purchases, as the ledger's feed tells of them.

use std::collections::HashSet;

use chrono::TimeDelta;
use fealty_proto::members::v1::ContactRule;
use fealty_proto::surveys::v1 as pb;
use fealty_rpc::present::timestamp;

use crate::harness::{World, after_purchases, asking, by_hand, eventually, new_id, plain};
use crate::ledger::{posted, purchase};
use crate::members::Says;

impl World {
    /// A purchase of the shop, just now.
    fn purchase(&self, member_id: &str, amount_minor: i64) -> fealty_proto::events::v1::Event {
        purchase(
            &self.shop.program.to_string(),
            member_id,
            amount_minor,
            self.now(),
        )
    }
}

#[tokio::test]
async fn e17_whoever_has_bought_something_is_invited() {
    let world = World::start().await;
    let survey = world.open_survey(after_purchases(), plain()).await;
    let member_id = new_id();
    let mut event = world.purchase(&member_id, 1_000);
    let purchase_id = posted(&mut event).purchase_id.clone();
    world.ledger.tell(event);
    let invitation = world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Due)
        .await;
    assert_eq!(invitation.member_id, member_id);
    assert_eq!(invitation.purchase_id, purchase_id);
    assert_eq!(invitation.due_time, Some(timestamp(world.now())));
}

#[tokio::test]
async fn e20_a_purchase_that_is_told_twice_invites_once_to_each_survey() {
    let world = World::start().await;
    let one = world.open_survey(after_purchases(), plain()).await;
    let other = world.open_survey(after_purchases(), plain()).await;
    let by_hand_only = world.open_survey(by_hand(), plain()).await;
    let event = world.purchase(&new_id(), 1_000);
    world.ledger.tell(event.clone());
    world.has_followed_the_ledger().await;
    // The same event again, as after a restore; and the same purchase in an event that looks new.
    world.ledger.tell(event.clone());
    world.ledger.tell(fealty_proto::events::v1::Event {
        event_id: new_id(),
        version: 2,
        ..event
    });
    world.has_followed_the_ledger().await;
    for survey in [&one, &other] {
        assert_eq!(world.invitations(&survey.survey_id).await.len(), 1);
    }
    assert_eq!(world.invitations(&by_hand_only.survey_id).await, []);
}

/// The feed hands on a hundred events at once, and they are applied in one transaction.
#[tokio::test]
async fn a_program_with_many_surveys_stops_nobodys_invitations() {
    const SURVEYS: usize = 60;
    const PURCHASES: usize = 100;
    let world = World::start().await;
    let mut survey_id = String::new();
    for _ in 0..SURVEYS {
        survey_id = world.open_survey(after_purchases(), plain()).await.survey_id;
    }
    for _ in 0..PURCHASES {
        world.ledger.tell(world.purchase(&new_id(), 1_000));
    }
    world.has_followed_the_ledger().await;
    let invited: i64 = sqlx::query_scalar("SELECT count(*) FROM invitation")
        .fetch_one(&world.database.owner)
        .await
        .expect("a count");
    assert_eq!(usize::try_from(invited), Ok(SURVEYS * PURCHASES));
    assert!(!world.invitations(&survey_id).await.is_empty());
}

#[tokio::test]
async fn two_purchases_of_one_member_are_two_invitations() {
    let world = World::start().await;
    let survey = world.open_survey(after_purchases(), plain()).await;
    let member_id = new_id();
    world.ledger.tell(world.purchase(&member_id, 1_000));
    world.ledger.tell(world.purchase(&member_id, 1_000));
    world.has_followed_the_ledger().await;
    assert_eq!(world.invitations(&survey.survey_id).await.len(), 2);
}

#[tokio::test]
async fn what_a_survey_does_not_ask_about_invites_nobody() {
    let world = World::start().await;
    let early = world.purchase(&new_id(), 5_000);
    world.pass(TimeDelta::seconds(1));
    let survey = world.open_survey(after_purchases(), plain()).await;
    let closed = world.open_survey(after_purchases(), plain()).await;
    world.close(&closed.survey_id).await;
    let draft = world.create_survey(after_purchases()).await;

    // Before the survey was opened; too small; a refund; another program's.
    world.ledger.tell(early);
    world.ledger.tell(world.purchase(&new_id(), 999));
    let mut refund = world.purchase(&new_id(), 5_000);
    "refund".clone_into(&mut posted(&mut refund).kind);
    world.ledger.tell(refund);
    let elsewhere = world.another_shop().await;
    world.ledger.tell(purchase(
        &elsewhere.program.to_string(),
        &new_id(),
        5_000,
        world.now(),
    ));
    // One that counts, so that the test knows that all have been looked at.
    world.ledger.tell(world.purchase(&new_id(), 1_000));
    world.has_followed_the_ledger().await;
    assert_eq!(world.invitations(&survey.survey_id).await.len(), 1);
    for survey in [&closed, &draft] {
        assert_eq!(world.invitations(&survey.survey_id).await, []);
    }
}

#[tokio::test]
async fn nobody_is_asked_before_the_delay_has_passed() {
    let world = World::start().await;
    let delayed = pb::Survey {
        purchase_trigger: Some(pb::PurchaseTrigger {
            delay_seconds: 3_600,
            amount_minor_min: 0,
        }),
        ..by_hand()
    };
    let survey = world.open_survey(delayed, plain()).await;
    world.ledger.tell(world.purchase(&new_id(), 0));
    let planned = world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Planned)
        .await;
    let due = world.now() + TimeDelta::hours(1);
    assert_eq!(planned.due_time, Some(timestamp(due)));
    assert_eq!(planned.expire_time, Some(timestamp(due + TimeDelta::days(14))));
    world.pass(TimeDelta::hours(1) - TimeDelta::microseconds(1));
    // Two rounds of the job.
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert_eq!(
        world.invitation(&planned.invitation_id).await.status(),
        pb::InvitationStatus::Planned
    );
    assert_eq!(world.members.asked(), []);
    world.pass(TimeDelta::microseconds(1));
    world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Due)
        .await;
}

#[tokio::test]
async fn a_survey_that_is_closed_before_the_time_comes_asks_nobody() {
    let world = World::start().await;
    let delayed = pb::Survey {
        purchase_trigger: Some(pb::PurchaseTrigger {
            delay_seconds: 3_600,
            amount_minor_min: 0,
        }),
        ..by_hand()
    };
    let survey = world.open_survey(delayed, plain()).await;
    world.ledger.tell(world.purchase(&new_id(), 0));
    world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Planned)
        .await;
    world.close(&survey.survey_id).await;
    world.pass(TimeDelta::hours(1));
    let suppressed = world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Suppressed)
        .await;
    assert_eq!(suppressed.contact_rule, 0, "no rule of contacts decided");
    assert_eq!(world.members.asked(), []);
}

#[tokio::test]
async fn whoever_may_not_be_contacted_or_is_no_member_is_suppressed() {
    let world = World::start().await;
    for says in [Says::OptedOut, Says::Nobody] {
        world.members.say(says);
        let survey = world.open_survey(after_purchases(), plain()).await;
        world.ledger.tell(world.purchase(&new_id(), 1_000));
        world
            .one_invitation(&survey.survey_id, pb::InvitationStatus::Suppressed)
            .await;
        world.close(&survey.survey_id).await;
    }
}

#[tokio::test]
async fn whoever_was_asked_lately_is_asked_about_a_purchase_later_and_loses_no_time() {
    let world = World::start().await;
    let survey = world.open_survey(after_purchases(), plain()).await;
    // Longer than an invitation lives.
    let later = world.now() + TimeDelta::days(20);
    world.members.say(Says::NotBefore(later));
    world.ledger.tell(world.purchase(&new_id(), 1_000));
    let planned = eventually("it is put off", async || {
        let mut invitations = world.invitations(&survey.survey_id).await.into_iter();
        invitations.find(|invitation| invitation.due_time == Some(timestamp(later)))
    })
    .await;
    assert_eq!(planned.status(), pb::InvitationStatus::Planned);
    assert_eq!(planned.contact_rule(), ContactRule::FrequencyCap);
    assert_eq!(planned.expire_time, Some(timestamp(later + TimeDelta::days(14))));
    // Put off once more.
    let last = later + TimeDelta::days(1);
    world.members.say(Says::NotBefore(last));
    world.pass(TimeDelta::days(20));
    eventually("it is put off again", async || {
        let invitation = world.invitation(&planned.invitation_id).await;
        (invitation.due_time == Some(timestamp(last))).then_some(())
    })
    .await;
    world.members.say(Says::Yes);
    world.pass(TimeDelta::days(1));
    world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Due)
        .await;
    let asked = world.members.asked();
    let ids: HashSet<_> = asked.iter().map(|asked| &asked.question.request_id).collect();
    assert_eq!(
        ids.len(),
        3,
        "a question that is asked again is answered as before"
    );
}

#[tokio::test]
async fn an_invitation_asks_what_its_version_asks() {
    let world = World::start().await;
    let survey = world
        .open_survey(after_purchases(), asking(&[(pb::ScoreGroup::All, true)]))
        .await;
    world.ledger.tell(world.purchase(&new_id(), 1_000));
    let invitation = world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Due)
        .await;
    world.publish(&survey.survey_id, plain()).await;
    assert_eq!(invitation.survey_version, 1);
    let token = world.issue(&invitation.invitation_id).await.unwrap().token;
    let request = pb::GetQuestionnaireRequest { token: token.clone() };
    let asked = world.shop.client.get_questionnaire(request).await.unwrap();
    let version = asked.message.version.unwrap();
    assert_eq!((version.version, version.follow_ups.len()), (1, 1));
    // The version of today would take it; that of the invitation does not.
    assert!(world.submit(&token, 9, "").await.is_err());
    let answer = world.submit(&token, 9, "Good bread").await.unwrap().message;
    let request = pb::GetAnswerRequest {
        answer_id: answer.answer_id,
    };
    let answer = world.shop.client.get_answer(request).await.unwrap().message;
    let answer = answer.answer.unwrap();
    assert_eq!(answer.survey_version, 1);
    assert_eq!(answer.purchase_id, invitation.purchase_id);
}

#[tokio::test]
async fn a_household_whose_account_was_used_is_not_asked_but_who_bought() {
    let world = World::start().await;
    let survey = world.open_survey(after_purchases(), plain()).await;
    let member_id = new_id();
    let mut event = world.purchase(&member_id, 1_000);
    event.subject_id = new_id();
    world.ledger.tell(event);
    let invitation = world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Due)
        .await;
    assert_eq!(invitation.member_id, member_id);
}
