//! Invitations by hand, and tokens.

use chrono::TimeDelta;
use fealty_proto::members::v1::{ContactChannel, ContactPurpose, ContactRule};
use fealty_proto::surveys::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::present::timestamp;
use tonic::Code;

use crate::harness::{SERVICE_KEY, World, by_hand, hexadecimal, invalid, new_id, plain, refused};
use crate::members::Says;

#[tokio::test]
async fn an_invited_member_is_asked_about_under_the_surveys_topic() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let member_id = new_id();
    let request = pb::InviteMemberRequest {
        request_id: new_id(),
        survey_id: survey.survey_id.clone(),
        member_id: member_id.clone(),
        channel: ContactChannel::Sms.into(),
    };
    let invited = world.shop.client.invite_member(request).await.unwrap();
    let invitation = invited.message.invitation.unwrap();
    assert_eq!(
        (invitation.status(), invitation.contact_rule()),
        (pb::InvitationStatus::Due, ContactRule::Allowed)
    );
    assert_eq!(
        (invitation.survey_version, invitation.member_id.as_str()),
        (1, member_id.as_str())
    );
    assert_eq!(invitation.due_time, Some(timestamp(world.now())));
    let end = world.now() + TimeDelta::days(14);
    assert_eq!(invitation.expire_time, Some(timestamp(end)));
    assert_eq!(world.invitation(&invitation.invitation_id).await, invitation);

    let asked = world.members.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].program, world.shop.program.to_string());
    assert_eq!(asked[0].authorization, format!("Bearer {SERVICE_KEY}"));
    let question = &asked[0].question;
    assert_eq!(question.member_id, member_id);
    assert_eq!(question.topic, "nps");
    assert_eq!(
        (question.channel(), question.purpose()),
        (ContactChannel::Sms, ContactPurpose::ServiceQuality)
    );
}

#[tokio::test]
async fn who_may_not_be_contacted_is_not_invited() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    world.members.say(Says::OptedOut);
    let invited = world.invite(&survey.survey_id, &new_id()).await.unwrap();
    let invitation = invited.message.invitation.unwrap();
    assert_eq!(
        (invitation.status(), invitation.contact_rule()),
        (pb::InvitationStatus::Suppressed, ContactRule::TopicOptOut)
    );
    let error = refused(
        world.issue(&invitation.invitation_id).await,
        Code::FailedPrecondition,
        ErrorReason::InvitationNotOpen,
    );
    assert_eq!(error.value("status"), Some("SUPPRESSED"));
    assert_eq!(
        error.value("invitation_id"),
        Some(invitation.invitation_id.as_str())
    );
}

#[tokio::test]
async fn who_was_asked_lately_is_asked_later() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let later = world.now() + TimeDelta::days(20);
    world.members.say(Says::NotBefore(later));
    let invited = world.invite(&survey.survey_id, &new_id()).await.unwrap();
    let planned = invited.message.invitation.unwrap();
    assert_eq!(
        (planned.status(), planned.contact_rule()),
        (pb::InvitationStatus::Planned, ContactRule::FrequencyCap)
    );
    // The time to answer is as long as for everybody, although it is longer until then than an invitation lives.
    assert_eq!(planned.due_time, Some(timestamp(later)));
    assert_eq!(planned.expire_time, Some(timestamp(later + TimeDelta::days(14))));
    refused(
        world.issue(&planned.invitation_id).await,
        Code::FailedPrecondition,
        ErrorReason::InvitationNotOpen,
    );

    world.members.say(Says::Yes);
    world.pass(TimeDelta::days(20));
    let due = world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Due)
        .await;
    assert_eq!(due.contact_rule(), ContactRule::Allowed);
    let ids: Vec<_> = world
        .members
        .asked()
        .into_iter()
        .map(|asked| asked.question.request_id)
        .collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1], "the same question would be answered as before");
}

#[tokio::test]
async fn the_same_request_invites_once_and_counts_one_contact() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let request = pb::InviteMemberRequest {
        request_id: new_id(),
        survey_id: survey.survey_id.clone(),
        member_id: new_id(),
        channel: 0,
    };
    let client = &world.shop.client;
    let at_once = (0..8).map(|_| client.invite_member(request.clone()));
    let answers = futures::future::join_all(at_once).await;
    let first = answers[0].as_ref().unwrap().message.clone();
    for answer in &answers {
        assert_eq!(answer.as_ref().unwrap().message, first);
    }
    let made_count = answers.iter().flatten().filter(|answer| !answer.replayed).count();
    assert_eq!(made_count, 1);
    assert_eq!(world.invitations(&survey.survey_id).await.len(), 1);
    assert_eq!(world.members.counted(), 1);

    let other = pb::InviteMemberRequest {
        member_id: new_id(),
        ..request
    };
    let asked_count = world.members.asked().len();
    refused(
        client.invite_member(other).await,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
    assert_eq!(world.members.asked().len(), asked_count);
}

#[tokio::test]
async fn nobody_is_invited_who_is_not_there_or_to_what_is_not_open() {
    let world = World::start().await;
    let draft = world.create_survey(by_hand()).await;
    let closed = world.open_survey(by_hand(), plain()).await;
    world.close(&closed.survey_id).await;
    let open = world.open_survey(by_hand(), plain()).await;
    let before = world.contents().await;
    for survey in [&draft, &closed] {
        let error = refused(
            world.invite(&survey.survey_id, &new_id()).await,
            Code::FailedPrecondition,
            ErrorReason::SurveyNotOpen,
        );
        assert_eq!(error.value("survey_id"), Some(survey.survey_id.as_str()));
    }
    refused(
        world.invite(&new_id(), &new_id()).await,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    assert_eq!(world.members.asked(), [], "no contact is counted for it");
    world.members.say(Says::Nobody);
    let member_id = new_id();
    let error = refused(
        world.invite(&open.survey_id, &member_id).await,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    assert_eq!(
        (error.value("resource"), error.value("id")),
        (Some("member"), Some(member_id.as_str()))
    );
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn while_members_is_away_nothing_is_written_and_the_same_request_goes_on_later() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let request = pb::InviteMemberRequest {
        request_id: new_id(),
        survey_id: survey.survey_id.clone(),
        member_id: new_id(),
        channel: 0,
    };
    let before = world.contents().await;
    world.members.say(Says::Away);
    let error = refused(
        world.shop.client.invite_member(request.clone()).await,
        Code::Unavailable,
        ErrorReason::DependencyUnavailable,
    );
    assert_eq!(error.value("dependency"), Some("members"));
    assert_eq!(world.contents().await, before);

    world.members.say(Says::Yes);
    let invited = world.shop.client.invite_member(request).await.unwrap();
    let invitation = invited.message.invitation.unwrap();
    assert_eq!(invitation.status(), pb::InvitationStatus::Due);
    assert_eq!(world.members.counted(), 1);
}

#[tokio::test]
async fn a_new_token_makes_the_one_before_it_worthless() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let (invitation, first) = world.invited(&survey.survey_id, &new_id()).await;
    assert_eq!(invitation.status(), pb::InvitationStatus::Sent);
    let second = world.issue(&invitation.invitation_id).await.unwrap().token;
    assert_ne!(first, second);
    let error = refused(
        world.submit(&first, 9, "").await,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    assert!(
        !format!("{error:?}").contains(&first),
        "a token is not repeated: {error:?}"
    );
    let questionnaire = |token: &str| pb::GetQuestionnaireRequest {
        token: token.to_owned(),
    };
    let client = &world.shop.client;
    assert!(client.get_questionnaire(questionnaire(&first)).await.is_err());
    assert!(client.get_questionnaire(questionnaire(&second)).await.is_ok());
    assert!(world.submit(&second, 9, "").await.is_ok());
    refused(
        world.issue(&invitation.invitation_id).await,
        Code::FailedPrecondition,
        ErrorReason::AlreadyAnswered,
    );
}

#[tokio::test]
async fn no_token_is_in_the_database() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let (_, token) = world.invited(&survey.survey_id, &new_id()).await;
    let bytes = {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(&token)
            .unwrap()
    };
    assert_eq!(bytes.len(), 32, "256 bits");
    let hexadecimal = hexadecimal(&bytes);
    for (table, rows) in world.contents().await {
        let rows = rows.unwrap_or_default();
        assert!(!rows.contains(&token) && !rows.contains(&hexadecimal), "{table}");
    }
}

#[tokio::test]
async fn an_invitation_ends_by_the_time_alone() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let (sent, token) = world.invited(&survey.survey_id, &new_id()).await;
    let invited = world.invite(&survey.survey_id, &new_id()).await.unwrap();
    let due = invited.message.invitation.unwrap();
    world.pass(TimeDelta::days(14) - TimeDelta::microseconds(1));
    assert_eq!(
        world.invitation(&sent.invitation_id).await.status(),
        pb::InvitationStatus::Sent
    );
    world.pass(TimeDelta::microseconds(1));
    for invitation in [&sent, &due] {
        let invitation = world.invitation(&invitation.invitation_id).await;
        assert_eq!(invitation.status(), pb::InvitationStatus::Expired);
        let error = refused(
            world.issue(&invitation.invitation_id).await,
            Code::FailedPrecondition,
            ErrorReason::InvitationNotOpen,
        );
        assert_eq!(error.value("status"), Some("EXPIRED"));
    }
    let error = refused(
        world.submit(&token, 9, "").await,
        Code::FailedPrecondition,
        ErrorReason::InvitationNotOpen,
    );
    assert_eq!(error.value("status"), Some("EXPIRED"));
}

#[tokio::test]
async fn invitations_are_listed_newest_first_of_all_members_or_one() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let members = [new_id(), new_id()];
    let mut made = Vec::new();
    for index in 0..5 {
        let invited = world.invite(&survey.survey_id, &members[index % 2]).await;
        let invitation = invited.unwrap().message.invitation.unwrap();
        made.insert(0, invitation.invitation_id);
        world.pass(TimeDelta::microseconds(1));
    }
    for (member_id, expected) in [
        ("", made.clone()),
        (members[1].as_str(), vec![made[1].clone(), made[3].clone()]),
    ] {
        let mut listed = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListInvitationsRequest {
                survey_id: survey.survey_id.clone(),
                page_size: 2,
                page_token,
                member_id: member_id.to_owned(),
            };
            let page = world.shop.client.list_invitations(request).await.unwrap().message;
            listed.extend(page.invitations.into_iter().map(|one| one.invitation_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, expected);
    }
}

#[tokio::test]
async fn one_answer_names_everything_that_is_wrong() {
    let world = World::start().await;
    let client = &world.shop.client;
    let request = pb::InviteMemberRequest {
        request_id: String::from("1"),
        survey_id: String::new(),
        member_id: "2".to_owned(),
        channel: 99,
    };
    invalid(
        client.invite_member(request).await,
        &["request_id", "survey_id", "member_id", "channel"],
    );
    let request = pb::ListInvitationsRequest {
        survey_id: "1".to_owned(),
        page_size: -1,
        page_token: String::new(),
        member_id: "2".to_owned(),
    };
    invalid(
        client.list_invitations(request).await,
        &["survey_id", "member_id", "page_size"],
    );
}
