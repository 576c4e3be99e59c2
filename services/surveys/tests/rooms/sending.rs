//! What is sent is asked about once more: what was allowed when it was decided may not be any more.

use chrono::TimeDelta;
use fealty_client::CallError;
use fealty_proto::members::v1::DeliveryOutcome;
use fealty_proto::surveys::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use tonic::Code;

use crate::events::decided;
use crate::harness::{World, by_hand, new_id, plain, refused};
use crate::members::Says;

/// An invitation that is due.
async fn due(world: &World) -> (pb::Survey, pb::Invitation) {
    let survey = world.open_survey(by_hand(), plain()).await;
    let invited = world.invite(&survey.survey_id, &new_id()).await.expect("invited");
    let invitation = invited.message.invitation.expect("an invitation");
    assert_eq!(invitation.status(), pb::InvitationStatus::Due);
    (survey, invitation)
}

#[track_caller]
fn not_open(issued: Result<pb::IssueInvitationTokenResponse, CallError>, status: &str) {
    let error = refused(issued, Code::FailedPrecondition, ErrorReason::InvitationNotOpen);
    assert_eq!(error.value("status"), Some(status));
}

#[tokio::test]
async fn b6_members_is_told_what_is_sent_and_no_token_is_made_without() {
    let world = World::start().await;
    let (_, invitation) = due(&world).await;
    assert!(world.members.reported().is_empty(), "nothing is sent yet");

    for says in [Says::Away, Says::TakesNoReports] {
        world.members.say(says);
        refused(
            world.issue(&invitation.invitation_id).await,
            Code::Unavailable,
            ErrorReason::DependencyUnavailable,
        );
        let found = world.invitation(&invitation.invitation_id).await;
        assert_eq!(found.status(), pb::InvitationStatus::Due, "{says:?}");
    }
    world.members.say(Says::Yes);
    world.issue(&invitation.invitation_id).await.unwrap();
    let reported = world.members.reported();
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].outcome(), DeliveryOutcome::Delivered);
    assert!(world.members.allowed().contains(&reported[0].contact_id));

    // What is sent is sent: a lost link is made anew without anybody else.
    world.members.say(Says::Away);
    world.issue(&invitation.invitation_id).await.unwrap();
    assert_eq!(world.members.reported().len(), 1);
}

#[tokio::test]
async fn b19_who_withdrew_their_consent_since_the_decision_is_sent_nothing() {
    let world = World::start().await;
    let (_, invitation) = due(&world).await;
    world.members.say(Says::OptedOut);
    not_open(world.issue(&invitation.invitation_id).await, "SUPPRESSED");
    let suppressed = world.invitation(&invitation.invitation_id).await;
    assert_eq!(suppressed.status(), pb::InvitationStatus::Suppressed);
    assert!(world.members.reported().is_empty());
    // It stays so, and whoever listens hears of both.
    world.members.say(Says::Yes);
    not_open(world.issue(&invitation.invitation_id).await, "SUPPRESSED");
    let told: Vec<bool> = decided(&world, 2).await.iter().map(|event| event.due).collect();
    assert_eq!(told, [true, false]);
}

#[tokio::test]
async fn b6_what_may_only_be_sent_later_waits_and_is_decided_about_by_itself() {
    let world = World::start().await;
    let (survey, invitation) = due(&world).await;
    let later = world.now() + TimeDelta::hours(9);
    world.members.say(Says::NotBefore(later));
    not_open(world.issue(&invitation.invitation_id).await, "PLANNED");
    let waiting = world.invitation(&invitation.invitation_id).await;
    assert_eq!(waiting.due_time.unwrap().seconds, later.timestamp());
    world.members.say(Says::Yes);
    world.pass(TimeDelta::hours(9));
    world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Due)
        .await;
    world.issue(&invitation.invitation_id).await.unwrap();
    assert_eq!(world.members.reported().len(), 1);
}

#[tokio::test]
async fn b6_each_time_it_is_asked_the_contact_before_is_replaced_and_an_answer_that_is_too_old_is_none() {
    let world = World::start().await;
    world.members.reserve_until(world.now() + TimeDelta::hours(24));
    let (_, invitation) = due(&world).await;
    let first = world.members.allowed();
    world.members.say(Says::TakesNoReports);
    let issued = world.issue(&invitation.invitation_id).await;
    refused(issued, Code::Unavailable, ErrorReason::DependencyUnavailable);
    let replaced = |index: usize| world.members.asked()[index].question.replaces_contact_id.clone();
    assert_eq!([replaced(0), replaced(1)], [String::new(), first[0].clone()]);

    // Another attempt begins where that one ended: it knows the contact that was reserved last.
    world.pass(TimeDelta::hours(25));
    world.members.say(Says::Yes);
    world.members.reserve_until(world.now() + TimeDelta::hours(24));
    world.issue(&invitation.invitation_id).await.unwrap();
    assert_eq!(world.members.asked().len(), 3);
    let second = replaced(2);
    assert!(world.members.allowed().contains(&second) && !first.contains(&second));
    let reported = world.members.reported().remove(0).contact_id;
    assert!(reported != second && !first.contains(&reported));
}

#[tokio::test]
async fn an_answer_that_was_lost_and_is_too_old_when_it_is_heard_is_asked_for_anew() {
    let world = World::start().await;
    world.members.reserve_until(world.now() + TimeDelta::hours(24));
    let (_, invitation) = due(&world).await;
    let first = world.members.allowed().remove(0);
    world.members.say(Says::TakesNoReports);
    let issued = world.issue(&invitation.invitation_id).await;
    refused(issued, Code::Unavailable, ErrorReason::DependencyUnavailable);
    // As if the process had died before it could keep the answer.
    sqlx::query("UPDATE invitation_contact SET contact_id = $1")
        .bind(first.parse::<uuid::Uuid>().unwrap())
        .execute(&world.database.owner)
        .await
        .unwrap();
    world.pass(TimeDelta::hours(25));
    world.members.say(Says::Yes);
    world.members.reserve_until(world.now() + TimeDelta::hours(24));
    world.issue(&invitation.invitation_id).await.unwrap();
    let asked = world.members.asked();
    let replaced: Vec<&str> = asked
        .iter()
        .map(|asked| asked.question.replaces_contact_id.as_str())
        .collect();
    assert_eq!(replaced.len(), 4);
    assert_eq!(
        replaced[1], replaced[2],
        "the same question has the same answer, which is too old"
    );
    assert_ne!(replaced[3], replaced[2]);
    assert_eq!(world.members.reported().len(), 1);
    assert_ne!(world.members.reported()[0].contact_id, replaced[3]);
}
