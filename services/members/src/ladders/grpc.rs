//! `fealty.members.v1.TierService`.

mod parse;
mod present;
mod refusals;

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::tier_service_server::TierService;
use fealty_rpc::deadline::StreamEnd;
use fealty_rpc::errors::ApiError;
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_service::call::{serve, serve_making, serve_response};
use fealty_types::TierGrantId;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::Ladders;
pub(crate) use present::tier_ref;

const LIST: &str = "/fealty.members.v1.TierService/ListLadders";
const LIST_CHANGES: &str = "/fealty.members.v1.TierService/ListTierChanges";
const LIST_GRANTS: &str = "/fealty.members.v1.TierService/ListTierGrants";

/// The rpcs of tiers.
#[derive(Debug, Clone)]
pub struct TierGrpc {
    ladders: Ladders,
    /// The soft end of the process, at which streams end.
    closing: CancellationToken,
}

impl TierGrpc {
    /// Over the use cases. Streams end when `closing` is cancelled.
    #[must_use]
    pub const fn new(ladders: Ladders, closing: CancellationToken) -> Self {
        Self { ladders, closing }
    }
}

#[tonic::async_trait]
impl TierService for TierGrpc {
    type EvaluateLadderStream = BoxStream<'static, Result<pb::EvaluateLadderResponse, Status>>;

    async fn evaluate_ladder(
        &self,
        request: Request<pb::EvaluateLadderRequest>,
    ) -> Result<Response<Self::EvaluateLadderStream>, Status> {
        let end = StreamEnd::from_request(&request)
            .ok_or_else(|| ApiError::internal_message("the stream came past the deadline layer"))?;
        serve_response(request, async |caller, message| {
            let program = *caller.program()?;
            let (definition, sample_count) = parse::evaluate(&message)?;
            let asked = (program.program_id, program.time_zone);
            let progress = self.ladders.evaluate(asked, definition, sample_count).await;
            let progress = progress.map_err(ApiError::from)?;
            // Polled by the connection itself: what its caller does not take is not read.
            let answers = progress.map(|progress| match progress {
                Ok(progress) => Ok(present::progress(&progress)),
                Err(error) => Err(ApiError::from(error).to_status()),
            });
            let closing = self.closing.clone();
            let over = async move {
                tokio::select! {
                    () = sleep_until(end.instant()) => {}
                    () = closing.cancelled() => {}
                }
            };
            Ok(Response::new(answers.take_until(Box::pin(over)).boxed()))
        })
        .await
    }

    async fn publish_ladder(
        &self,
        request: Request<pb::PublishLadderRequest>,
    ) -> Result<Response<pb::PublishLadderResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, new) = parse::publish(&caller, message)?;
            let made = self.ladders.publish(caller.program_id()?, &attempt, &new).await?;
            Ok(made.map(|ladder| pb::PublishLadderResponse {
                ladder: Some(present::ladder(&ladder)),
            }))
        })
        .await
    }

    async fn get_ladder(
        &self,
        request: Request<pb::GetLadderRequest>,
    ) -> Result<Response<pb::GetLadderResponse>, Status> {
        serve(request, async |caller, message| {
            let (ladder_code, version) = parse::get(&message)?;
            let program_id = caller.program_id()?;
            let ladder = self.ladders.get(program_id, &ladder_code, version).await?;
            Ok(pb::GetLadderResponse {
                ladder: Some(present::ladder(&ladder)),
            })
        })
        .await
    }

    async fn list_ladders(
        &self,
        request: Request<pb::ListLaddersRequest>,
    ) -> Result<Response<pb::ListLaddersResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let tokens = PageTokens::try_new(LIST, Some(program_id), &())?;
            let page = PageRequest::<String>::parse(tokens, message.page_size, &message.page_token)?;
            let after = page.after();
            let ladders = self
                .ladders
                .list(program_id, after.as_deref(), page.count_max())
                .await?;
            let (ladders, next_page_token) =
                page.cut(ladders, |ladder| ladder.definition.ladder_code.to_string())?;
            Ok(pb::ListLaddersResponse {
                ladders: ladders.iter().map(present::ladder).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn retire_ladder(
        &self,
        request: Request<pb::RetireLadderRequest>,
    ) -> Result<Response<pb::RetireLadderResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, ladder_code) = parse::retire(&caller, message)?;
            let program_id = caller.program_id()?;
            let made = self.ladders.retire(program_id, &attempt, &ladder_code).await?;
            Ok(made.map(|ladder| pb::RetireLadderResponse {
                ladder: Some(present::ladder(&ladder)),
            }))
        })
        .await
    }

    async fn get_member_tiers(
        &self,
        request: Request<pb::GetMemberTiersRequest>,
    ) -> Result<Response<pb::GetMemberTiersResponse>, Status> {
        serve(request, async |caller, message| {
            let member_id = parse::member_id(&message.member_id)?;
            let standings = self.ladders.standings(caller.program_id()?, member_id).await?;
            Ok(pb::GetMemberTiersResponse {
                standings: standings.iter().map(present::standing).collect(),
            })
        })
        .await
    }

    async fn check_entitlement(
        &self,
        request: Request<pb::CheckEntitlementRequest>,
    ) -> Result<Response<pb::CheckEntitlementResponse>, Status> {
        serve(request, async |caller, message| {
            let (member_id, benefit_code) = parse::check_entitlement(&message)?;
            let checked = self
                .ladders
                .check_entitlement(caller.program_id()?, member_id, &benefit_code)
                .await?;
            Ok(present::entitlement(&checked))
        })
        .await
    }

    async fn list_tier_changes(
        &self,
        request: Request<pb::ListTierChangesRequest>,
    ) -> Result<Response<pb::ListTierChangesResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (member_id, size) = parse::list_of(&message.member_id, message.page_size)?;
            let tokens = PageTokens::try_new(LIST_CHANGES, Some(program_id), &message.member_id)?;
            let page = PageRequest::<i64>::try_new(tokens, size, &message.page_token)?;
            let changes = self
                .ladders
                .list_changes(program_id, member_id, page.after(), page.count_max())
                .await?;
            let (changes, next_page_token) = page.cut(changes, |change| change.revision)?;
            Ok(pb::ListTierChangesResponse {
                changes: changes.iter().map(present::change).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn grant_tier(
        &self,
        request: Request<pb::GrantTierRequest>,
    ) -> Result<Response<pb::GrantTierResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, new) = parse::grant(&caller, self.ladders.now(), message)?;
            let made = self.ladders.grant(caller.program_id()?, &attempt, &new).await?;
            Ok(made.map(|shown| pb::GrantTierResponse {
                tier_grant: Some(present::grant(&shown)),
            }))
        })
        .await
    }

    async fn revoke_tier_grant(
        &self,
        request: Request<pb::RevokeTierGrantRequest>,
    ) -> Result<Response<pb::RevokeTierGrantResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, tier_grant_id) = parse::revoke(&caller, message)?;
            let by = (tier_grant_id, caller.actor());
            let made = self
                .ladders
                .revoke(caller.program_id()?, &attempt, (by.0, &by.1))
                .await?;
            Ok(made.map(|shown| pb::RevokeTierGrantResponse {
                tier_grant: Some(present::grant(&shown)),
            }))
        })
        .await
    }

    async fn list_tier_grants(
        &self,
        request: Request<pb::ListTierGrantsRequest>,
    ) -> Result<Response<pb::ListTierGrantsResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (member_id, size) = parse::list_of(&message.member_id, message.page_size)?;
            let tokens = PageTokens::try_new(LIST_GRANTS, Some(program_id), &message.member_id)?;
            let page = PageRequest::<TierGrantId>::try_new(tokens, size, &message.page_token)?;
            let grants = self
                .ladders
                .list_grants(program_id, member_id, page.after(), page.count_max())
                .await?;
            let (grants, next_page_token) = page.cut(grants, |shown| shown.grant.tier_grant_id)?;
            Ok(pb::ListTierGrantsResponse {
                tier_grants: grants.iter().map(present::grant).collect(),
                next_page_token,
            })
        })
        .await
    }
}
