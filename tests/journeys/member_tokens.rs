//! An app shows one member what is theirs, with a token in place of a key, and is refused everything else.

use std::time::Duration;

use fealty::services::ServiceName;
use fealty_client::{CallError, ClientConfig, LedgerClient, MembersClient, RewardsClient, SurveysClient};
use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1::{GetBalanceRequest, ListTransactionsRequest};
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{
    GetMemberRequest, IssueMemberTokenRequest, ListMembersRequest, MemberStatus, SetMemberStatusRequest,
};
use fealty_proto::rewards::v1::{ListRedemptionsRequest, ListRewardsRequest, RedeemRewardRequest};
use fealty_proto::surveys::v1::ListInvitationsRequest;
use fealty_proto::types::v1::ErrorReason;
use fealty_tests::bounded::within;
use fealty_tests::offers::{offer_reward, open_survey};
use fealty_tests::shop::{Shop, purchase, request_id};
use tonic::Code;

use crate::suite;

const BOUND: Duration = Duration::from_mins(3);

/// What an app calls.
struct App {
    members: MembersClient,
    ledger: LedgerClient,
    rewards: RewardsClient,
    surveys: SurveysClient,
}

impl App {
    fn with(token: &str) -> Self {
        let addresses = suite().addresses();
        let config = |service| ClientConfig::new(addresses.of(service), token);
        Self {
            members: MembersClient::try_new(&config(ServiceName::Members)).expect("a client"),
            ledger: LedgerClient::try_new(&config(ServiceName::Ledger)).expect("a client"),
            rewards: RewardsClient::try_new(&config(ServiceName::Rewards)).expect("a client"),
            surveys: SurveysClient::try_new(&config(ServiceName::Surveys)).expect("a client"),
        }
    }
}

async fn token_for(shop: &Shop, member_id: &str, scopes: &[Scope]) -> Result<String, CallError> {
    let request = IssueMemberTokenRequest {
        member_id: member_id.to_owned(),
        scopes: scopes.iter().map(|scope| i32::from(*scope)).collect(),
        time_to_live: None,
    };
    Ok(shop
        .members
        .issue_member_token(request)
        .await?
        .into_message()
        .token)
}

#[track_caller]
fn assert_denied<T: std::fmt::Debug>(answer: Result<T, CallError>, reason: ErrorReason) {
    let refused = answer.expect_err("a refusal");
    assert_eq!(
        (refused.code, refused.reason),
        (Code::PermissionDenied, Some(reason)),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_token_shows_its_member_in_all_four_services_and_nobody_else() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let member_id = shop.enrol(vec![Value::ExternalId(request_id())]).await.member_id;
        let other_id = shop.enrol(vec![Value::ExternalId(request_id())]).await.member_id;
        for owner_id in [&member_id, &other_id] {
            let bought = purchase(owner_id, &request_id(), 100_000);
            shop.ledger.record_purchase(bought).await.expect("a purchase");
        }
        let app = App::with(&token_for(&shop, &member_id, &[]).await.expect("a token"));

        let survey = open_survey(&shop).await;
        sees(&app, &member_id, &survey.survey_id)
            .await
            .expect("what is theirs");
        let rewards = app.rewards.list_rewards(ListRewardsRequest::default()).await;
        rewards.expect("everybody's catalogue");
        let member = app.members.get_member(GetMemberRequest {
            member_id: other_id.clone(),
        });
        assert_denied(member.await, ErrorReason::MemberTokenDenied);
        let balance = app.ledger.get_balance(GetBalanceRequest {
            owner_id: other_id.clone(),
            ..GetBalanceRequest::default()
        });
        assert_denied(balance.await, ErrorReason::MemberTokenDenied);
        let everybody = app.members.list_members(ListMembersRequest::default());
        assert_denied(everybody.await, ErrorReason::MemberTokenDenied);
    })
    .await;
}

async fn sees(app: &App, member_id: &str, survey_id: &str) -> Result<(), CallError> {
    let owner_id = || member_id.to_owned();
    let member = app.members.get_member(GetMemberRequest {
        member_id: owner_id(),
    });
    assert_eq!(
        member.await?.into_message().member.map(|it| it.member_id),
        Some(owner_id())
    );
    let balance = app.ledger.get_balance(GetBalanceRequest {
        owner_id: owner_id(),
        ..GetBalanceRequest::default()
    });
    let balance = balance.await?.into_message().balance.expect("a balance");
    assert_eq!(balance.owner_id, member_id);
    let transactions = app.ledger.list_transactions(ListTransactionsRequest {
        owner_id: owner_id(),
        ..ListTransactionsRequest::default()
    });
    assert_eq!(transactions.await?.into_message().transactions.len(), 1);
    let redemptions = app.rewards.list_redemptions(ListRedemptionsRequest {
        member_id: owner_id(),
        ..ListRedemptionsRequest::default()
    });
    redemptions.await?;
    let invitations = app.surveys.list_invitations(ListInvitationsRequest {
        survey_id: survey_id.to_owned(),
        member_id: owner_id(),
        ..ListInvitationsRequest::default()
    });
    invitations.await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_redeems_only_by_a_token_that_says_so() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let member_id = shop.enrol(vec![Value::ExternalId(request_id())]).await.member_id;
        let bought = purchase(&member_id, &request_id(), 10_000_000);
        shop.ledger.record_purchase(bought).await.expect("a purchase");
        let reward = offer_reward(&shop, 1).await;
        let redeem = || RedeemRewardRequest {
            request_id: request_id(),
            member_id: member_id.clone(),
            reward_id: reward.reward_id.clone(),
            ..RedeemRewardRequest::default()
        };
        let reading = App::with(&token_for(&shop, &member_id, &[]).await.expect("a token"));
        let refused = reading.rewards.redeem_reward(redeem()).await;
        assert_denied(refused, ErrorReason::ScopeMissing);

        let scopes = [Scope::RedemptionsWrite, Scope::RewardsRead];
        let redeeming = App::with(&token_for(&shop, &member_id, &scopes).await.expect("a token"));
        let redeemed = redeeming.rewards.redeem_reward(redeem()).await.expect("redeemed");
        let redemption = redeemed.into_message().redemption.expect("it is answered");
        assert_eq!(redemption.member_id, member_id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_token_who_may_do_nothing_any_more() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let member_id = shop.enrol(vec![Value::ExternalId(request_id())]).await.member_id;
        let closed = SetMemberStatusRequest {
            request_id: request_id(),
            member_id: member_id.clone(),
            status: MemberStatus::Closed.into(),
            reason: "they asked for it".to_owned(),
        };
        shop.members.set_member_status(closed).await.expect("closed");
        let refused = token_for(&shop, &member_id, &[]).await.expect_err("a refusal");
        assert_eq!(
            (refused.code, refused.reason),
            (Code::FailedPrecondition, Some(ErrorReason::MemberNotActive))
        );
    })
    .await;
}
