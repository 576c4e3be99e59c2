//! What this service tells others, over its feed.

use std::time::Duration;

use fealty_client::EventsClient;
use fealty_proto::events::v1 as pb;
use fealty_proto::events::v1::event::Payload;
use tokio::time::{Instant, timeout_at};

use crate::harness::{PATIENCE, World, by_hand, client_config, new_id, plain};
use crate::members::Says;

/// How long a feed that has told all that a test waits for is listened to, for what should not come.
const AFTERWARDS: Duration = Duration::from_millis(1_500);

/// Waits until the feed has told the shop that many events, and listens a while for more.
pub async fn told(world: &World, count: usize) -> Vec<pb::Event> {
    let client = EventsClient::try_new(&client_config(&world.serving, &world.shop.key)).expect("a client");
    let mut stream = client.watch(pb::WatchEventsRequest::default());
    let mut told = Vec::new();
    let mut end = Instant::now() + PATIENCE;
    while let Ok(answer) = timeout_at(end, stream.next()).await {
        let was_short = told.len() < count;
        // An answer without events moves the token only, also while an event waits for older transactions to end.
        told.extend(answer.expect("the feed goes on").events);
        if was_short && told.len() >= count {
            end = Instant::now() + AFTERWARDS;
        }
    }
    told
}

/// The decisions among all that the feed tells, once it has told that many events.
pub async fn decided(world: &World, count: usize) -> Vec<pb::InvitationDecided> {
    let told = told(world, count).await.into_iter();
    told.filter_map(|event| match event.payload {
        Some(Payload::InvitationDecided(decided)) => Some(decided),
        _ => None,
    })
    .collect()
}

#[tokio::test]
async fn a_decision_and_an_answer_are_told_in_their_order_and_without_what_was_said() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    let member_id = new_id();
    let (invitation, token) = world.invited(&survey.survey_id, &member_id).await;
    let answer = world.submit(&token, 3, "").await.unwrap().message;

    let told = told(&world, 2).await;
    assert_eq!(told.len(), 2, "{told:?}");
    for (index, event) in told.iter().enumerate() {
        assert_eq!(event.subject_id, member_id);
        assert_eq!(event.program_id, world.shop.program.to_string());
        assert_eq!(event.version, i64::try_from(index).unwrap() + 1);
    }
    assert_eq!(
        told[0].payload,
        Some(Payload::InvitationDecided(pb::InvitationDecided {
            invitation_id: invitation.invitation_id,
            survey_id: survey.survey_id.clone(),
            due: true,
        }))
    );
    assert_eq!(
        told[1].payload,
        Some(Payload::SurveyAnswered(pb::SurveyAnswered {
            answer_id: answer.answer_id,
            survey_id: survey.survey_id,
            survey_version: 1,
        }))
    );
}

#[tokio::test]
async fn a_suppressed_invitation_is_told_and_one_that_is_put_off_is_not() {
    let world = World::start().await;
    let survey = world.open_survey(by_hand(), plain()).await;
    world.members.say(Says::OptedOut);
    world.invite(&survey.survey_id, &new_id()).await.unwrap();
    let later = world.now() + chrono::TimeDelta::days(1);
    world.members.say(Says::NotBefore(later));
    world.invite(&survey.survey_id, &new_id()).await.unwrap();
    let decided = decided(&world, 1).await;
    assert_eq!(decided.len(), 1);
    assert!(!decided[0].due);
}
