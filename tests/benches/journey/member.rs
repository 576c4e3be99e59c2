//! One member's way through the suite, as a till, a shop's site and a survey's page call it.

use std::time::{Duration, Instant};

use fealty_proto::members::v1::LookupMemberRequest;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::rewards::v1::{RedeemRewardRequest, Reward, UseVoucherRequest, Voucher};
use fealty_proto::surveys::v1::{
    GetQuestionnaireRequest, GetScoreRequest, Invitation, InvitationStatus, IssueInvitationTokenRequest,
    ListInvitationsRequest, SubmitAnswerRequest, Survey,
};
use fealty_tests::shop::{Shop, identifier, purchase, request_id};

use tokio::time::sleep;

use super::timings::Timings;

const INVITED_BOUND: Duration = Duration::from_secs(30);
/// How fine the time until an invitation is measured.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// Earns 50 points, more than the reward costs.
const PAID_MINOR: i64 = 500_000;

/// What the shop has to offer.
#[derive(Debug, Clone)]
pub struct Offers {
    pub reward: Reward,
    pub survey: Survey,
}

/// The way of the member of this number, each call timed.
pub async fn walk(shop: &Shop, offers: &Offers, number: usize, timings: &mut Timings) {
    let customer = Value::ExternalId(format!("customer-{number}"));
    let member = timings
        .time("EnrolMember", shop.enrol(vec![customer.clone()]))
        .await;
    shop.let_ask(&member.member_id).await;
    let lookup = LookupMemberRequest {
        identifier: Some(identifier(customer)),
    };
    let found = timings
        .time("LookupMember", shop.members.lookup_member(lookup))
        .await;
    found.expect("a member");

    let bought = purchase(&member.member_id, &format!("r{number}"), PAID_MINOR);
    let bought = timings
        .time("RecordPurchase", shop.ledger.record_purchase(bought))
        .await;
    bought.expect("a purchase");
    let balance = shop.balance(&member.member_id, None);
    timings.time("GetBalance", balance).await;

    let voucher = redeem(shop, &offers.reward, &member.member_id, timings).await;
    let used = shop.rewards.use_voucher(UseVoucherRequest {
        request_id: request_id(),
        code: voucher.code,
        source: "till-4".to_owned(),
        receipt_id: format!("v{number}"),
    });
    timings.time("UseVoucher", used).await.expect("a good voucher");

    let invited = invitation(shop, &offers.survey, &member.member_id);
    let invitation = timings.time("until the invitation is due", invited).await;
    answer(shop, &invitation, timings).await;
    let score = shop.surveys.get_score(GetScoreRequest {
        survey_id: offers.survey.survey_id.clone(),
        ..GetScoreRequest::default()
    });
    timings.time("GetScore", score).await.expect("a score");
}

async fn redeem(shop: &Shop, reward: &Reward, member_id: &str, timings: &mut Timings) -> Voucher {
    let redeemed = shop.rewards.redeem_reward(RedeemRewardRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        reward_id: reward.reward_id.clone(),
        expected_price: reward.price.clone(),
    });
    let redeemed = timings.time("RedeemReward", redeemed).await.expect("redeemed");
    redeemed.into_message().voucher.expect("it is answered")
}

async fn invitation(shop: &Shop, survey: &Survey, member_id: &str) -> Invitation {
    let begun = Instant::now();
    while begun.elapsed() < INVITED_BOUND {
        let listed = shop.surveys.list_invitations(ListInvitationsRequest {
            survey_id: survey.survey_id.clone(),
            member_id: member_id.to_owned(),
            ..ListInvitationsRequest::default()
        });
        let invitations = listed.await.expect("a list").into_message().invitations;
        let is_due = |invitation: &Invitation| invitation.status() == InvitationStatus::Due;
        if let Some(due) = invitations.into_iter().find(is_due) {
            return due;
        }
        sleep(LOOK_INTERVAL).await;
    }
    panic!("no invitation within {} s", INVITED_BOUND.as_secs());
}

async fn answer(shop: &Shop, invitation: &Invitation, timings: &mut Timings) {
    let issued = shop.surveys.issue_invitation_token(IssueInvitationTokenRequest {
        invitation_id: invitation.invitation_id.clone(),
    });
    let issued = timings.time("IssueInvitationToken", issued).await;
    let token = issued.expect("a token").into_message().token;
    let asked = shop
        .surveys
        .get_questionnaire(GetQuestionnaireRequest { token: token.clone() });
    timings.time("GetQuestionnaire", asked).await.expect("questions");
    let answered = shop.surveys.submit_answer(SubmitAnswerRequest {
        request_id: request_id(),
        token,
        score: Some(9),
        follow_up_text: "The coffee".to_owned(),
    });
    timings.time("SubmitAnswer", answered).await.expect("an answer");
}
