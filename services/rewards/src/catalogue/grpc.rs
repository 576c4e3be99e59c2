//! `fealty.rewards.v1.RewardService`.

mod parse;
mod present;

pub(crate) use parse::price_of;

use chrono::{DateTime, Utc};
use fealty_proto::rewards::v1 as pb;
use fealty_proto::rewards::v1::reward_service_server::RewardService;
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_service::call::{serve, serve_making};
use fealty_types::{RewardId, SharedClock};
use tonic::{Request, Response, Status};

use super::{Catalogue, ListRange};

const LIST: &str = "/fealty.rewards.v1.RewardService/ListRewards";

/// Where a list goes on: after the reward that was added then, with that id.
type ListCursor = (DateTime<Utc>, RewardId);

/// The rpcs of the catalogue.
#[derive(Debug, Clone)]
pub struct RewardGrpc {
    catalogue: Catalogue,
    clock: SharedClock,
}

impl RewardGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(catalogue: Catalogue, clock: SharedClock) -> Self {
        Self { catalogue, clock }
    }
}

#[tonic::async_trait]
impl RewardService for RewardGrpc {
    async fn create_reward(
        &self,
        request: Request<pb::CreateRewardRequest>,
    ) -> Result<Response<pb::CreateRewardResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, new) = parse::create(program_id, message)?;
            let made = self.catalogue.create(program_id, &attempt, new).await?;
            Ok(made.map(|reward| pb::CreateRewardResponse {
                reward: Some(present::reward(&reward)),
            }))
        })
        .await
    }

    async fn get_reward(
        &self,
        request: Request<pb::GetRewardRequest>,
    ) -> Result<Response<pb::GetRewardResponse>, Status> {
        serve(request, async |caller, message| {
            let reward_id = parse::reward_id(&message.reward_id)?;
            let reward = self.catalogue.get(caller.program_id()?, reward_id).await?;
            Ok(pb::GetRewardResponse {
                reward: Some(present::reward(&reward)),
            })
        })
        .await
    }

    async fn update_reward(
        &self,
        request: Request<pb::UpdateRewardRequest>,
    ) -> Result<Response<pb::UpdateRewardResponse>, Status> {
        serve(request, async |caller, message| {
            let update = parse::update(&message)?;
            let reward = self
                .catalogue
                .update(
                    caller.program_id()?,
                    update.reward_id,
                    update.meant_for,
                    &update.change,
                )
                .await?;
            Ok(pb::UpdateRewardResponse {
                reward: Some(present::reward(&reward)),
            })
        })
        .await
    }

    async fn list_rewards(
        &self,
        request: Request<pb::ListRewardsRequest>,
    ) -> Result<Response<pb::ListRewardsResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let tokens = PageTokens::try_new(LIST, Some(program_id), &message.offered_only)?;
            let page = PageRequest::<ListCursor>::parse(tokens, message.page_size, &message.page_token)?;
            let range = ListRange {
                offered_at: message.offered_only.then(|| self.clock.now()),
                after: page.after(),
            };
            let rewards = self.catalogue.list(program_id, range, page.count_max()).await?;
            let (rewards, next_page_token) = page.cut_within(rewards, present::size_bytes, |reward| {
                (reward.create_time, reward.reward_id)
            })?;
            Ok(pb::ListRewardsResponse {
                rewards: rewards.iter().map(present::reward).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn adjust_stock(
        &self,
        request: Request<pb::AdjustStockRequest>,
    ) -> Result<Response<pb::AdjustStockResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, reward_id, change_count) = parse::adjust_stock(program_id, message)?;
            let made = self
                .catalogue
                .adjust_stock(program_id, &attempt, reward_id, change_count)
                .await?;
            Ok(made.map(|reward| pb::AdjustStockResponse {
                reward: Some(present::reward(&reward)),
            }))
        })
        .await
    }

    async fn add_codes(
        &self,
        request: Request<pb::AddCodesRequest>,
    ) -> Result<Response<pb::AddCodesResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, reward_id, codes) = parse::add_codes(program_id, message)?;
            let made = self
                .catalogue
                .add_codes(program_id, &attempt, reward_id, &codes)
                .await?;
            Ok(made.map(|reward| pb::AddCodesResponse {
                reward: Some(present::reward(&reward)),
            }))
        })
        .await
    }
}
