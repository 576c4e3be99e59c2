//! `fealty.members.v1.ReferralService`.

pub(crate) mod parse;
mod present;

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::referral_service_server::ReferralService;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::violations::Violations;
use fealty_service::call::{serve, serve_making};
use fealty_types::MemberId;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::Referrals;
use super::domain::{Factor, project};

/// The rpcs of referrals.
#[derive(Debug, Clone)]
pub struct ReferralGrpc {
    referrals: Referrals,
}

impl ReferralGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(referrals: Referrals) -> Self {
        Self { referrals }
    }
}

#[tonic::async_trait]
impl ReferralService for ReferralGrpc {
    async fn issue_referral_code(
        &self,
        request: Request<pb::IssueReferralCodeRequest>,
    ) -> Result<Response<pb::IssueReferralCodeResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, new) = parse::issue(program_id, message)?;
            let made = self.referrals.issue(program_id, &attempt, &new).await?;
            let settings = self.referrals.settings(program_id).await?;
            Ok(made.map(|issued| pb::IssueReferralCodeResponse {
                referral_code: Some(present::code(&issued, &settings)),
            }))
        })
        .await
    }

    async fn list_referral_codes(
        &self,
        request: Request<pb::ListReferralCodesRequest>,
    ) -> Result<Response<pb::ListReferralCodesResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let mut v = Violations::default();
            let member_id = v.check("member_id", fields::parse::<MemberId>(&message.member_id));
            let page_size = v.check("page_size", PageSize::parse(message.page_size));
            let (member_id, page_size) = v.finish_with(|| Some((member_id?, page_size?)))?;
            let tokens = PageTokens::try_new(parse::LIST_CODES, Some(program_id), &message.member_id)?;
            let page = PageRequest::<Uuid>::try_new(tokens, page_size, &message.page_token)?;
            let codes = self
                .referrals
                .list_codes(program_id, member_id, page.after(), page.count_max())
                .await?;
            let settings = self.referrals.settings(program_id).await?;
            let (codes, next_page_token) = page.cut(codes, |code| code.code_id)?;
            Ok(pb::ListReferralCodesResponse {
                referral_codes: codes.iter().map(|code| present::code(code, &settings)).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn close_referral_code(
        &self,
        request: Request<pb::CloseReferralCodeRequest>,
    ) -> Result<Response<pb::CloseReferralCodeResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let mut v = Violations::default();
            let code = v.check("code", parse::code(&message.code));
            let code = v.finish_with(|| code)?;
            let closed = self.referrals.close(program_id, &code).await?;
            let settings = self.referrals.settings(program_id).await?;
            Ok(pb::CloseReferralCodeResponse {
                referral_code: Some(present::code(&closed, &settings)),
            })
        })
        .await
    }

    async fn report_referral_invites(
        &self,
        request: Request<pb::ReportReferralInvitesRequest>,
    ) -> Result<Response<pb::ReportReferralInvitesResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, (code, count)) = parse::report(program_id, message)?;
            let made = self
                .referrals
                .report(program_id, &attempt, (&code, count))
                .await?;
            let settings = self.referrals.settings(program_id).await?;
            Ok(made.map(|issued| pb::ReportReferralInvitesResponse {
                referral_code: Some(present::code(&issued, &settings)),
            }))
        })
        .await
    }

    async fn record_referral(
        &self,
        request: Request<pb::RecordReferralRequest>,
    ) -> Result<Response<pb::RecordReferralResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, pair) = parse::record(program_id, message)?;
            let made = self.referrals.record(program_id, &attempt, pair).await?;
            Ok(made.map(|told| pb::RecordReferralResponse {
                referral: Some(present::referral(&told)),
            }))
        })
        .await
    }

    async fn review_referral(
        &self,
        request: Request<pb::ReviewReferralRequest>,
    ) -> Result<Response<pb::ReviewReferralResponse>, Status> {
        serve(request, async |caller, message| {
            let member_id = parse::member_id(&message.member_id)?;
            let told = self
                .referrals
                .review(caller.program_id()?, member_id, message.accept)
                .await?;
            Ok(pb::ReviewReferralResponse {
                referral: Some(present::referral(&told)),
            })
        })
        .await
    }

    async fn get_referral(
        &self,
        request: Request<pb::GetReferralRequest>,
    ) -> Result<Response<pb::GetReferralResponse>, Status> {
        serve(request, async |caller, message| {
            let member_id = parse::member_id(&message.member_id)?;
            let told = self.referrals.get(caller.program_id()?, member_id).await?;
            Ok(pb::GetReferralResponse {
                referral: Some(present::referral(&told)),
            })
        })
        .await
    }

    async fn list_referrals(
        &self,
        request: Request<pb::ListReferralsRequest>,
    ) -> Result<Response<pb::ListReferralsResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (wanted, page_size) = parse::list(&message)?;
            let filter = (message.referrer_member_id, message.state);
            let tokens = PageTokens::try_new(parse::LIST, Some(program_id), &filter)?;
            let page = PageRequest::<Uuid>::try_new(tokens, page_size, &message.page_token)?;
            let referrals = self
                .referrals
                .list(program_id, wanted, page.after(), page.count_max())
                .await?;
            let (referrals, next_page_token) = page.cut(referrals, |told| told.referral.referral_id)?;
            Ok(pb::ListReferralsResponse {
                referrals: referrals.iter().map(present::referral).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn get_referral_tree(
        &self,
        request: Request<pb::GetReferralTreeRequest>,
    ) -> Result<Response<pb::GetReferralTreeResponse>, Status> {
        serve(request, async |caller, message| {
            let (member_id, depth_max, breadth_max) = parse::tree(&message)?;
            let tree = self
                .referrals
                .tree(caller.program_id()?, member_id, depth_max, breadth_max)
                .await?;
            Ok(present::tree(&tree))
        })
        .await
    }

    async fn get_referral_settings(
        &self,
        request: Request<pb::GetReferralSettingsRequest>,
    ) -> Result<Response<pb::GetReferralSettingsResponse>, Status> {
        serve(request, async |caller, _message| {
            let settings = self.referrals.settings(caller.program_id()?).await?;
            Ok(pb::GetReferralSettingsResponse {
                settings: Some(present::settings(&settings)),
            })
        })
        .await
    }

    async fn set_referral_settings(
        &self,
        request: Request<pb::SetReferralSettingsRequest>,
    ) -> Result<Response<pb::SetReferralSettingsResponse>, Status> {
        serve(request, async |caller, message| {
            let settings = parse::settings(message)?;
            self.referrals
                .set_settings(caller.program_id()?, &settings)
                .await?;
            Ok(pb::SetReferralSettingsResponse {
                settings: Some(present::settings(&settings)),
            })
        })
        .await
    }

    async fn get_referral_factor(
        &self,
        request: Request<pb::GetReferralFactorRequest>,
    ) -> Result<Response<pb::GetReferralFactorResponse>, Status> {
        serve(request, async |caller, message| {
            let (from, before) = parse::window(&message)?;
            let growth = self.referrals.growth(caller.program_id()?, from, before).await?;
            Ok(present::factor(&growth))
        })
        .await
    }

    async fn project_referrals(
        &self,
        request: Request<pb::ProjectReferralsRequest>,
    ) -> Result<Response<pb::ProjectReferralsResponse>, Status> {
        serve(request, async |_caller, message| {
            let (seed_count, factor, round_count): (i64, Factor, usize) = parse::projection(&message)?;
            Ok(pb::ProjectReferralsResponse {
                member_counts: project(seed_count, factor, round_count),
            })
        })
        .await
    }
}
