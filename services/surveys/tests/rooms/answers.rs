//! Answers: once, by token, and the words under a key of the person's own.

use chrono::TimeDelta;
use fealty_proto::surveys::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::present::timestamp;
use futures::future::join_all;
use tonic::Code;

use crate::harness::{World, asking, by_hand, hexadecimal, invalid, new_id, plain, refused, reply};

async fn answer(world: &World, answer_id: &str) -> pb::Answer {
    let request = pb::GetAnswerRequest {
        answer_id: answer_id.to_owned(),
    };
    let found = world.shop.client.get_answer(request).await;
    found.expect("it is there").message.answer.expect("one")
}

#[tokio::test]
async fn what_is_answered_is_read_back() {
    let world = World::start().await;
    let version = asking(&[(pb::ScoreGroup::All, false)]);
    let survey = world.open_survey(by_hand(), version).await;
    let member_id = new_id();
    let (invitation, token) = world.invited(&survey.survey_id, &member_id).await;
    let request = pb::GetQuestionnaireRequest { token: token.clone() };
    let asked = world.shop.client.get_questionnaire(request.clone()).await;
    let asked = asked.unwrap().message;
    assert_eq!(asked.display_name, "How was it?");
    assert!(!asked.answered);
    assert_eq!(asked.expire_time, invitation.expire_time);
    assert_eq!(asked.version, survey.current_version);

    world.pass(TimeDelta::days(1));
    let text = "Дорого,\nно вкусно";
    let submitted = world.submit(&token, 8, text).await.unwrap().message;
    let expected = pb::Answer {
        answer_id: submitted.answer_id.clone(),
        survey_id: survey.survey_id.clone(),
        survey_version: 1,
        invitation_id: invitation.invitation_id.clone(),
        member_id,
        score: 8,
        follow_up_text: text.to_owned(),
        answer_time: Some(timestamp(world.now())),
        purchase_id: String::new(),
    };
    assert_eq!(answer(&world, &submitted.answer_id).await, expected);
    assert_eq!(submitted.answer_time, expected.answer_time);
    let invitation = world.invitation(&invitation.invitation_id).await;
    assert_eq!(invitation.status(), pb::InvitationStatus::Answered);
    assert_eq!(invitation.answer_id, submitted.answer_id);
    let asked = world.shop.client.get_questionnaire(request).await;
    assert!(asked.unwrap().message.answered);
}

#[tokio::test]
async fn a_second_answer_is_refused_and_the_same_request_is_answered_as_before() {
    let world = World::start().await;
    let survey = world
        .open_survey(by_hand(), asking(&[(pb::ScoreGroup::All, false)]))
        .await;
    let (invitation, token) = world.invited(&survey.survey_id, &new_id()).await;
    let request = reply(&token, 9, "Good");
    let client = &world.shop.client;
    let first = client.submit_answer(request.clone()).await.unwrap();
    let again = client.submit_answer(request.clone()).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!(first.message, again.message);

    let error = refused(
        world.submit(&token, 1, "Changed my mind").await,
        Code::FailedPrecondition,
        ErrorReason::AlreadyAnswered,
    );
    assert_eq!(
        error.value("invitation_id"),
        Some(invitation.invitation_id.as_str())
    );
    let other = pb::SubmitAnswerRequest {
        score: Some(1),
        ..request
    };
    refused(
        client.submit_answer(other).await,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
    let stored = answer(&world, &first.message.answer_id).await;
    assert_eq!((stored.score, stored.follow_up_text.as_str()), (9, "Good"));
}

#[tokio::test]
async fn of_those_who_answer_at_once_one_has_answered() {
    let world = World::start().await;
    let survey = world
        .open_survey(by_hand(), asking(&[(pb::ScoreGroup::All, false)]))
        .await;
    for _ in 0..5 {
        let (_, token) = world.invited(&survey.survey_id, &new_id()).await;
        let at_once = (0..=10).map(|score| world.submit(&token, score, "Me first"));
        let ends = join_all(at_once).await;
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
        for end in ends.into_iter().filter(Result::is_err) {
            refused(end, Code::FailedPrecondition, ErrorReason::AlreadyAnswered);
        }
    }
    // And of one request that is sent many times at once, all have.
    let (_, token) = world.invited(&survey.survey_id, &new_id()).await;
    let request = reply(&token, 5, "Again and again");
    let at_once = (0..8).map(|_| world.shop.client.submit_answer(request.clone()));
    let ends = join_all(at_once).await;
    let ids: Vec<_> = ends
        .into_iter()
        .map(|end| end.unwrap().message.answer_id)
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM answer")
        .fetch_one(&world.database.jobs)
        .await
        .unwrap();
    assert_eq!(count, 6);
}

#[tokio::test]
async fn e8_a_follow_up_is_answered_by_whom_it_is_asked_and_by_nobody_else() {
    let world = World::start().await;
    let survey = world
        .open_survey(by_hand(), asking(&[(pb::ScoreGroup::BelowTen, true)]))
        .await;
    let (_, token) = world.invited(&survey.survey_id, &new_id()).await;
    let before = world.contents().await;
    invalid(world.submit(&token, 9, " ").await, &["follow_up_text"]);
    invalid(world.submit(&token, 10, "Nothing").await, &["follow_up_text"]);
    assert_eq!(world.contents().await, before);
    assert!(world.submit(&token, 9, "Shorter queues").await.is_ok());
    let (_, token) = world.invited(&survey.survey_id, &new_id()).await;
    assert!(world.submit(&token, 10, "").await.is_ok());
}

#[tokio::test]
async fn one_answer_names_everything_that_is_wrong() {
    let world = World::start().await;
    let client = &world.shop.client;
    let (_, token) = {
        let survey = world.open_survey(by_hand(), plain()).await;
        world.invited(&survey.survey_id, &new_id()).await
    };
    let before = world.contents().await;
    let request = pb::SubmitAnswerRequest {
        request_id: "1".to_owned(),
        token: "guessed".to_owned(),
        score: None,
        follow_up_text: "x".repeat(4_001),
    };
    invalid(
        client.submit_answer(request).await,
        &["request_id", "token", "score", "follow_up_text"],
    );
    // E3: 11 and -1 are no scores.
    for score in [-1, 11] {
        invalid(world.submit(&token, score, "").await, &["score"]);
    }
    let request = pb::GetQuestionnaireRequest { token: String::new() };
    invalid(client.get_questionnaire(request).await, &["token"]);
    let request = pb::ListAnswersRequest {
        survey_id: String::new(),
        page_size: 1_001,
        page_token: String::new(),
        answered_from_time: Some(timestamp(world.now())),
        answered_before_time: Some(timestamp(world.now() - TimeDelta::seconds(1))),
    };
    invalid(
        client.list_answers(request).await,
        &["survey_id", "answered_before_time", "page_size"],
    );
    // A well-formed token that was never given.
    let request = pb::GetQuestionnaireRequest {
        token: "A".repeat(43),
    };
    refused(
        client.get_questionnaire(request).await,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn what_somebody_wrote_is_nowhere_in_the_database() {
    let world = World::start().await;
    let survey = world
        .open_survey(by_hand(), asking(&[(pb::ScoreGroup::All, false)]))
        .await;
    let text = "Anastasija was rude to me";
    let member_id = new_id();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let (_, token) = world.invited(&survey.survey_id, &member_id).await;
        world.submit(&token, 2, text).await.unwrap();
        tokens.push(token);
    }
    let hexadecimal = hexadecimal(text.as_bytes());
    for (table, rows) in world.contents().await {
        let rows = rows.unwrap_or_default();
        assert!(
            !rows.contains("Anastasija") && !rows.contains(&hexadecimal[..20]),
            "{table}"
        );
    }
    // One key for the person, however much they write; without it their words are gone, and the score stays.
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM person_key")
        .fetch_one(&world.database.owner)
        .await
        .unwrap();
    assert_eq!(keys, 1);
    sqlx::query("DELETE FROM person_key")
        .execute(&world.database.owner)
        .await
        .unwrap();
    let request = pb::ListAnswersRequest {
        survey_id: survey.survey_id,
        ..pb::ListAnswersRequest::default()
    };
    let listed = world.shop.client.list_answers(request).await.unwrap().message;
    let left: Vec<_> = listed
        .answers
        .iter()
        .map(|answer| (answer.score, answer.follow_up_text.as_str()))
        .collect();
    assert_eq!(left, [(2, ""), (2, "")]);
}

#[tokio::test]
async fn what_is_kept_of_a_request_does_not_tell_what_was_said() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let (_, token) = world.invited(&survey.survey_id, &new_id()).await;
    let request = reply(&token, 3, "");
    world.shop.client.submit_answer(request.clone()).await.unwrap();
    let method = "/fealty.surveys.v1.AnswerService/SubmitAnswer";
    let kept: Vec<u8> = sqlx::query_scalar("SELECT command_hash FROM request WHERE method = $1")
        .bind(method)
        .fetch_one(&world.database.jobs)
        .await
        .unwrap();
    let plain = pb::SubmitAnswerRequest {
        request_id: String::new(),
        ..request
    };
    assert_ne!(kept, fealty_rpc::command_hash(method, &plain));
}

#[tokio::test]
async fn words_that_somebody_moves_to_another_answer_are_not_shown() {
    let world = World::start().await;
    let survey = world
        .open_survey(by_hand(), asking(&[(pb::ScoreGroup::All, false)]))
        .await;
    let mut ids = Vec::new();
    let member_id = new_id();
    for text in ["Mine", "Mine too"] {
        let (_, token) = world.invited(&survey.survey_id, &member_id).await;
        ids.push(world.submit(&token, 2, text).await.unwrap().message.answer_id);
    }
    sqlx::query(
        "UPDATE answer AS a SET follow_up_text = b.follow_up_text FROM answer AS b WHERE a.answer_id <> b.answer_id",
    )
    .execute(&world.database.owner)
    .await
    .unwrap();
    let request = pb::GetAnswerRequest {
        answer_id: ids.remove(0),
    };
    refused(
        world.shop.client.get_answer(request).await,
        Code::Internal,
        ErrorReason::Internal,
    );
}

#[tokio::test]
async fn an_open_invitation_is_answered_after_its_survey_was_closed() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let (_, token) = world.invited(&survey.survey_id, &new_id()).await;
    world.close(&survey.survey_id).await;
    assert!(world.submit(&token, 7, "").await.is_ok());
}

#[tokio::test]
async fn answers_are_listed_newest_first_within_a_span_of_time() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let begun = world.now();
    for score in 0..6 {
        let (_, token) = world.invited(&survey.survey_id, &new_id()).await;
        world.submit(&token, score, "").await.unwrap();
        world.pass(TimeDelta::hours(1));
    }
    let list = async |from: Option<i64>, before: Option<i64>| {
        let hour = |hour| timestamp(begun + TimeDelta::hours(hour));
        let mut scores = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListAnswersRequest {
                survey_id: survey.survey_id.clone(),
                page_size: 2,
                page_token,
                answered_from_time: from.map(hour),
                answered_before_time: before.map(hour),
            };
            let page = world.shop.client.list_answers(request).await.unwrap().message;
            assert!(page.answers.len() <= 2);
            scores.extend(page.answers.iter().map(|answer| answer.score));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return scores;
            }
        }
    };
    assert_eq!(list(None, None).await, [5, 4, 3, 2, 1, 0]);
    assert_eq!(list(Some(2), None).await, [5, 4, 3, 2]);
    assert_eq!(list(None, Some(2)).await, [1, 0]);
    assert_eq!(list(Some(1), Some(4)).await, [3, 2, 1]);
    assert_eq!(list(Some(4), Some(4)).await, Vec::<i32>::new());
}

#[tokio::test]
async fn a_page_of_long_answers_fits_into_a_message() {
    let world = World::start().await;
    let survey = world
        .open_survey(by_hand(), asking(&[(pb::ScoreGroup::All, false)]))
        .await;
    let (_, token) = world.invited(&survey.survey_id, &new_id()).await;
    // Four bytes each.
    let text = "😀".repeat(4_000);
    world.submit(&token, 5, &text).await.unwrap();
    // 300 copies of it are 4.8 MB. They are sealed for the one answer, but a page is cut before anybody opens it.
    sqlx::query(
        "WITH template AS (SELECT * FROM answer), copy AS ( \
             INSERT INTO invitation (program, invitation_id, survey_id, survey_version, member_id, channel, status, \
                 due_time, expire_time, token_sha256, answer_id, create_time) \
             SELECT i.program, gen_random_uuid(), i.survey_id, i.survey_version, gen_random_uuid(), i.channel, \
                 i.status, i.due_time, i.expire_time, sha256(n::text::bytea), gen_random_uuid(), i.create_time \
             FROM invitation AS i, generate_series(1, 300) AS n RETURNING *) \
         INSERT INTO answer (program, answer_id, invitation_id, survey_id, survey_version, member_id, score, \
             follow_up_text, answer_time) \
         SELECT c.program, c.answer_id, c.invitation_id, c.survey_id, c.survey_version, c.member_id, t.score, \
             t.follow_up_text, t.answer_time FROM copy AS c, template AS t",
    )
    .execute(&world.database.owner)
    .await
    .unwrap();
    let mut listed_count = 0;
    let mut page_count = 0;
    let mut page_token = String::new();
    loop {
        let request = pb::ListAnswersRequest {
            survey_id: survey.survey_id.clone(),
            page_size: 1_000,
            page_token,
            ..pb::ListAnswersRequest::default()
        };
        // Nobody else has a key, so that only the first answer's words can be shown; all of them count for the page.
        let page = world.shop.client.list_answers(request).await.unwrap().message;
        listed_count += page.answers.len();
        page_count += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed_count, 301);
    assert_eq!(page_count, 2, "3 MiB of words to a page");
}
