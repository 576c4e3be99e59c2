//! `fealty.members.v1.ConsentService`.

mod parse;
mod present;

use chrono::{DateTime, Utc};
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::consent_service_server::ConsentService;
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_service::call::{serve, serve_making};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::Consents;
use super::domain::standings_of;

pub(crate) use parse::party;
pub(crate) use present::channel_number;

const LIST_COMPANIES: &str = "/fealty.members.v1.ConsentService/ListCompanies";

/// Where a history goes on: before what was recorded then, with that id.
type HistoryCursor = (DateTime<Utc>, Uuid);

/// The rpcs of consents.
#[derive(Debug, Clone)]
pub struct ConsentGrpc {
    consents: Consents,
}

impl ConsentGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(consents: Consents) -> Self {
        Self { consents }
    }
}

#[tonic::async_trait]
impl ConsentService for ConsentGrpc {
    async fn create_company(
        &self,
        request: Request<pb::CreateCompanyRequest>,
    ) -> Result<Response<pb::CreateCompanyResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, code, name) = parse::create_company(program_id, message)?;
            let made = self
                .consents
                .create_company(program_id, &attempt, &code, &name)
                .await?;
            Ok(made.map(|company| pb::CreateCompanyResponse {
                company: Some(present::company(company)),
            }))
        })
        .await
    }

    async fn list_companies(
        &self,
        request: Request<pb::ListCompaniesRequest>,
    ) -> Result<Response<pb::ListCompaniesResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let tokens = PageTokens::try_new(LIST_COMPANIES, Some(program_id), &())?;
            let page = PageRequest::<String>::parse(tokens, message.page_size, &message.page_token)?;
            let companies = self
                .consents
                .list_companies(program_id, page.after().as_deref(), page.count_max())
                .await?;
            let (companies, next_page_token) =
                page.cut(companies, |company| company.company_code.to_string())?;
            Ok(pb::ListCompaniesResponse {
                companies: companies.into_iter().map(present::company).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn grant_consent(
        &self,
        request: Request<pb::GrantConsentRequest>,
    ) -> Result<Response<pb::GrantConsentResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, asked, under) = parse::grant(&caller, self.consents.now(), message)?;
            let made = self
                .consents
                .grant(caller.program_id()?, &attempt, &asked, under)
                .await?;
            Ok(made.map(|receipt| pb::GrantConsentResponse {
                receipt: Some(present::receipt(&receipt)),
            }))
        })
        .await
    }

    async fn withdraw_consent(
        &self,
        request: Request<pb::WithdrawConsentRequest>,
    ) -> Result<Response<pb::WithdrawConsentResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, asked) = parse::withdraw(&caller, message)?;
            let made = self
                .consents
                .withdraw(caller.program_id()?, &attempt, &asked)
                .await?;
            Ok(made.map(|receipt| pb::WithdrawConsentResponse {
                receipt: Some(present::receipt(&receipt)),
            }))
        })
        .await
    }

    async fn get_consents(
        &self,
        request: Request<pb::GetConsentsRequest>,
    ) -> Result<Response<pb::GetConsentsResponse>, Status> {
        serve(request, async |caller, message| {
            let (member_id, party) = parse::get(&message)?;
            let allowed = self.consents.get(caller.program_id()?, member_id, &party).await?;
            let standings = standings_of(&allowed.words, &party, allowed.policy);
            Ok(pb::GetConsentsResponse {
                policy_status: present::policy_status(allowed.policy).into(),
                accepted_policy_version: allowed.policy.accepted.get(),
                policy_version: allowed.policy.in_force.get(),
                consents: standings.iter().map(present::standing).collect(),
            })
        })
        .await
    }

    async fn list_consent_history(
        &self,
        request: Request<pb::ListConsentHistoryRequest>,
    ) -> Result<Response<pb::ListConsentHistoryResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (member_id, page) = parse::list_history(program_id, &message)?;
            let receipts = self
                .consents
                .list_history(program_id, member_id, page.after(), page.count_max())
                .await?;
            let receipts = receipts.iter().map(present::receipt).collect();
            let (receipts, next_page_token) =
                page.cut_within(receipts, prost::Message::encoded_len, present::cursor)?;
            Ok(pb::ListConsentHistoryResponse {
                receipts,
                next_page_token,
            })
        })
        .await
    }

    async fn accept_policy(
        &self,
        request: Request<pb::AcceptPolicyRequest>,
    ) -> Result<Response<pb::AcceptPolicyResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, asked, under) = parse::accept_policy(&caller, self.consents.now(), message)?;
            let made = self
                .consents
                .accept_policy(caller.program_id()?, &attempt, &asked, under)
                .await?;
            Ok(made.map(|receipt| pb::AcceptPolicyResponse {
                receipt: Some(present::receipt(&receipt)),
            }))
        })
        .await
    }
}
