//! Members: says of anybody what a test has said of them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use fealty_proto::members::v1 as pb;
use fealty_rpc::errors::ApiError;
use fealty_runtime::Process;
use futures::future::BoxFuture;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::lock;

pub struct MembersStandIn {
    pub address: SocketAddr,
    people: People,
    process: Process,
}

/// The one method that rewards asks for, whatever else the service offers.
#[derive(Debug, Clone, Default)]
struct People(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    members: HashMap<String, pb::Member>,
    away: bool,
}

impl MembersStandIn {
    pub async fn start() -> Self {
        let people = People::default();
        let router = Server::builder().add_service(people.clone());
        let (address, process) = super::serve("members stand-in", router).await;
        Self {
            address,
            people,
            process,
        }
    }

    /// Puts somebody into a tier of a ladder.
    pub fn climb(&self, member_id: &str, ladder_code: &str, tier_code: &str) {
        let mut people = lock(&self.people.0);
        let member = people.members.get_mut(member_id).expect("a member");
        member.tiers.push(pb::TierRef {
            ladder_code: ladder_code.to_owned(),
            tier_code: tier_code.to_owned(),
        });
    }

    /// Somebody who is active, with that tier.
    pub fn enrol(&self, member_id: &str, tier_code: &str) {
        let member = pb::Member {
            member_id: member_id.to_owned(),
            status: pb::MemberStatus::Active.into(),
            tier_code: tier_code.to_owned(),
            ..pb::Member::default()
        };
        lock(&self.people.0).members.insert(member_id.to_owned(), member);
    }

    pub fn set_status(&self, member_id: &str, status: pb::MemberStatus) {
        let mut state = lock(&self.people.0);
        let member = state.members.get_mut(member_id).expect("they were enrolled");
        member.status = status.into();
    }

    pub fn set_away(&self, away: bool) {
        lock(&self.people.0).away = away;
    }
}

impl Drop for MembersStandIn {
    fn drop(&mut self) {
        self.process.tasks().shut_down();
    }
}

impl NamedService for People {
    const NAME: &'static str = "fealty.members.v1.MemberService";
}

impl Service<http::Request<Body>> for People {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let people = self.clone();
        Box::pin(async move {
            assert_eq!(request.uri().path(), "/fealty.members.v1.MemberService/GetMember");
            let mut grpc = Grpc::new(ProstCodec::default());
            Ok(grpc.unary(people, request).await)
        })
    }
}

impl UnaryService<pb::GetMemberRequest> for People {
    type Response = pb::GetMemberResponse;
    type Future = BoxFuture<'static, Result<Response<pb::GetMemberResponse>, Status>>;

    fn call(&mut self, request: Request<pb::GetMemberRequest>) -> Self::Future {
        let member_id = request.into_inner().member_id;
        let state = lock(&self.0);
        let answer = if state.away {
            Err(Status::unavailable("told to be away"))
        } else {
            let member = state.members.get(&member_id).cloned();
            member.ok_or_else(|| ApiError::not_found("member", &member_id).to_status())
        };
        let answer = answer.map(|member| Response::new(pb::GetMemberResponse { member: Some(member) }));
        Box::pin(async move { answer })
    }
}
