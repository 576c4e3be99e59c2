//! `fealty.rewards.v1.RedemptionService`.

use std::mem;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::rewards::v1 as pb;
use fealty_proto::rewards::v1::redemption_service_server::RedemptionService;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::Violations;
use fealty_service::call::{serve, serve_making};
use fealty_types::{MemberId, ProgramId, RedemptionId, RewardId, SharedClock};
use tonic::{Request, Response, Status};

use super::domain::{Redemption, RedemptionStatus};
use super::{Redemptions, Wanted};
use crate::catalogue::grpc::price_of;
use crate::events::amount;
use crate::status::refusal_reason;
use crate::vouchers;

const REDEEM: &str = "/fealty.rewards.v1.RedemptionService/RedeemReward";
const LIST: &str = "/fealty.rewards.v1.RedemptionService/ListRedemptions";

/// Where a list goes on: after the redemption that began then, with that id.
type ListCursor = (DateTime<Utc>, RedemptionId);

/// The rpcs of redemptions.
#[derive(Debug, Clone)]
pub struct RedemptionGrpc {
    redemptions: Redemptions,
    clock: SharedClock,
}

impl RedemptionGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(redemptions: Redemptions, clock: SharedClock) -> Self {
        Self { redemptions, clock }
    }
}

#[tonic::async_trait]
impl RedemptionService for RedemptionGrpc {
    async fn quote_redemption(
        &self,
        request: Request<pb::QuoteRedemptionRequest>,
    ) -> Result<Response<pb::QuoteRedemptionResponse>, Status> {
        serve(request, async |caller, message| {
            let (member_id, reward_id) = parse_quote(&message)?;
            let quote = self
                .redemptions
                .quote(caller.program_id()?, member_id, reward_id)
                .await?;
            Ok(pb::QuoteRedemptionResponse {
                price: quote.price.as_ref().map(amount),
                redeemable: quote.refusal.is_none(),
                refusal_reason: quote
                    .refusal
                    .as_ref()
                    .map(refusal_reason)
                    .unwrap_or_default()
                    .to_owned(),
                missing_value: quote.missing_value,
            })
        })
        .await
    }

    async fn redeem_reward(
        &self,
        request: Request<pb::RedeemRewardRequest>,
    ) -> Result<Response<pb::RedeemRewardResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, wanted) = parse_redeem(program_id, message)?;
            let made = self.redemptions.redeem(program_id, &attempt, &wanted).await?;
            let now = self.clock.now();
            Ok(made.map(|(redemption, voucher)| pb::RedeemRewardResponse {
                redemption: Some(present(&redemption)),
                voucher: Some(vouchers::grpc::present(&voucher, now)),
            }))
        })
        .await
    }

    async fn get_redemption(
        &self,
        request: Request<pb::GetRedemptionRequest>,
    ) -> Result<Response<pb::GetRedemptionResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let redemption_id = v.check("redemption_id", fields::parse(&message.redemption_id));
            let redemption_id = v.finish_with(|| redemption_id)?;
            let redemption = self.redemptions.get(caller.program_id()?, redemption_id).await?;
            Ok(pb::GetRedemptionResponse {
                redemption: Some(present(&redemption)),
            })
        })
        .await
    }

    async fn list_redemptions(
        &self,
        request: Request<pb::ListRedemptionsRequest>,
    ) -> Result<Response<pb::ListRedemptionsResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let mut v = Violations::default();
            let member_id = v.check("member_id", fields::parse::<MemberId>(&message.member_id));
            let size = v.check("page_size", PageSize::parse(message.page_size));
            let (member_id, size) = v.finish_with(|| Some((member_id?, size?)))?;
            let tokens = PageTokens::try_new(LIST, Some(program_id), &member_id)?;
            let page = PageRequest::<ListCursor>::try_new(tokens, size, &message.page_token)?;
            let redemptions = self
                .redemptions
                .list(program_id, member_id, page.after(), page.count_max())
                .await?;
            let (redemptions, next_page_token) =
                page.cut(redemptions, |one| (one.create_time, one.redemption_id))?;
            Ok(pb::ListRedemptionsResponse {
                redemptions: redemptions.iter().map(present).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse_quote(message: &pb::QuoteRedemptionRequest) -> Result<(MemberId, RewardId), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let reward_id = v.check("reward_id", fields::parse(&message.reward_id));
    v.finish_with(|| Some((member_id?, reward_id?)))
}

fn parse_redeem(
    program_id: ProgramId,
    mut message: pb::RedeemRewardRequest,
) -> Result<(Attempt, Wanted), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(REDEEM, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let reward_id = v.check("reward_id", fields::parse(&message.reward_id));
    let expected_price = v.check(
        "expected_price",
        message.expected_price.as_ref().map(price_of).transpose(),
    );
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, REDEEM, command_hash);
        let wanted = Wanted {
            member_id: member_id?,
            reward_id: reward_id?,
            expected_price: expected_price?,
        };
        Some((attempt, wanted))
    })
}

fn present(redemption: &Redemption) -> pb::Redemption {
    let failure = redemption.failure.as_ref();
    pb::Redemption {
        redemption_id: redemption.redemption_id.to_string(),
        member_id: redemption.member_id.to_string(),
        reward_id: redemption.reward_id.to_string(),
        price: redemption.terms.price.as_ref().map(amount),
        status: match redemption.status() {
            RedemptionStatus::Pending => pb::RedemptionStatus::Pending,
            RedemptionStatus::Redeemed => pb::RedemptionStatus::Redeemed,
            RedemptionStatus::Undone => pb::RedemptionStatus::Undone,
        }
        .into(),
        failure_reason: failure.map(|failure| failure.reason.clone()).unwrap_or_default(),
        voucher_id: redemption.voucher_id.map(|id| id.to_string()).unwrap_or_default(),
        create_time: Some(timestamp(redemption.create_time)),
        end_time: redemption.end_time.map(timestamp),
    }
}
