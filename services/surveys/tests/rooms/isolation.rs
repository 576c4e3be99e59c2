//! Nothing of one program is readable, or changeable, from another.

use fealty_client::CallError;
use fealty_postgres::fences;
use fealty_proto::surveys::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_service::personal::unlisted;
use fealty_surveys::personal::PERSONAL_TABLES;
use tonic::Code;

use crate::harness::{World, by_hand, database, new_id, plain, refused, reply};

#[tokio::test]
async fn every_table_with_a_program_is_fenced() {
    let database = database().await;
    let violations = fences::violations(&database.service, &database.service_database)
        .await
        .unwrap();
    assert_eq!(violations, Vec::<String>::new());
}

#[tokio::test]
async fn every_table_that_names_members_is_decided_about() {
    let database = database().await;
    let mut connection = database.owner.acquire().await.unwrap();
    let forgotten = unlisted(&mut connection, PERSONAL_TABLES, &["member_id"]).await;
    assert_eq!(
        forgotten.unwrap(),
        Vec::<String>::new(),
        "add them to PERSONAL_TABLES in src/personal.rs"
    );
}

fn not_there<T: std::fmt::Debug>(result: Result<T, CallError>) {
    refused(result, Code::NotFound, ErrorReason::ResourceNotFound);
}

#[tokio::test]
async fn another_programs_surveys_and_scores_are_not_there() {
    let world = World::start().await;
    let survey_id = world.open_survey(by_hand(), plain()).await.survey_id;
    let stranger = world.another_shop().await.client;
    let before = world.contents().await;
    let get_survey = pb::GetSurveyRequest {
        survey_id: survey_id.clone(),
    };
    not_there(stranger.get_survey(get_survey).await);
    let get_version = pb::GetSurveyVersionRequest {
        survey_id: survey_id.clone(),
        version: 1,
    };
    not_there(stranger.get_survey_version(get_version).await);
    let publish = pb::PublishSurveyVersionRequest {
        request_id: new_id(),
        survey_id: survey_id.clone(),
        version: Some(plain()),
    };
    not_there(stranger.publish_survey_version(publish).await);
    let close = pb::CloseSurveyRequest {
        survey_id: survey_id.clone(),
    };
    not_there(stranger.close_survey(close).await);
    let get_score = pb::GetScoreRequest {
        survey_id: survey_id.clone(),
        ..pb::GetScoreRequest::default()
    };
    not_there(stranger.get_score(get_score).await);
    let trend = pb::GetScoreTrendRequest {
        survey_id,
        from_month: "2026-01".to_owned(),
        to_month: "2026-02".to_owned(),
        time_zone: String::new(),
    };
    not_there(stranger.get_score_trend(trend).await);
    let listed = stranger.list_surveys(pb::ListSurveysRequest::default()).await;
    assert_eq!(listed.unwrap().message.surveys, []);
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn another_programs_invitations_and_answers_are_not_there() {
    let world = World::start().await;
    let survey_id = world.open_survey(by_hand(), plain()).await.survey_id;
    let (answered, token) = world.invited(&survey_id, &new_id()).await;
    let answer = world.submit(&token, 9, "").await.unwrap().message;
    let (_, open_token) = world.invited(&survey_id, &new_id()).await;
    let stranger = world.another_shop().await.client;
    let before = world.contents().await;
    let invite = pb::InviteMemberRequest {
        request_id: new_id(),
        survey_id: survey_id.clone(),
        member_id: new_id(),
        channel: 0,
    };
    not_there(stranger.invite_member(invite).await);
    let issue = pb::IssueInvitationTokenRequest {
        invitation_id: answered.invitation_id.clone(),
    };
    not_there(stranger.issue_invitation_token(issue).await);
    let get_invitation = pb::GetInvitationRequest {
        invitation_id: answered.invitation_id,
    };
    not_there(stranger.get_invitation(get_invitation).await);
    let list_invitations = pb::ListInvitationsRequest {
        survey_id: survey_id.clone(),
        ..pb::ListInvitationsRequest::default()
    };
    not_there(stranger.list_invitations(list_invitations).await);
    let get_answer = pb::GetAnswerRequest {
        answer_id: answer.answer_id,
    };
    not_there(stranger.get_answer(get_answer).await);
    let list_answers = pb::ListAnswersRequest {
        survey_id,
        ..pb::ListAnswersRequest::default()
    };
    not_there(stranger.list_answers(list_answers).await);
    // Not even with a token that is good in its own program.
    let questionnaire = pb::GetQuestionnaireRequest {
        token: open_token.clone(),
    };
    not_there(stranger.get_questionnaire(questionnaire).await);
    not_there(stranger.submit_answer(reply(&open_token, 9, "")).await);
    assert_eq!(world.contents().await, before);
    assert!(world.submit(&open_token, 9, "").await.is_ok());
}

#[tokio::test]
async fn a_page_token_of_one_survey_opens_no_other() {
    let world = World::start().await;
    let one = world.open_survey(by_hand(), plain()).await;
    let other = world.open_survey(by_hand(), plain()).await;
    for _ in 0..2 {
        world.invite(&one.survey_id, &new_id()).await.unwrap();
    }
    let list = |survey_id: &str, page_token: String| pb::ListInvitationsRequest {
        survey_id: survey_id.to_owned(),
        page_size: 1,
        page_token,
        member_id: String::new(),
    };
    let client = &world.shop.client;
    let page = client.list_invitations(list(&one.survey_id, String::new())).await;
    let token = page.unwrap().message.next_page_token;
    assert!(!token.is_empty());
    refused(
        client
            .list_invitations(list(&other.survey_id, token.clone()))
            .await,
        Code::InvalidArgument,
        ErrorReason::PageTokenInvalid,
    );
    assert!(client.list_invitations(list(&one.survey_id, token)).await.is_ok());
}
