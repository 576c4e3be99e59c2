//! `fealty.members.v1.PolicyService`.

use std::mem;

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::policy_service_server::PolicyService;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::Violations;
use fealty_service::call::{serve, serve_making};
use fealty_types::ProgramId;
use tonic::{Request, Response, Status};

use super::Policies;
use super::domain::{NewPolicy, Policy, PolicyHead, PolicyText, PolicyVersion};
use crate::display_name::DisplayName;

const PUBLISH: &str = "/fealty.members.v1.PolicyService/PublishPolicy";
const LIST: &str = "/fealty.members.v1.PolicyService/ListPolicies";

/// The rpcs of policies.
#[derive(Debug, Clone)]
pub struct PolicyGrpc {
    policies: Policies,
}

impl PolicyGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(policies: Policies) -> Self {
        Self { policies }
    }
}

#[tonic::async_trait]
impl PolicyService for PolicyGrpc {
    async fn publish_policy(
        &self,
        request: Request<pb::PublishPolicyRequest>,
    ) -> Result<Response<pb::PublishPolicyResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, new) = parse_publish(program_id, message)?;
            let made = self.policies.publish(program_id, &attempt, &new).await?;
            Ok(made.map(|policy| pb::PublishPolicyResponse {
                policy: Some(present(policy)),
            }))
        })
        .await
    }

    async fn get_policy(
        &self,
        request: Request<pb::GetPolicyRequest>,
    ) -> Result<Response<pb::GetPolicyResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let version = match message.version {
                0 => Some(None),
                number => v.check("version", PolicyVersion::try_new(number)).map(Some),
            };
            let version = v.finish_with(|| version)?;
            let policy = self.policies.get(caller.program_id()?, version).await?;
            Ok(pb::GetPolicyResponse {
                policy: Some(present(policy)),
            })
        })
        .await
    }

    async fn list_policies(
        &self,
        request: Request<pb::ListPoliciesRequest>,
    ) -> Result<Response<pb::ListPoliciesResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let tokens = PageTokens::try_new(LIST, Some(program_id), &())?;
            let page = PageRequest::<PolicyVersion>::parse(tokens, message.page_size, &message.page_token)?;
            let policies = self
                .policies
                .list(program_id, page.after(), page.count_max())
                .await?;
            let (policies, next_page_token) = page.cut(policies, |policy| policy.version)?;
            Ok(pb::ListPoliciesResponse {
                policies: policies.into_iter().map(present_head).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse_publish(
    program_id: ProgramId,
    mut message: pb::PublishPolicyRequest,
) -> Result<(Attempt, NewPolicy), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(PUBLISH, &message);
    let new = v.message("policy", message.policy, |v, policy| {
        let title = v.check("title", fields::parse::<DisplayName>(&policy.title));
        let text = v.check("text", PolicyText::try_new(policy.text));
        // Whether it lies in the past is asked when the policy is published, not of a retry that finds it published.
        let effective_time = v.check(
            "effective_time",
            fields::optional_timestamp(policy.effective_time.as_ref(), TimeRange::any()),
        );
        Some(NewPolicy {
            title: title?,
            text: text?,
            effective_time: effective_time?,
        })
    });
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, PUBLISH, command_hash);
        Some((attempt, new?))
    })
}

fn present(policy: Policy) -> pb::Policy {
    pb::Policy {
        text: policy.text.into(),
        ..present_head(policy.head)
    }
}

fn present_head(head: PolicyHead) -> pb::Policy {
    pb::Policy {
        policy_id: head.policy_id.to_string(),
        version: head.version.get(),
        title: head.title.into(),
        text: String::new(),
        text_sha256: head.text_hash.to_string(),
        effective_time: Some(timestamp(head.effective_time)),
        publish_time: Some(timestamp(head.publish_time)),
    }
}
