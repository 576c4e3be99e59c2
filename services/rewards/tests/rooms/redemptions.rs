//! Redemptions as a caller sees them: quoted, redeemed once for each request, refused with a reason.

use chrono::TimeDelta;
use fealty_proto::members::v1::MemberStatus;
use fealty_proto::rewards::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_types::Clock as _;
use prost_types::Timestamp;
use tonic::Code;

use crate::books::{Case, assert_member_agrees, redemptions_of};
use crate::harness::{
    PRICE, World, assert_invalid, assert_precondition, assert_refused, coffee, endless_coffee, new_id,
    points, redemption_of,
};

async fn quote(world: &World, member_id: &str, reward_id: &str) -> pb::QuoteRedemptionResponse {
    let request = pb::QuoteRedemptionRequest {
        member_id: member_id.to_owned(),
        reward_id: reward_id.to_owned(),
    };
    world
        .client()
        .quote_redemption(request)
        .await
        .expect("a quote")
        .into_message()
}

#[tokio::test]
async fn a_reward_is_redeemed_once_for_each_request() {
    let world = World::start().await;
    let reward = world.reward(2).await;
    let member_id = world.member(3 * PRICE);
    let request = pb::RedeemRewardRequest {
        expected_price: Some(points(PRICE)),
        ..redemption_of(&member_id, &reward.reward_id)
    };
    let redeemed = world.client().redeem_reward(request.clone()).await.unwrap();
    assert!(!redeemed.replayed);
    let (redemption, voucher) = (
        redeemed.message.redemption.unwrap(),
        redeemed.message.voucher.unwrap(),
    );
    assert_eq!(redemption.status(), pb::RedemptionStatus::Redeemed);
    assert_eq!(redemption.price, Some(points(PRICE)));
    assert_eq!(
        (&redemption.voucher_id, &redemption.redemption_id),
        (&voucher.voucher_id, &voucher.redemption_id)
    );

    // The answer does not depend on members or the ledger any more.
    world.members.set_away(true);
    world.ledger.set_away(true);
    let again = world.client().redeem_reward(request.clone()).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.message.redemption, Some(redemption.clone()));
    let other = pb::RedeemRewardRequest {
        member_id: new_id(),
        ..request
    };
    let reused = world.client().redeem_reward(other).await;
    assert_refused(
        "reused",
        reused,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
    world.members.set_away(false);
    world.ledger.set_away(false);

    let got = pb::GetRedemptionRequest {
        redemption_id: redemption.redemption_id.clone(),
    };
    let got = world
        .client()
        .get_redemption(got)
        .await
        .unwrap()
        .into_message()
        .redemption;
    assert_eq!(got, Some(redemption));
    let case = Case {
        label: "redeemed".to_owned(),
        member_id,
        reward_id: reward.reward_id.clone(),
        funds: 3 * PRICE,
        priced: true,
    };
    assert_eq!(assert_member_agrees(&world, &case).await, 1);
    assert_eq!(world.get_reward(&reward.reward_id).await.stock_left, 1);
}

#[tokio::test]
async fn a_free_reward_needs_no_ledger() {
    let world = World::start().await;
    let free = pb::Reward {
        price: None,
        ..coffee()
    };
    let reward = world.create(free, 1).await;
    let member_id = world.member(0);
    world.ledger.set_away(true);
    let quoted = quote(&world, &member_id, &reward.reward_id).await;
    assert!(quoted.redeemable && quoted.price.is_none());
    let redeemed = world
        .redeem(&member_id, &reward.reward_id)
        .await
        .unwrap()
        .into_message();
    assert_eq!(redeemed.redemption.unwrap().price, None);
    assert_eq!(world.ledger.call_count(), 0);
}

#[tokio::test]
async fn who_is_told_another_price_pays_nothing() {
    let world = World::start().await;
    let reward = world.reward(1).await;
    let member_id = world.member(3 * PRICE);
    let request = pb::RedeemRewardRequest {
        expected_price: Some(points(PRICE - 1)),
        ..redemption_of(&member_id, &reward.reward_id)
    };
    let refused = world.client().redeem_reward(request.clone()).await;
    let refused = assert_precondition("price", refused, ErrorReason::PriceChanged);
    assert_eq!(
        (refused.value("unit_code"), refused.value("value")),
        (Some("points"), Some("100"))
    );
    assert_eq!(redemptions_of(&world, &member_id).await, []);
    assert_eq!(world.ledger.balance(&member_id), (3 * PRICE, 0));
}

#[tokio::test]
async fn who_has_too_few_points_keeps_them_and_is_told_how_many() {
    let world = World::start().await;
    let limited = pb::Reward {
        per_member_count_max: 1,
        ..coffee()
    };
    let reward = world.create(limited, 1).await;
    let member_id = world.member(PRICE - 30);
    let quoted = quote(&world, &member_id, &reward.reward_id).await;
    assert_eq!((quoted.redeemable, quoted.missing_value), (false, 30));
    assert_eq!(quoted.refusal_reason, "INSUFFICIENT_BALANCE");

    let request = redemption_of(&member_id, &reward.reward_id);
    for _ in 0..2 {
        let refused = world.client().redeem_reward(request.clone()).await;
        let refused = assert_precondition("points", refused, ErrorReason::InsufficientBalance);
        assert_eq!(
            (refused.value("available"), refused.value("required")),
            (Some("70"), Some("100"))
        );
    }
    let undone = &redemptions_of(&world, &member_id).await[0];
    assert_eq!(undone.status(), pb::RedemptionStatus::Undone);
    assert_eq!(undone.failure_reason, "INSUFFICIENT_BALANCE");

    // It is as if it had never begun: the limit is not used up, and with a new request id it goes well.
    world.ledger.credit(&member_id, 30);
    world.redeem(&member_id, &reward.reward_id).await.unwrap();
}

/// B8: a reward of a club is for its members, and refused to others.
#[tokio::test]
async fn b8_a_reward_of_a_club_is_refused_to_whoever_is_not_in_it() {
    let world = World::start().await;
    let reward = pb::Reward {
        tier_codes: vec!["regulars".to_owned()],
        ..endless_coffee()
    };
    let reward = world.create(reward, 0).await;
    let (ana, vera) = (world.member(PRICE), world.member(PRICE));
    world.members.enrol(&ana, "");
    world.members.enrol(&vera, "silver");
    world.members.climb(&ana, "status", "gold");
    world.members.climb(&ana, "club", "regulars");
    world.members.climb(&vera, "status", "gold");
    let refused = world.redeem(&vera, &reward.reward_id).await;
    let refused = assert_precondition("no club", refused, ErrorReason::NotEligible);
    assert_eq!(refused.value("tier_code"), Some("silver,gold"));
    world.redeem(&ana, &reward.reward_id).await.unwrap();
}

#[tokio::test]
async fn a_reward_is_for_active_members_of_its_tiers_within_its_dates() {
    let world = World::start().await;
    let now = world.clock.now().timestamp();
    let reward = pb::Reward {
        tier_codes: vec!["gold".to_owned()],
        start_time: Some(Timestamp {
            seconds: now + 10,
            nanos: 0,
        }),
        end_time: Some(Timestamp {
            seconds: now + 20,
            nanos: 0,
        }),
        ..endless_coffee()
    };
    let reward = world.create(reward, 0).await;
    let (gold, silver, suspended) = (world.member(PRICE), world.member(PRICE), world.member(PRICE));
    world.members.enrol(&gold, "gold");
    world.members.enrol(&silver, "silver");
    world.members.enrol(&suspended, "gold");
    world.members.set_status(&suspended, MemberStatus::Suspended);
    let refused = async |label: &str, member_id: &str, reason: ErrorReason| {
        let quoted = quote(&world, member_id, &reward.reward_id).await;
        let name = reason.as_str_name().trim_start_matches("ERROR_REASON_");
        assert_eq!(
            (quoted.redeemable, quoted.refusal_reason.as_str()),
            (false, name),
            "{label}"
        );
        let refused = world.redeem(member_id, &reward.reward_id).await;
        assert_precondition(label, refused, reason)
    };
    refused("before", &gold, ErrorReason::RewardUnavailable).await;
    world.clock.advance(TimeDelta::seconds(10));
    let status = refused("suspended", &suspended, ErrorReason::MemberNotActive).await;
    assert_eq!(status.value("status"), Some("SUSPENDED"));
    let tier = refused("silver", &silver, ErrorReason::NotEligible).await;
    assert_eq!(tier.value("tier_code"), Some("silver"));
    assert!(quote(&world, &gold, &reward.reward_id).await.redeemable);
    world.redeem(&gold, &reward.reward_id).await.unwrap();
    world.clock.advance(TimeDelta::seconds(10));
    refused("after", &gold, ErrorReason::RewardUnavailable).await;

    let nobody = world.redeem(&new_id(), &reward.reward_id).await;
    let nobody = assert_refused("nobody", nobody, Code::NotFound, ErrorReason::ResourceNotFound);
    assert_eq!(nobody.value("resource"), Some("member"));
    let nothing = world.redeem(&gold, &new_id()).await;
    assert_refused("nothing", nothing, Code::NotFound, ErrorReason::ResourceNotFound);
}

#[tokio::test]
async fn c17_what_was_issued_stays_when_the_reward_ends() {
    let world = World::start().await;
    let voucher = world.voucher(endless_coffee()).await;
    let ended = pb::UpdateRewardRequest {
        reward: Some(pb::Reward {
            reward_id: voucher.reward_id.clone(),
            status: pb::RewardStatus::Ended.into(),
            voucher_life_days: 1,
            ..pb::Reward::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["status".to_owned(), "voucher_life_days".to_owned()],
        }),
    };
    world.client().update_reward(ended).await.unwrap();
    world.clock.advance(TimeDelta::days(300));
    let found = world
        .client()
        .lookup_voucher(pb::LookupVoucherRequest {
            code: voucher.code.clone(),
        })
        .await;
    assert_eq!(found.unwrap().into_message().voucher.unwrap(), voucher);
}

#[tokio::test]
async fn a_members_redemptions_are_listed_newest_first() {
    let world = World::start().await;
    let reward = world.create(endless_coffee(), 0).await;
    let member_id = world.member(3 * PRICE);
    let mut begun = Vec::new();
    for _ in 0..3 {
        let redeemed = world
            .redeem(&member_id, &reward.reward_id)
            .await
            .unwrap()
            .into_message();
        begun.insert(0, redeemed.redemption.unwrap());
        world.clock.advance(TimeDelta::milliseconds(1));
    }
    let mut request = pb::ListRedemptionsRequest {
        member_id,
        page_size: 2,
        ..pb::ListRedemptionsRequest::default()
    };
    let first = world
        .client()
        .list_redemptions(request.clone())
        .await
        .unwrap()
        .into_message();
    request.page_token = first.next_page_token;
    let second = world
        .client()
        .list_redemptions(request)
        .await
        .unwrap()
        .into_message();
    assert_eq!([first.redemptions, second.redemptions].concat(), begun);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_redemption_is_named_at_once() {
    let world = World::start().await;
    let wrong = pb::RedeemRewardRequest {
        request_id: "1".to_owned(),
        member_id: String::new(),
        reward_id: "2".to_owned(),
        expected_price: Some(fealty_proto::types::v1::Amount {
            unit_code: "P".to_owned(),
            value: -1,
        }),
    };
    let refused = world.client().redeem_reward(wrong).await;
    let fields = [
        "request_id",
        "member_id",
        "reward_id",
        "expected_price.unit_code",
        "expected_price.value",
    ];
    assert_invalid("redeem", refused, &fields);
    let refused = world
        .client()
        .quote_redemption(pb::QuoteRedemptionRequest::default())
        .await;
    assert_invalid("quote", refused, &["member_id", "reward_id"]);
    let refused = world
        .client()
        .get_redemption(pb::GetRedemptionRequest::default())
        .await;
    assert_invalid("get", refused, &["redemption_id"]);
}
