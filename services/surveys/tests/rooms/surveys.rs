//! What is asked: surveys and their versions.

use fealty_proto::surveys::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use tonic::Code;

use crate::harness::{World, after_purchases, asking, by_hand, invalid, new_id, plain, refused};

fn publish(survey_id: &str, version: pb::SurveyVersion) -> pb::PublishSurveyVersionRequest {
    pb::PublishSurveyVersionRequest {
        request_id: new_id(),
        survey_id: survey_id.to_owned(),
        version: Some(version),
    }
}

async fn version(world: &World, survey_id: &str, version: i32) -> pb::SurveyVersion {
    let request = pb::GetSurveyVersionRequest {
        survey_id: survey_id.to_owned(),
        version,
    };
    let found = world.shop.client.get_survey_version(request).await;
    found.expect("it is there").message.version.expect("one")
}

#[tokio::test]
async fn a_survey_is_a_draft_then_open_then_closed() {
    let world = World::start().await;
    let draft = world.create_survey(after_purchases()).await;
    assert_eq!(draft.status(), pb::SurveyStatus::Draft);
    assert_eq!(
        (draft.current_version.clone(), draft.purchase_trigger),
        (None, after_purchases().purchase_trigger)
    );
    assert_eq!((draft.topic.as_str(), draft.invitation_life_days), ("nps", 14));

    let open = world.publish(&draft.survey_id, plain()).await;
    assert_eq!(open.status(), pb::SurveyStatus::Open);
    let published = open.current_version.clone().expect("a version");
    assert_eq!(
        (published.version, published.score_question),
        (1, plain().score_question)
    );

    let closed = world.close(&draft.survey_id).await;
    assert_eq!(closed.status(), pb::SurveyStatus::Closed);
    assert_eq!(world.close(&draft.survey_id).await, closed);
    let error = refused(
        world
            .shop
            .client
            .publish_survey_version(publish(&draft.survey_id, plain()))
            .await,
        Code::FailedPrecondition,
        ErrorReason::SurveyNotOpen,
    );
    assert_eq!(error.value("survey_id"), Some(draft.survey_id.as_str()));
    let request = pb::GetSurveyRequest {
        survey_id: draft.survey_id,
    };
    let read = world.shop.client.get_survey(request).await.expect("it is there");
    assert_eq!(read.message.survey, Some(closed));
}

#[tokio::test]
async fn a_version_never_changes() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let first = version(&world, &survey.survey_id, 1).await;
    let newer = world
        .publish(
            &survey.survey_id,
            asking(&[(pb::ScoreGroup::BelowTen, true), (pb::ScoreGroup::All, false)]),
        )
        .await;
    let second = newer.current_version.expect("a version");
    assert_eq!(second.version, 2);
    assert_eq!(version(&world, &survey.survey_id, 1).await, first);
    assert_eq!(version(&world, &survey.survey_id, 2).await, second);
    assert_eq!(second.follow_ups.len(), 2);
    let request = pb::GetSurveyVersionRequest {
        survey_id: survey.survey_id,
        version: 3,
    };
    refused(
        world.shop.client.get_survey_version(request).await,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    // Nor by whoever gets hold of the service's role.
    let change = sqlx::query("UPDATE survey_version SET score_question = 'Another'");
    let denied = change.execute(&world.database.service).await;
    assert!(denied.unwrap_err().to_string().contains("permission denied"));
}

#[tokio::test]
async fn the_same_request_makes_one_survey_and_one_version() {
    let world = World::start().await;
    let client = &world.shop.client;
    let create = pb::CreateSurveyRequest {
        request_id: new_id(),
        survey: Some(by_hand()),
    };
    let made = client.create_survey(create.clone()).await.unwrap();
    let again = client.create_survey(create.clone()).await.unwrap();
    assert!(!made.replayed && again.replayed);
    assert_eq!(made.message, again.message);
    let survey_id = made.message.survey.unwrap().survey_id;

    let publish = publish(&survey_id, plain());
    client.publish_survey_version(publish.clone()).await.unwrap();
    let again = client.publish_survey_version(publish).await.unwrap();
    assert!(again.replayed);
    let survey = again.message.survey.unwrap();
    assert_eq!(survey.current_version.unwrap().version, 1);

    let other = pb::CreateSurveyRequest {
        survey: Some(after_purchases()),
        ..create
    };
    refused(
        client.create_survey(other).await,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
}

#[tokio::test]
async fn a_follow_up_that_nobody_is_asked_is_refused() {
    use pb::ScoreGroup::{All, BelowTen, Detractors, Passives};
    let world = World::start().await;
    let survey = world.create_survey(by_hand()).await;
    let client = &world.shop.client;
    let before = world.contents().await;
    for (groups, fields) in [
        (vec![All, Detractors], vec!["version.follow_ups[1].asked_of"]),
        (
            vec![BelowTen, Passives, Detractors],
            vec!["version.follow_ups[1].asked_of", "version.follow_ups[2].asked_of"],
        ),
    ] {
        let follow_ups: Vec<_> = groups.into_iter().map(|group| (group, false)).collect();
        let publishing = publish(&survey.survey_id, asking(&follow_ups));
        invalid(client.publish_survey_version(publishing).await, &fields);
    }
    let four = asking(&[
        (Detractors, false),
        (Passives, false),
        (BelowTen, false),
        (All, false),
    ]);
    invalid(
        client
            .publish_survey_version(publish(&survey.survey_id, four))
            .await,
        &["version.follow_ups"],
    );
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn one_answer_names_everything_that_is_wrong() {
    let world = World::start().await;
    let client = &world.shop.client;
    let before = world.contents().await;
    let survey = pb::Survey {
        display_name: " ".to_owned(),
        topic: "Mother's day".to_owned(),
        purchase_trigger: Some(pb::PurchaseTrigger {
            delay_seconds: 2_592_001,
            amount_minor_min: -1,
        }),
        invitation_life_days: 366,
        ..pb::Survey::default()
    };
    let request = pb::CreateSurveyRequest {
        request_id: "1".to_owned(),
        survey: Some(survey),
    };
    invalid(
        client.create_survey(request).await,
        &[
            "request_id",
            "survey.display_name",
            "survey.topic",
            "survey.purchase_trigger.delay_seconds",
            "survey.purchase_trigger.amount_minor_min",
            "survey.invitation_life_days",
        ],
    );
    let version = pb::SurveyVersion {
        score_question: "?".repeat(501),
        follow_ups: vec![pb::FollowUp {
            asked_of: 99,
            question: String::new(),
            required: true,
        }],
        ..pb::SurveyVersion::default()
    };
    invalid(
        client.publish_survey_version(publish("1", version)).await,
        &[
            "survey_id",
            "version.score_question",
            "version.follow_ups[0].asked_of",
            "version.follow_ups[0].question",
        ],
    );
    let request = pb::GetSurveyVersionRequest {
        survey_id: String::new(),
        version: 0,
    };
    invalid(
        client.get_survey_version(request).await,
        &["survey_id", "version"],
    );
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn surveys_are_listed_in_the_order_of_their_making() {
    let world = World::start().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.create_survey(by_hand()).await.survey_id);
        world.pass(chrono::TimeDelta::microseconds(1));
    }
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListSurveysRequest {
            page_size: 2,
            page_token,
        };
        let page = world.shop.client.list_surveys(request).await.unwrap().message;
        assert!(page.surveys.len() <= 2);
        listed.extend(page.surveys.into_iter().map(|survey| survey.survey_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, made);
}

#[tokio::test]
async fn a_program_has_a_hundred_surveys_at_most_that_are_not_closed() {
    let world = World::start().await;
    let first = world.create_survey(by_hand()).await;
    for _ in 1..100 {
        world.create_survey(by_hand()).await;
    }
    let one_more = || pb::CreateSurveyRequest {
        request_id: new_id(),
        survey: Some(by_hand()),
    };
    let error = refused(
        world.shop.client.create_survey(one_more()).await,
        Code::FailedPrecondition,
        ErrorReason::CountExceeded,
    );
    assert_eq!(
        (error.value("resource"), error.value("count_max")),
        (Some("survey"), Some("100"))
    );
    world.close(&first.survey_id).await;
    assert!(world.shop.client.create_survey(one_more()).await.is_ok());
}
