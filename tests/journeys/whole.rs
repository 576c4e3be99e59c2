//! One member through the whole suite: enrolled, found by card, buys, is rewarded, uses the voucher, is asked, answers,
//! and counts in the score.

use std::time::Duration;

use fealty_proto::members::v1::LookupMemberRequest;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::rewards::v1::{
    GetRedemptionRequest, LookupVoucherRequest, QuoteRedemptionRequest, RedeemRewardRequest, Redemption,
    RedemptionStatus, Reward, UseVoucherRequest, Voucher, VoucherStatus,
};
use fealty_proto::surveys::v1::{
    GetInvitationRequest, GetQuestionnaireRequest, GetScoreRequest, Invitation, InvitationStatus,
    IssueInvitationTokenRequest, ListInvitationsRequest, SubmitAnswerRequest, Survey,
};
use fealty_proto::types::v1::ErrorReason;
use fealty_tests::bounded::{eventually, within};
use fealty_tests::offers::{REWARD_PRICE as PRICE, offer_reward, open_survey};
use fealty_tests::shop::{Shop, identifier, purchase, request_id, unit_of};

use crate::suite;

const BOUND: Duration = Duration::from_mins(3);
/// From a purchase to its invitation: an event, a job's round and a call to members. The machine may be slow.
const INVITED_BOUND: Duration = Duration::from_secs(30);
/// Of the reward.
const STOCK_COUNT: i64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_member_goes_from_enrolment_to_a_score() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let reward = offer_reward(&shop, STOCK_COUNT).await;
        let survey = open_survey(&shop).await;

        let card = Value::CardNumber("4000 0012 3456 7899".to_owned());
        let member_id = shop.enrol(vec![card.clone()]).await.member_id;
        shop.let_ask(&member_id).await;
        let looked_up = LookupMemberRequest {
            identifier: Some(identifier(card)),
        };
        let found = shop
            .members
            .lookup_member(looked_up)
            .await
            .expect("found")
            .into_message();
        assert_eq!(found.member.expect("it is answered").member_id, member_id);

        let bought = shop
            .ledger
            .record_purchase(purchase(&member_id, "r1", 500_000))
            .await;
        let bought = bought.expect("a purchase").into_message();
        assert_eq!(unit_of(&bought.balance.expect("it is answered")).1.available, 50);
        let purchase_id = bought.purchase.expect("it is answered").purchase_id;

        let (redemption, voucher) = redeem(&shop, &member_id, &reward).await;
        assert_eq!(shop.balance(&member_id, None).await.1.available, 50 - PRICE);
        assert_eq!(redemption.voucher_id, voucher.voucher_id);
        use_voucher(&shop, &voucher).await;

        let invitation = invitation_of(&shop, &survey, &member_id).await;
        assert_eq!(invitation.purchase_id, purchase_id);
        answer(&shop, &invitation).await;
        let score = shop.surveys.get_score(GetScoreRequest {
            survey_id: survey.survey_id.clone(),
            ..GetScoreRequest::default()
        });
        let score = score
            .await
            .expect("a score")
            .into_message()
            .score
            .expect("it is answered");
        assert_eq!(
            (score.promoter_count, score.passive_count, score.detractor_count),
            (1, 0, 0)
        );
        assert_eq!(score.score, "100.0000");
        let interval = score.interval.expect("somebody answered");
        // One answer says little: 25 plus and minus 73.4986, by the three answers that the interval adds.
        assert_eq!(
            (interval.low.as_str(), interval.high.as_str()),
            ("-48.4986", "98.4986")
        );
    })
    .await;
}

/// Redeems what was quoted; the same attempt again is the same redemption, and another one is one too many.
async fn redeem(shop: &Shop, member_id: &str, reward: &Reward) -> (Redemption, Voucher) {
    let quoted = shop.rewards.quote_redemption(QuoteRedemptionRequest {
        member_id: member_id.to_owned(),
        reward_id: reward.reward_id.clone(),
    });
    let quoted = quoted.await.expect("a quote").into_message();
    assert!(quoted.redeemable, "{quoted:?}");

    let request = RedeemRewardRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        reward_id: reward.reward_id.clone(),
        expected_price: quoted.price,
    };
    let redeemed = shop
        .rewards
        .redeem_reward(request.clone())
        .await
        .expect("redeemed")
        .into_message();
    let again = shop
        .rewards
        .redeem_reward(request.clone())
        .await
        .expect("redeemed");
    assert!(again.replayed);
    assert_eq!(again.into_message(), redeemed);
    let once_more = RedeemRewardRequest {
        request_id: request_id(),
        ..request
    };
    let refused = shop
        .rewards
        .redeem_reward(once_more)
        .await
        .expect_err("once per member");
    assert_eq!(
        refused.reason,
        Some(ErrorReason::RedemptionLimitReached),
        "{refused}"
    );

    let redemption = redeemed.redemption.expect("it is answered");
    let read = shop.rewards.get_redemption(GetRedemptionRequest {
        redemption_id: redemption.redemption_id.clone(),
    });
    let read = read
        .await
        .expect("there")
        .into_message()
        .redemption
        .expect("it is answered");
    assert_eq!(read.status(), RedemptionStatus::Redeemed);
    (redemption, redeemed.voucher.expect("it is answered"))
}

/// At the till: read, used, and not good a second time.
async fn use_voucher(shop: &Shop, voucher: &Voucher) {
    let found = shop.rewards.lookup_voucher(LookupVoucherRequest {
        code: voucher.code.to_lowercase(),
    });
    let found = found
        .await
        .expect("found")
        .into_message()
        .voucher
        .expect("it is answered");
    assert_eq!(found.status(), VoucherStatus::Good);
    let at_till = |receipt_id: &str| UseVoucherRequest {
        request_id: request_id(),
        code: voucher.code.clone(),
        source: "till-4".to_owned(),
        receipt_id: receipt_id.to_owned(),
    };
    let used = shop
        .rewards
        .use_voucher(at_till("r2"))
        .await
        .expect("it is good")
        .into_message();
    assert_eq!(
        used.voucher.expect("it is answered").status(),
        VoucherStatus::Used
    );
    let refused = shop.rewards.use_voucher(at_till("r3")).await.expect_err("once");
    assert_eq!(refused.reason, Some(ErrorReason::VoucherUsed), "{refused}");
}

/// The invitation that the purchase makes by itself.
async fn invitation_of(shop: &Shop, survey: &Survey, member_id: &str) -> Invitation {
    eventually("an invitation is due", INVITED_BOUND, async || {
        let listed = shop.surveys.list_invitations(ListInvitationsRequest {
            survey_id: survey.survey_id.clone(),
            member_id: member_id.to_owned(),
            ..ListInvitationsRequest::default()
        });
        let invitations = listed.await.expect("a list").into_message().invitations;
        assert!(invitations.len() <= 1, "one per receipt: {invitations:?}");
        invitations
            .into_iter()
            .find(|invitation| invitation.status() == InvitationStatus::Due)
    })
    .await
}

async fn answer(shop: &Shop, invitation: &Invitation) {
    let issued = shop.surveys.issue_invitation_token(IssueInvitationTokenRequest {
        invitation_id: invitation.invitation_id.clone(),
    });
    let token = issued.await.expect("a token").into_message().token;
    let asked = shop
        .surveys
        .get_questionnaire(GetQuestionnaireRequest { token: token.clone() });
    let asked = asked.await.expect("questions").into_message();
    assert!(!asked.answered);
    let request = |score: i32| SubmitAnswerRequest {
        request_id: request_id(),
        token: token.clone(),
        score: Some(score),
        follow_up_text: "The coffee".to_owned(),
    };
    shop.surveys.submit_answer(request(10)).await.expect("an answer");
    let refused = shop.surveys.submit_answer(request(0)).await.expect_err("once");
    assert_eq!(refused.reason, Some(ErrorReason::AlreadyAnswered), "{refused}");
    let read = shop.surveys.get_invitation(GetInvitationRequest {
        invitation_id: invitation.invitation_id.clone(),
    });
    let read = read
        .await
        .expect("there")
        .into_message()
        .invitation
        .expect("it is answered");
    assert_eq!(read.status(), InvitationStatus::Answered);
}
