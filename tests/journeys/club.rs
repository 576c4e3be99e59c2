//! A club by what is bought: the ledger tells members, and rewards asks members.

use std::time::Duration;

use fealty_client::CallError;
use fealty_proto::ledger::v1::RefundPurchaseRequest;
use fealty_proto::ledger::v1::refund_purchase_request::Target;
use fealty_proto::members::v1::qualification::{Measure, Period};
use fealty_proto::members::v1::{
    Benefit, CheckEntitlementRequest, EvaluateLadderRequest, GetMemberTiersRequest, Ladder, Member,
    PublishLadderRequest, Qualification, Tier, TierLanding, TierStanding,
};
use fealty_proto::rewards::v1::{CodeSource, CreateRewardRequest, RedeemRewardRequest, Reward, RewardStatus};
use fealty_proto::types::v1::ErrorReason;
use fealty_tests::bounded::within;
use fealty_tests::shop::{CURRENCY, Shop, money, purchase, request_id};
use tokio::time::sleep;

use crate::suite;

const BOUND: Duration = Duration::from_mins(3);

/// What it takes to be in the club.
const THRESHOLD: i64 = 10_000;

/// B8: 9,999 spent is not enough for a club of 10,000, and its rewards are refused; with one more they are given; and what
/// is refunded takes the club with it.
#[tokio::test(flavor = "multi_thread")]
async fn b8_who_has_spent_enough_is_in_the_club_and_gets_what_others_are_refused() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        shop.members.publish_ladder(club()).await.expect("published");
        let reward = offer(&shop).await;
        let member = shop.enrol(vec![]).await;
        buy(&shop, &member, THRESHOLD - 1).await;
        let before = standing_at(&shop, &member, THRESHOLD - 1).await;
        assert_eq!((before.tier_code.as_str(), before.remaining), ("", 1));
        let refused = redeem(&shop, &member, &reward)
            .await
            .expect_err("no member of the club");
        assert_eq!(refused.reason, Some(ErrorReason::NotEligible));

        let last = buy(&shop, &member, 1).await;
        let after = standing_at(&shop, &member, THRESHOLD).await;
        assert_eq!(after.tier_code, "regulars");
        redeem(&shop, &member, &reward).await.expect("redeemed");
        assert!(is_entitled(&shop, &member).await);

        let mut evaluation = shop.members.evaluate_ladder(EvaluateLadderRequest {
            ladder: club().ladder,
            sample_count: 1,
        });
        let mut done = false;
        while let Some(progress) = evaluation.next().await.expect("an answer") {
            done = progress.done;
            assert_eq!((progress.member_count, progress.staying_count), (1, 1));
        }
        assert!(done);

        let refund = RefundPurchaseRequest {
            request_id: request_id(),
            target: Some(Target::PurchaseId(last)),
            source: "till-4".to_owned(),
            receipt_id: request_id(),
            money: money(1),
            ..RefundPurchaseRequest::default()
        };
        shop.ledger.refund_purchase(refund).await.expect("refunded");
        let refunded = standing_at(&shop, &member, THRESHOLD - 1).await;
        assert_eq!(refunded.tier_code, "");
        assert!(!is_entitled(&shop, &member).await);
    })
    .await;
}

fn club() -> PublishLadderRequest {
    let how = Qualification {
        measure: Some(Measure::SpendCurrencyCode(CURRENCY.to_owned())),
        period: Some(Period::SinceJoining(true)),
        landing: TierLanding::ByBalance.into(),
        ..Qualification::default()
    };
    let manager = Benefit {
        benefit_code: "personal-manager".to_owned(),
        description: "Somebody who knows you.".to_owned(),
    };
    let tier = Tier {
        tier_code: "regulars".to_owned(),
        display_name: "Regulars".to_owned(),
        threshold: THRESHOLD,
        benefits: vec![manager],
    };
    PublishLadderRequest {
        request_id: request_id(),
        ladder: Some(Ladder {
            ladder_code: "club".to_owned(),
            display_name: "The club of regulars".to_owned(),
            qualification: Some(how),
            tiers: vec![tier],
            ..Ladder::default()
        }),
        known_version: 0,
    }
}

/// A reward that costs nothing, for the club.
async fn offer(shop: &Shop) -> Reward {
    let reward = Reward {
        display_name: "An evening with the roaster".to_owned(),
        status: RewardStatus::Active.into(),
        code_source: CodeSource::Generated.into(),
        tier_codes: vec!["regulars".to_owned()],
        voucher_life_days: 30,
        ..Reward::default()
    };
    let request = CreateRewardRequest {
        request_id: request_id(),
        reward: Some(reward),
        stock_count: 10,
    };
    let created = shop.rewards.create_reward(request).await.expect("a reward");
    created.into_message().reward.expect("it is answered")
}

async fn redeem(shop: &Shop, member: &Member, reward: &Reward) -> Result<(), CallError> {
    let request = RedeemRewardRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        reward_id: reward.reward_id.clone(),
        expected_price: None,
    };
    shop.rewards.redeem_reward(request).await.map(drop)
}

async fn buy(shop: &Shop, member: &Member, minor: i64) -> String {
    let bought = purchase(&member.member_id, &request_id(), minor);
    let bought = shop.ledger.record_purchase(bought).await.expect("a purchase");
    let bought = bought.into_message().purchase.expect("it is answered");
    bought.purchase_id
}

/// Where the member stands once so much counts: the ledger tells it within moments.
async fn standing_at(shop: &Shop, member: &Member, balance: i64) -> TierStanding {
    loop {
        let request = GetMemberTiersRequest {
            member_id: member.member_id.clone(),
        };
        let answer = shop.members.get_member_tiers(request).await.expect("standings");
        let standing = answer.into_message().standings.pop().expect("one ladder");
        if standing.balance == balance {
            return standing;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn is_entitled(shop: &Shop, member: &Member) -> bool {
    let request = CheckEntitlementRequest {
        member_id: member.member_id.clone(),
        benefit_code: "personal-manager".to_owned(),
    };
    let answer = shop.members.check_entitlement(request).await.expect("an answer");
    answer.into_message().entitled
}
