//! Rewards: added once, changed by those who have read what is there, listed in the order in which they came.

use fealty_proto::rewards::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use prost_types::{FieldMask, Timestamp};
use tonic::Code;

use crate::harness::{
    World, assert_invalid, assert_refused, coded_coffee, coffee, endless_coffee, new_id, points,
};

fn update(reward: pb::Reward, paths: &[&str]) -> pb::UpdateRewardRequest {
    pb::UpdateRewardRequest {
        reward: Some(reward),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(ToString::to_string).collect(),
        }),
    }
}

#[tokio::test]
async fn a_reward_is_added_once_for_each_request() {
    let world = World::start().await;
    let request = pb::CreateRewardRequest {
        request_id: new_id(),
        reward: Some(pb::Reward {
            description: "Black.\nOr white.".to_owned(),
            tier_codes: vec!["gold".to_owned(), "black".to_owned(), "gold".to_owned()],
            per_member_count_max: 3,
            voucher_life_days: 30,
            start_time: Some(Timestamp { seconds: 1, nanos: 0 }),
            ..coffee()
        }),
        stock_count: 7,
    };
    let made = world.client().create_reward(request.clone()).await.unwrap();
    assert!(!made.replayed);
    let made = made.into_message().reward.unwrap();
    assert_eq!((made.stock_left, made.stock_unlimited), (7, false));
    assert_eq!(made.tier_codes, ["black", "gold"]);
    assert_eq!(made.description, "Black.\nOr white.");

    let again = world.client().create_reward(request.clone()).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.into_message().reward.unwrap(), made);
    assert_eq!(world.get_reward(&made.reward_id).await, made);

    let other = pb::CreateRewardRequest {
        stock_count: 8,
        ..request
    };
    let reused = world.client().create_reward(other).await;
    assert_refused(
        "reused",
        reused,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
}

#[tokio::test]
async fn all_that_is_wrong_with_a_reward_is_named_at_once() {
    let world = World::start().await;
    let wrong = pb::CreateRewardRequest {
        request_id: "no".to_owned(),
        reward: Some(pb::Reward {
            display_name: "x".repeat(201),
            description: "x".repeat(2_001),
            price: Some(points(0)),
            status: 0,
            start_time: Some(Timestamp {
                seconds: 2,
                nanos: -1,
            }),
            tier_codes: vec!["Gold".to_owned()],
            per_member_count_max: -1,
            code_source: 9,
            voucher_life_days: 3_651,
            ..pb::Reward::default()
        }),
        stock_count: -1,
    };
    let refused = world.client().create_reward(wrong).await;
    let fields = [
        "request_id",
        "stock_count",
        "reward.display_name",
        "reward.description",
        "reward.price.value",
        "reward.status",
        "reward.start_time",
        "reward.tier_codes[0]",
        "reward.per_member_count_max",
        "reward.voucher_life_days",
        "reward.code_source",
    ];
    assert_invalid("all of it", refused, &fields);

    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let backwards = pb::Reward {
        start_time: at(10),
        end_time: at(10),
        ..coffee()
    };
    let cases = [
        ("backwards", backwards, 0, "reward.end_time"),
        ("endless with a stock", endless_coffee(), 1, "stock_count"),
        ("coded with a stock", coded_coffee(), 1, "stock_count"),
    ];
    for (label, reward, stock_count, field) in cases {
        let request = pb::CreateRewardRequest {
            request_id: new_id(),
            reward: Some(reward),
            stock_count,
        };
        assert_invalid(label, world.client().create_reward(request).await, &[field]);
    }
    let request = pb::CreateRewardRequest {
        request_id: new_id(),
        ..pb::CreateRewardRequest::default()
    };
    assert_invalid(
        "nothing",
        world.client().create_reward(request).await,
        &["reward"],
    );
}

#[tokio::test]
async fn terms_change_for_who_has_read_the_newest() {
    let world = World::start().await;
    let reward = world.reward(5).await;
    let named = pb::Reward {
        display_name: "Tea".to_owned(),
        price: None,
        description: "ignored".to_owned(),
        ..reward.clone()
    };
    let changed = world
        .client()
        .update_reward(update(named.clone(), &["display_name", "price"]))
        .await;
    let changed = changed.unwrap().into_message().reward.unwrap();
    assert_eq!(
        (changed.display_name.as_str(), changed.price.clone()),
        ("Tea", None)
    );
    assert_eq!((changed.description.as_str(), changed.stock_left), ("", 5));
    assert_ne!(changed.etag, reward.etag);

    let stale = world
        .client()
        .update_reward(update(named.clone(), &["display_name"]))
        .await;
    assert_refused("stale", stale, Code::Aborted, ErrorReason::EtagMismatch);
    let whatever = pb::Reward {
        etag: String::new(),
        ..named
    };
    let same = world
        .client()
        .update_reward(update(whatever, &["display_name"]))
        .await;
    assert_eq!(same.unwrap().into_message().reward.unwrap(), changed);

    let dates = pb::Reward {
        start_time: Some(Timestamp {
            seconds: 10,
            nanos: 0,
        }),
        end_time: Some(Timestamp { seconds: 9, nanos: 0 }),
        etag: String::new(),
        ..changed.clone()
    };
    let refused = world
        .client()
        .update_reward(update(dates, &["start_time", "end_time"]))
        .await;
    assert_invalid("dates", refused, &["reward.end_time"]);
    let refused = world
        .client()
        .update_reward(update(changed, &["stock_left"]))
        .await;
    assert_invalid("stock", refused, &["update_mask.paths[0]"]);
    let unknown = pb::Reward {
        reward_id: new_id(),
        ..coffee()
    };
    let refused = world.client().update_reward(update(unknown, &["status"])).await;
    assert_refused("unknown", refused, Code::NotFound, ErrorReason::ResourceNotFound);
}

#[tokio::test]
async fn rewards_are_listed_in_the_order_in_which_they_came() {
    let world = World::start().await;
    let mut made = Vec::new();
    for number in 0..5 {
        let status = if number == 2 {
            pb::RewardStatus::Draft
        } else {
            pb::RewardStatus::Active
        };
        let reward = pb::Reward {
            display_name: format!("Coffee {number}"),
            status: status.into(),
            ..endless_coffee()
        };
        made.push(world.create(reward, 0).await);
        world.clock.advance(chrono::TimeDelta::milliseconds(1));
    }
    for (offered_only, expected) in [(false, vec![0, 1, 2, 3, 4]), (true, vec![0, 1, 3, 4])] {
        let mut request = pb::ListRewardsRequest {
            page_size: 2,
            offered_only,
            ..pb::ListRewardsRequest::default()
        };
        let mut listed = Vec::new();
        loop {
            let page = world
                .client()
                .list_rewards(request.clone())
                .await
                .unwrap()
                .into_message();
            listed.extend(page.rewards);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let expected: Vec<pb::Reward> = expected
            .into_iter()
            .map(|number: usize| made[number].clone())
            .collect();
        assert_eq!(listed, expected);
        // A token is good for its filter only.
        request.offered_only = !offered_only;
        let refused = world.client().list_rewards(request).await;
        assert_refused(
            "other filter",
            refused,
            Code::InvalidArgument,
            ErrorReason::PageTokenInvalid,
        );
    }
}
