//! Scores, over gRPC.

use chrono::{DateTime, Utc};
use fealty_proto::surveys::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::present::timestamp;
use tonic::Code;

use crate::harness::{World, by_hand, invalid, new_id, noon, plain, refused};

/// Answers with those scores at a time, as if they had come over gRPC one by one.
async fn plant_answers(world: &World, survey_id: &str, score: i32, count: i32, time: DateTime<Utc>) {
    sqlx::query(
        "WITH invited AS ( \
             INSERT INTO invitation (program, invitation_id, survey_id, survey_version, member_id, channel, status, \
                 due_time, expire_time, token_sha256, answer_id, create_time) \
             SELECT $1, gen_random_uuid(), $2, 1, gen_random_uuid(), 'EMAIL', 'ANSWERED', $5, $5 + interval '1 day', \
                 sha256(gen_random_uuid()::text::bytea), gen_random_uuid(), $5 \
             FROM generate_series(1, $4) RETURNING *) \
         INSERT INTO answer (program, answer_id, invitation_id, survey_id, survey_version, member_id, score, \
             answer_time) \
         SELECT program, answer_id, invitation_id, survey_id, survey_version, member_id, $3::smallint, $5 FROM invited",
    )
    .bind(world.shop.program.as_uuid())
    .bind(survey_id.parse::<uuid::Uuid>().expect("an id"))
    .bind(score)
    .bind(count)
    .bind(time)
    .execute(&world.database.owner)
    .await
    .expect("planted");
}

fn get(survey_id: &str) -> pb::GetScoreRequest {
    pb::GetScoreRequest {
        survey_id: survey_id.to_owned(),
        ..pb::GetScoreRequest::default()
    }
}

async fn score(world: &World, request: pb::GetScoreRequest) -> pb::Score {
    let answer = world.shop.client.get_score(request).await;
    answer.expect("a score").message.score.expect("a score")
}

fn shown(score: &pb::Score) -> (String, String, String, String) {
    let interval = score.interval.clone().expect("an interval");
    (score.score.clone(), interval.margin, interval.low, interval.high)
}

#[tokio::test]
async fn e5_golden_vectors_come_out_of_get_score() {
    let world = World::start().await;
    for ((promoters, passives, detractors), expected) in [
        ((50, 30, 20), ("30.0000", "15.0751", "14.0511", "44.2013")),
        ((5, 3, 2), ("30.0000", "42.1275", "-19.0506", "65.2045")),
        ((200, 200, 100), ("20.0000", "6.5390", "13.3417", "26.4197")),
        ((10, 0, 0), ("100.0000", "29.4195", "47.5036", "100.0000")),
        ((0, 10, 0), ("0.0000", "18.4650", "-18.4650", "18.4650")),
    ] {
        let survey = world.open_survey(by_hand(), plain()).await;
        // Both ends of each group.
        for (low, high, count) in [(9, 10, promoters), (7, 8, passives), (0, 6, detractors)] {
            plant_answers(&world, &survey.survey_id, low, count / 2, noon()).await;
            plant_answers(&world, &survey.survey_id, high, count - count / 2, noon()).await;
        }
        let score = score(&world, get(&survey.survey_id)).await;
        assert_eq!(
            (score.promoter_count, score.passive_count, score.detractor_count),
            (promoters.into(), passives.into(), detractors.into())
        );
        let (points, margin, low, high) = expected;
        assert_eq!(
            shown(&score),
            (
                points.to_owned(),
                margin.to_owned(),
                low.to_owned(),
                high.to_owned()
            )
        );
    }
}

#[tokio::test]
async fn e5_a_survey_that_nobody_answered_has_no_score() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    // Invited, shown, and not answered: such as these never count.
    world.invited(&survey.survey_id, &new_id()).await;
    assert_eq!(score(&world, get(&survey.survey_id)).await, pb::Score::default());
}

#[tokio::test]
async fn an_answer_counts_as_soon_as_it_is_given_and_in_its_own_survey() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let other = world.open_survey(by_hand(), plain()).await;
    for points in [10, 9, 8, 0] {
        let (_, token) = world.invited(&survey.survey_id, &new_id()).await;
        world.submit(&token, points, "").await.unwrap();
    }
    let counted = score(&world, get(&survey.survey_id)).await;
    assert_eq!(
        (
            counted.promoter_count,
            counted.passive_count,
            counted.detractor_count
        ),
        (2, 1, 1)
    );
    assert_eq!(counted.score, "25.0000");
    assert_eq!(score(&world, get(&other.survey_id)).await, pb::Score::default());
}

#[tokio::test]
async fn a_span_begins_with_its_first_instant_and_ends_before_its_last() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let later = noon() + chrono::TimeDelta::hours(1);
    plant_answers(&world, &survey.survey_id, 10, 1, noon()).await;
    plant_answers(&world, &survey.survey_id, 0, 1, later).await;
    let within = async |from: Option<DateTime<Utc>>, before: Option<DateTime<Utc>>| {
        let request = pb::GetScoreRequest {
            answered_from_time: from.map(timestamp),
            answered_before_time: before.map(timestamp),
            ..get(&survey.survey_id)
        };
        score(&world, request).await.score
    };
    assert_eq!(within(None, None).await, "0.0000");
    assert_eq!(within(None, Some(later)).await, "100.0000");
    assert_eq!(within(Some(later), None).await, "-100.0000");
    assert_eq!(within(Some(noon()), Some(later)).await, "100.0000");
}

#[tokio::test]
async fn e16_a_trend_has_every_month_by_the_clocks_of_a_place() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    // Half past midnight on 1 April in London's summer is still March in UTC.
    let on_the_edge = "2026-03-31T23:30:00Z".parse().unwrap();
    plant_answers(&world, &survey.survey_id, 10, 1, on_the_edge).await;
    plant_answers(
        &world,
        &survey.survey_id,
        0,
        3,
        "2026-01-15T12:00:00Z".parse().unwrap(),
    )
    .await;
    plant_answers(
        &world,
        &survey.survey_id,
        9,
        1,
        "2026-01-31T23:59:59Z".parse().unwrap(),
    )
    .await;
    // Outside of the trend on either side.
    plant_answers(
        &world,
        &survey.survey_id,
        0,
        7,
        "2025-12-31T23:59:59Z".parse().unwrap(),
    )
    .await;
    plant_answers(
        &world,
        &survey.survey_id,
        0,
        7,
        "2026-05-01T00:00:00Z".parse().unwrap(),
    )
    .await;
    for (time_zone, scores) in [
        ("", ["-50.0000", "", "100.0000", ""]),
        ("Europe/London", ["-50.0000", "", "", "100.0000"]),
    ] {
        let request = pb::GetScoreTrendRequest {
            survey_id: survey.survey_id.clone(),
            from_month: "2026-01".to_owned(),
            to_month: "2026-04".to_owned(),
            time_zone: time_zone.to_owned(),
        };
        let answer = world.shop.client.get_score_trend(request).await.unwrap();
        let months = answer.message.monthly_scores;
        let shown: Vec<_> = months
            .iter()
            .map(|month| {
                let score = month.score.as_ref().expect("a score");
                assert_eq!(score.interval.is_some(), !score.score.is_empty());
                (month.month.as_str(), score.score.as_str())
            })
            .collect();
        let expected: Vec<_> = ["2026-01", "2026-02", "2026-03", "2026-04"]
            .into_iter()
            .zip(scores)
            .collect();
        assert_eq!(shown, expected, "{time_zone}");
    }
}

#[tokio::test]
async fn one_answer_names_everything_that_is_wrong() {
    let world = World::start().await;
    let client = &world.shop.client;
    let request = pb::GetScoreRequest {
        survey_id: "1".to_owned(),
        answered_from_time: Some(prost_types::Timestamp {
            seconds: i64::MAX,
            nanos: 0,
        }),
        answered_before_time: None,
    };
    invalid(
        client.get_score(request).await,
        &["survey_id", "answered_from_time"],
    );
    let trend = |from_month: &str, to_month: &str, time_zone: &str| pb::GetScoreTrendRequest {
        survey_id: new_id(),
        from_month: from_month.to_owned(),
        to_month: to_month.to_owned(),
        time_zone: time_zone.to_owned(),
    };
    invalid(
        client.get_score_trend(trend("2026-13", "", "Mars/Olympus")).await,
        &["from_month", "to_month", "time_zone"],
    );
    invalid(
        client.get_score_trend(trend("2016-01", "2026-01", "")).await,
        &["to_month"],
    );
    invalid(
        client.get_score_trend(trend("2026-02", "2026-01", "")).await,
        &["to_month"],
    );
    refused(
        client.get_score_trend(trend("2026-01", "2026-02", "")).await,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
}
