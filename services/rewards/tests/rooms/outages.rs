//! The ledger and members that do not answer, and answers that are lost on the wire.

use fealty_proto::rewards::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_rewards::redemptions::fault::Faults;
use fealty_testing::Proxy;
use tonic::Code;

use crate::books::{Case, assert_member_agrees, redemptions_of, settle};
use crate::harness::{PAST_EVERY_LEASE, PRICE, World, assert_refused, redemption_of};

fn case(label: &str, member_id: &str, reward: &pb::Reward) -> Case {
    Case {
        label: label.to_owned(),
        member_id: member_id.to_owned(),
        reward_id: reward.reward_id.clone(),
        funds: PRICE,
        priced: true,
    }
}

#[tokio::test]
async fn without_members_nothing_begins() {
    let world = World::start().await;
    let reward = world.reward(1).await;
    let member_id = world.member(PRICE);
    world.members.set_away(true);
    let refused = world.redeem(&member_id, &reward.reward_id).await;
    let refused = assert_refused(
        "away",
        refused,
        Code::Unavailable,
        ErrorReason::DependencyUnavailable,
    );
    assert_eq!(refused.value("dependency"), Some("members"));
    assert_eq!(redemptions_of(&world, &member_id).await, []);
}

#[tokio::test]
async fn a_ledger_that_comes_back_finds_the_caller_who_tries_again() {
    let world = World::start().await;
    let reward = world.reward(1).await;
    let member_id = world.member(PRICE);
    let request = redemption_of(&member_id, &reward.reward_id);
    world.ledger.set_away(true);
    let refused = world.client().redeem_reward(request.clone()).await;
    let refused = assert_refused(
        "away",
        refused,
        Code::Unavailable,
        ErrorReason::DependencyUnavailable,
    );
    assert_eq!(refused.value("dependency"), Some("ledger"));
    let pending = &redemptions_of(&world, &member_id).await[0];
    assert_eq!(pending.status(), pb::RedemptionStatus::Pending);

    world.ledger.set_away(false);
    let redeemed = world.client().redeem_reward(request).await.unwrap();
    assert!(redeemed.replayed);
    assert_eq!(
        assert_member_agrees(&world, &case("again", &member_id, &reward)).await,
        1
    );
}

#[tokio::test]
async fn a_redemption_waits_for_a_ledger_that_is_away_and_is_then_undone_by_itself() {
    let world = World::start().await;
    let reward = world.reward(1).await;
    let member_id = world.member(PRICE);
    world.ledger.set_away(true);
    let refused = world.redeem(&member_id, &reward.reward_id).await;
    assert_eq!(refused.unwrap_err().code, Code::Unavailable);
    let before = world.ledger.call_count();
    world.clock.advance(PAST_EVERY_LEASE);
    // Taken over, and the ledger still does not say whether it holds anything.
    crate::harness::eventually("a takeover", async || {
        (world.ledger.call_count() > before).then_some(())
    })
    .await;
    let pending = &redemptions_of(&world, &member_id).await[0];
    assert_eq!(pending.status(), pb::RedemptionStatus::Pending);

    world.ledger.set_away(false);
    world.clock.advance(PAST_EVERY_LEASE);
    settle(&world).await;
    assert_eq!(
        assert_member_agrees(&world, &case("by itself", &member_id, &reward)).await,
        0
    );
    assert_eq!(world.get_reward(&reward.reward_id).await.stock_left, 1);
}

#[tokio::test]
async fn an_answer_of_the_ledger_that_is_lost_spends_nothing_twice() {
    let world = World::start().await;
    let (proxy, endpoint) = Proxy::in_front_of(&world.config.ledger.endpoint).await;
    let mut config = world.config.clone();
    config.ledger.endpoint = endpoint;
    let replica = world.start_replica_with(&config, Faults::default()).await;
    let client = world.client_at(&replica);
    for method in ["HoldPoints", "CaptureHold"] {
        let reward = world.reward(1).await;
        let member_id = world.member(PRICE);
        proxy.lose_answer_to(method.as_bytes());
        let request = redemption_of(&member_id, &reward.reward_id);
        // Whether the loss shows or the call is made again by itself, the same request comes to its end.
        let first = client.redeem_reward(request.clone()).await;
        let again = client.redeem_reward(request).await.unwrap();
        assert!(again.replayed, "{first:?}");
        assert_eq!(
            assert_member_agrees(&world, &case(method, &member_id, &reward)).await,
            1
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_asks_many_times_at_once_gets_one() {
    let world = World::start().await;
    let replica = world.start_replica(Faults::default()).await;
    let reward = world.reward(5).await;
    let member_id = world.member(PRICE);
    let request = redemption_of(&member_id, &reward.reward_id);
    let clients = [world.client(), world.client_at(&replica)];
    let asking = (0..20).map(|number| clients[number % 2].redeem_reward(request.clone()));
    let answers = futures::future::join_all(asking).await;
    let redemptions: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("all are answered").into_message().redemption)
        .collect();
    assert!(redemptions.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(
        assert_member_agrees(&world, &case("at once", &member_id, &reward)).await,
        1
    );
    assert_eq!(world.get_reward(&reward.reward_id).await.stock_left, 4);
}
