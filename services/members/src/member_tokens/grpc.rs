//! `fealty.members.v1.MemberTokenService`.

use chrono::TimeDelta;
use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::member_token_service_server::MemberTokenService;
use fealty_rpc::access::{MEMBER_TOKEN_LIFE_MAX, key_of};
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::serve;
use tonic::{Request, Response, Status};

use super::domain::{NewToken, TIME_TO_LIVE_DEFAULT};
use super::{Issued, MemberTokens, grantable};
use crate::refusal::{MembersError, Refusal};

/// The rpcs of member tokens.
#[derive(Debug, Clone)]
pub struct MemberTokenGrpc {
    tokens: MemberTokens,
}

impl MemberTokenGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(tokens: MemberTokens) -> Self {
        Self { tokens }
    }
}

#[tonic::async_trait]
impl MemberTokenService for MemberTokenGrpc {
    async fn issue_member_token(
        &self,
        request: Request<pb::IssueMemberTokenRequest>,
    ) -> Result<Response<pb::IssueMemberTokenResponse>, Status> {
        let secret = key_of(&request);
        serve(request, async |caller, message| {
            let new = parse(&message)?;
            let secret = secret.ok_or(MembersError::Refused(Refusal::KeyIssuesNoTokens))?;
            let by = (caller.key(), &secret);
            let issued = self.tokens.issue(caller.program_id()?, by, &new).await?;
            Ok(present(issued))
        })
        .await
    }
}

fn parse(message: &pb::IssueMemberTokenRequest) -> Result<NewToken, ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let grantable = grantable();
    let mut named = Vec::new();
    let scopes = v.each("scopes", message.scopes.iter().copied(), |v, number| {
        let scope = v.check("", fields::enumeration::<Scope>(number))?;
        v.require(
            grantable.contains(&scope),
            "",
            "must be the scope of a method that takes member tokens",
        );
        v.require(!named.contains(&scope), "", "must be named only once");
        named.push(scope);
        Some(scope)
    });
    let time_to_live = v.check("time_to_live", time_to_live(message.time_to_live.as_ref()));
    v.finish_with(|| {
        Some(NewToken {
            member_id: member_id?,
            scopes: scopes?,
            time_to_live: time_to_live?,
        })
    })
}

fn time_to_live(duration: Option<&prost_types::Duration>) -> Result<TimeDelta, Problem> {
    let Some(duration) = duration else {
        return Ok(TIME_TO_LIVE_DEFAULT);
    };
    u32::try_from(duration.nanos)
        .ok()
        .and_then(|nanos| TimeDelta::new(duration.seconds, nanos))
        .filter(|length| (TimeDelta::seconds(1)..=MEMBER_TOKEN_LIFE_MAX).contains(length))
        .ok_or_else(|| Problem::new("must be from 1 second to 1 hour"))
}

fn present(issued: Issued) -> pb::IssueMemberTokenResponse {
    pb::IssueMemberTokenResponse {
        token: issued.text,
        expire_time: Some(timestamp(issued.grant.expire_time)),
        scopes: issued.grant.scopes.into_iter().map(i32::from).collect(),
    }
}
