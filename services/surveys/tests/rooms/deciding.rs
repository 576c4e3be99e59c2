//! The decision about a contact: made once, by whichever replica, and not lost while members is away.

use chrono::TimeDelta;
use fealty_proto::surveys::v1 as pb;

use crate::events::decided;
use crate::harness::{World, after_purchases, eventually, new_id, plain};
use crate::ledger::purchase;
use crate::members::Says;

/// Purchases that all ask at once: some steps of the job.
const PURCHASE_COUNT: usize = 60;

#[tokio::test]
async fn two_replicas_decide_about_each_invitation_once() {
    let world = World::start().await;
    let _replica = world.start_replica().await;
    let survey = world.open_survey(after_purchases(), plain()).await;
    for _ in 0..PURCHASE_COUNT {
        let program = world.shop.program.to_string();
        world
            .ledger
            .tell(purchase(&program, &new_id(), 1_000, world.now()));
    }
    eventually("all are decided", async || {
        let request = pb::ListInvitationsRequest {
            survey_id: survey.survey_id.clone(),
            page_size: 1_000,
            ..pb::ListInvitationsRequest::default()
        };
        let listed = world.shop.client.list_invitations(request).await.unwrap();
        let invitations = listed.message.invitations;
        let is_due = |one: &pb::Invitation| one.status() == pb::InvitationStatus::Due;
        (invitations.len() == PURCHASE_COUNT && invitations.iter().all(is_due)).then_some(())
    })
    .await;
    assert_eq!(world.members.counted(), PURCHASE_COUNT);
    let asked = world.members.asked();
    assert_eq!(
        asked.len(),
        PURCHASE_COUNT,
        "what one replica has taken, the other leaves alone"
    );
    assert_eq!(decided(&world, PURCHASE_COUNT).await.len(), PURCHASE_COUNT);
}

#[tokio::test]
async fn an_invitation_that_nothing_was_heard_about_is_taken_again_after_its_lease() {
    let world = World::start().await;
    let survey = world.open_survey(after_purchases(), plain()).await;
    world.members.say(Says::Broken);
    let program = world.shop.program.to_string();
    world
        .ledger
        .tell(purchase(&program, &new_id(), 1_000, world.now()));
    eventually("members was asked", async || {
        (!world.members.asked().is_empty()).then_some(())
    })
    .await;
    world.members.say(Says::Yes);
    // As long as the lease runs, nobody else takes it.
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    let planned = world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Planned)
        .await;
    let asked_before = world.members.asked();
    world.pass(TimeDelta::seconds(30));
    let due = world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Due)
        .await;
    assert_eq!(due.invitation_id, planned.invitation_id);
    assert_eq!(due.due_time, planned.due_time);
    let asked = world.members.asked();
    assert_eq!(
        asked.last().map(|asked| &asked.question),
        asked_before.first().map(|asked| &asked.question),
        "it is the same question, so that a contact is counted once"
    );
    assert_eq!(decided(&world, 1).await.len(), 1);
}

#[tokio::test]
async fn what_passes_its_end_undecided_is_asked_about_no_more() {
    let world = World::start().await;
    let survey = world.open_survey(after_purchases(), plain()).await;
    world.members.say(Says::Broken);
    let program = world.shop.program.to_string();
    world
        .ledger
        .tell(purchase(&program, &new_id(), 1_000, world.now()));
    eventually("members was asked", async || {
        (!world.members.asked().is_empty()).then_some(())
    })
    .await;
    world.members.say(Says::Yes);
    world.pass(TimeDelta::days(15));
    world
        .one_invitation(&survey.survey_id, pb::InvitationStatus::Expired)
        .await;
    eventually("it is set aside", async || {
        let waiting: i64 =
            sqlx::query_scalar("SELECT count(*) FROM invitation WHERE decide_after IS NOT NULL")
                .fetch_one(&world.database.jobs)
                .await
                .unwrap();
        (waiting == 0).then_some(())
    })
    .await;
    assert_eq!(world.members.counted(), 0);
    let told: i64 = sqlx::query_scalar("SELECT count(*) FROM event")
        .fetch_one(&world.database.jobs)
        .await
        .unwrap();
    assert_eq!(told, 0);
}
