//! `OwnerService`: parse, call, present.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::owner_service_server::OwnerService;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::{serve, serve_making};
use fealty_types::{OwnerId, RequestId};
use tonic::{Request, Response, Status};

use super::Owners;
use super::domain::{Owner, OwnerKind};

#[tonic::async_trait]
impl OwnerService for Owners {
    async fn open_owner(
        &self,
        request: Request<pb::OpenOwnerRequest>,
    ) -> Result<Response<pb::OpenOwnerResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (owner_id, kind) = parse_open(&message)?;
            let made = self.open(caller.program_id()?, owner_id, kind).await?;
            Ok(made.map(|owner| pb::OpenOwnerResponse {
                owner: Some(present(&owner)),
            }))
        })
        .await
    }

    async fn get_owner(
        &self,
        request: Request<pb::GetOwnerRequest>,
    ) -> Result<Response<pb::GetOwnerResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
            let owner_id = v.finish_with(|| owner_id)?;
            let owner = self.get(caller.program_id()?, owner_id).await?;
            Ok(pb::GetOwnerResponse {
                owner: Some(present(&owner)),
            })
        })
        .await
    }
}

fn parse_open(message: &pb::OpenOwnerRequest) -> Result<(OwnerId, OwnerKind), ApiError> {
    let mut v = Violations::default();
    // Asked for like everywhere else; the owner's id already tells one attempt from another.
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
    let kind = v.check("kind", parse_kind(message.kind));
    v.finish_with(|| request_id.and(Some((owner_id?, kind?))))
}

fn parse_kind(kind: i32) -> Result<OwnerKind, Problem> {
    match fields::enumeration::<pb::OwnerKind>(kind)? {
        pb::OwnerKind::Member => Ok(OwnerKind::Member),
        pb::OwnerKind::Partner => Ok(OwnerKind::Partner),
        pb::OwnerKind::Staff => Ok(OwnerKind::Staff),
        pb::OwnerKind::Unspecified => Err(Problem::required()),
    }
}

fn present(owner: &Owner) -> pb::Owner {
    let kind = match owner.kind {
        OwnerKind::Member => pb::OwnerKind::Member,
        OwnerKind::Partner => pb::OwnerKind::Partner,
        OwnerKind::Staff => pb::OwnerKind::Staff,
    };
    pb::Owner {
        owner_id: owner.owner_id.to_string(),
        kind: kind.into(),
        version: owner.version.get(),
        create_time: Some(timestamp(owner.create_time)),
    }
}
