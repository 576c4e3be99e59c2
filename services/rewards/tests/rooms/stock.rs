//! Stock: never oversold, never stuck.

use fealty_proto::rewards::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use futures::stream::{self, StreamExt as _};
use tonic::Code;

use crate::harness::{
    PRICE, World, assert_invalid, assert_precondition, assert_refused, coded_coffee, coffee, endless_coffee,
    new_id, redemption_of,
};

/// Racers of one race.
const RACER_COUNT: usize = 1_000;

/// Of them at once: more than there are connections.
const AT_ONCE: usize = 100;

fn adjustment(reward_id: &str, change_count: i64) -> pb::AdjustStockRequest {
    pb::AdjustStockRequest {
        request_id: new_id(),
        reward_id: reward_id.to_owned(),
        change_count,
    }
}

/// Everybody wants one, and asks again while they are only told to wait. Answers how many got one.
async fn race(world: &World, members: &[String], reward_id: &str) -> usize {
    let client = world.client();
    let racing = stream::iter(members).map(|member_id| {
        let client = client.clone();
        async move {
            let request = redemption_of(member_id, reward_id);
            loop {
                match client.redeem_reward(request.clone()).await {
                    Ok(_) => return true,
                    Err(error) if error.code == Code::FailedPrecondition => {
                        assert_eq!(error.reason, Some(ErrorReason::OutOfStock), "{error:?}");
                        return false;
                    }
                    Err(error) => assert!(
                        matches!(
                            error.code,
                            Code::Aborted | Code::ResourceExhausted | Code::Unavailable
                        ),
                        "{error:?}"
                    ),
                }
            }
        }
    });
    let got: Vec<bool> = racing.buffer_unordered(AT_ONCE).collect().await;
    got.into_iter().filter(|got| *got).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_racers_get_exactly_what_there_is() {
    let world = World::start().await;
    let reward = world
        .create(
            pb::Reward {
                price: None,
                ..coffee()
            },
            25,
        )
        .await;
    let members: Vec<String> = (0..RACER_COUNT).map(|_| world.member(0)).collect();
    assert_eq!(race(&world, &members, &reward.reward_id).await, 25);
    assert_eq!(world.get_reward(&reward.reward_id).await.stock_left, 0);
    assert_eq!(world.count("SELECT count(*) FROM voucher").await, 25);
    let open = world
        .count("SELECT count(*) FROM redemption WHERE lease_time IS NOT NULL")
        .await;
    assert_eq!(open, 0);
    assert_eq!(
        world
            .count("SELECT sum(redemption_count)::bigint FROM member_reward")
            .await,
        25
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racers_for_codes_get_one_each_and_pay_for_what_they_get() {
    let world = World::start().await;
    let reward = world.create(coded_coffee(), 0).await;
    let codes: Vec<String> = (0..20).map(|number| format!("CODE-{number:02}")).collect();
    world.add_codes(&reward.reward_id, &codes).await.unwrap();
    let members: Vec<String> = (0..200).map(|_| world.member(PRICE)).collect();
    assert_eq!(race(&world, &members, &reward.reward_id).await, 20);
    assert_eq!(world.count("SELECT count(DISTINCT code) FROM voucher").await, 20);
    let paid = members
        .iter()
        .filter(|member_id| world.ledger.balance(member_id) == (0, 0))
        .count();
    let kept = members
        .iter()
        .filter(|member_id| world.ledger.balance(member_id) == (PRICE, 0))
        .count();
    assert_eq!((paid, kept), (20, 180));
    crate::books::assert_codes_agree(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_per_member_holds_under_races() {
    let world = World::start().await;
    let reward = pb::Reward {
        per_member_count_max: 3,
        ..endless_coffee()
    };
    let reward = world.create(reward, 0).await;
    let member_id = world.member(50 * PRICE);
    let attempts = (0..50).map(|_| world.redeem(&member_id, &reward.reward_id));
    let results = futures::future::join_all(attempts).await;
    let redeemed_count = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(redeemed_count, 3);
    assert_eq!(world.ledger.balance(&member_id), (47 * PRICE, 0));
    let refused = world.redeem(&member_id, &reward.reward_id).await;
    let refused = assert_precondition("limit", refused, ErrorReason::RedemptionLimitReached);
    assert_eq!(refused.value("count_max"), Some("3"));
}

#[tokio::test]
async fn stock_comes_and_goes_once_for_each_request() {
    let world = World::start().await;
    let reward = world.reward(5).await;
    let request = adjustment(&reward.reward_id, 3);
    for replayed in [false, true] {
        let adjusted = world.client().adjust_stock(request.clone()).await.unwrap();
        assert_eq!(adjusted.replayed, replayed);
        assert_eq!(adjusted.into_message().reward.unwrap().stock_left, 8);
    }
    let gone = world
        .client()
        .adjust_stock(adjustment(&reward.reward_id, -8))
        .await
        .unwrap();
    let gone = gone.into_message().reward.unwrap();
    // The terms are the same, and so is the etag.
    assert_eq!((gone.stock_left, gone.etag), (0, reward.etag.clone()));
    let refused = world
        .client()
        .adjust_stock(adjustment(&reward.reward_id, -1))
        .await;
    assert_precondition("below nothing", refused, ErrorReason::OutOfStock);

    let member_id = world.member(PRICE);
    let refused = world.redeem(&member_id, &reward.reward_id).await;
    assert_precondition("nothing left", refused, ErrorReason::OutOfStock);
    assert_eq!(
        world.ledger.call_count(),
        0,
        "who can have nothing is not charged first"
    );
}

#[tokio::test]
async fn only_a_stock_that_is_counted_is_adjusted() {
    let world = World::start().await;
    for reward in [endless_coffee(), coded_coffee()] {
        let reward = world.create(reward, 0).await;
        assert!(reward.stock_unlimited);
        let refused = world
            .client()
            .adjust_stock(adjustment(&reward.reward_id, 1))
            .await;
        assert_invalid("not counted", refused, &["reward_id"]);
    }
    let counted = world.reward(1).await;
    let refused = world
        .client()
        .adjust_stock(adjustment(&counted.reward_id, i64::MAX))
        .await;
    assert_invalid("too many", refused, &["change_count"]);
    let refused = world.client().adjust_stock(adjustment("", 0)).await;
    assert_invalid("nothing", refused, &["reward_id", "change_count"]);
    let refused = world.client().adjust_stock(adjustment(&new_id(), 1)).await;
    assert_refused("unknown", refused, Code::NotFound, ErrorReason::ResourceNotFound);
}
