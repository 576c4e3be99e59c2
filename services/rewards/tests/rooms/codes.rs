//! Codes that programs bring along: all of a call or none, each for one voucher.

use fealty_proto::rewards::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use tonic::Code;

use crate::harness::{
    PRICE, World, assert_invalid, assert_precondition, assert_refused, coded_coffee, coffee, endless_coffee,
    new_id,
};

fn texts(codes: &[&str]) -> Vec<String> {
    codes.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn the_pool_is_the_stock() {
    let world = World::start().await;
    let reward = world.create(coded_coffee(), 0).await;
    let member_id = world.member(2 * PRICE);
    let refused = world.redeem(&member_id, &reward.reward_id).await;
    assert_precondition("empty", refused, ErrorReason::OutOfStock);

    let added = world
        .add_codes(&reward.reward_id, &texts(&["summer-24"]))
        .await
        .unwrap();
    assert_eq!(added.into_message().reward.unwrap().stock_left, 1);
    let redeemed = world
        .redeem(&member_id, &reward.reward_id)
        .await
        .unwrap()
        .into_message();
    let voucher = redeemed.voucher.unwrap();
    assert_eq!(voucher.code, "summer-24");
    assert_eq!(world.get_reward(&reward.reward_id).await.stock_left, 0);

    // A program's own code is found exactly as it is.
    let lookup = |code: &str| pb::LookupVoucherRequest {
        code: code.to_owned(),
    };
    let found = world
        .client()
        .lookup_voucher(lookup(" summer-24 "))
        .await
        .unwrap();
    assert_eq!(found.into_message().voucher.unwrap(), voucher);
    for other in ["SUMMER-24", "summer24"] {
        let refused = world.client().lookup_voucher(lookup(other)).await;
        assert_refused(other, refused, Code::NotFound, ErrorReason::ResourceNotFound);
    }
}

#[tokio::test]
async fn codes_are_added_all_or_none() {
    let world = World::start().await;
    let reward = world.create(coded_coffee(), 0).await;
    let other = world.create(coded_coffee(), 0).await;
    world
        .add_codes(&reward.reward_id, &texts(&["aaaa", "bbbb"]))
        .await
        .unwrap();

    let refused = world
        .add_codes(&other.reward_id, &texts(&["cccc", "bbbb", "dddd"]))
        .await;
    let refused = assert_refused("known", refused, Code::AlreadyExists, ErrorReason::CodeExists);
    assert_eq!(
        (refused.value("resource"), refused.value("index")),
        (Some("code"), Some("1"))
    );
    assert_eq!(world.get_reward(&other.reward_id).await.stock_left, 0);
    assert_eq!(world.count("SELECT count(*) FROM reward_code").await, 2);

    let request = pb::AddCodesRequest {
        request_id: new_id(),
        reward_id: other.reward_id.clone(),
        codes: texts(&["cccc"]),
    };
    for replayed in [false, true] {
        let added = world.client().add_codes(request.clone()).await.unwrap();
        assert_eq!(added.replayed, replayed);
        assert_eq!(added.into_message().reward.unwrap().stock_left, 1);
    }
}

#[tokio::test]
async fn a_code_that_is_on_a_voucher_already_is_no_new_one() {
    let world = World::start().await;
    let voucher = world.voucher(endless_coffee()).await;
    let bare = voucher.code.replace('-', "");
    let reward = world.create(coded_coffee(), 0).await;
    let refused = world.add_codes(&reward.reward_id, &[bare]).await;
    assert_refused("generated", refused, Code::AlreadyExists, ErrorReason::CodeExists);
}

#[tokio::test]
async fn every_bad_code_is_named() {
    let world = World::start().await;
    let reward = world.create(coded_coffee(), 0).await;
    let refused = world
        .add_codes(&reward.reward_id, &texts(&["abc", "good-1", "no space", ""]))
        .await;
    assert_invalid("form", refused, &["codes[0]", "codes[2]", "codes[3]"]);
    let refused = world
        .add_codes(&reward.reward_id, &texts(&["aaaa", "bbbb", "aaaa"]))
        .await;
    assert_invalid("twice", refused, &["codes[2]"]);
    let refused = world.add_codes("no", &[]).await;
    assert_invalid("none", refused, &["reward_id", "codes"]);
    let too_many: Vec<String> = (0..10_001).map(|number| format!("code-{number}")).collect();
    let refused = world.add_codes(&reward.reward_id, &too_many).await;
    assert_invalid("too many", refused, &["codes"]);
    let generated = world.create(coffee(), 1).await;
    let refused = world.add_codes(&generated.reward_id, &texts(&["aaaa"])).await;
    assert_invalid("generated", refused, &["reward_id"]);
}

#[tokio::test]
async fn ten_thousand_codes_are_added_in_one_call() {
    let world = World::start().await;
    let reward = world.create(coded_coffee(), 0).await;
    let codes: Vec<String> = (0..10_000).map(|number| format!("{number:064}")).collect();
    let added = world.add_codes(&reward.reward_id, &codes).await.unwrap();
    assert_eq!(added.into_message().reward.unwrap().stock_left, 10_000);
}
