//! `OwnerService`: parse, call, present.

mod households;

use fealty_postgres::requests::Request as Claimed;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::owner_service_server::OwnerService;
use fealty_rpc::access::Caller;
use fealty_rpc::errors::ApiError;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_rpc::{command_hash, fields};
use fealty_service::call::{serve, serve_making};
use fealty_types::{OwnerId, RequestId};
use prost::Message;
use tonic::{Request, Response, Status};

use super::domain::{Owner, OwnerKind, OwnerStatus};
use super::{Attempt, Owners};

const JOIN_HOUSEHOLD: &str = "/fealty.ledger.v1.OwnerService/JoinHousehold";
const LEAVE_HOUSEHOLD: &str = "/fealty.ledger.v1.OwnerService/LeaveHousehold";
const MERGE_OWNERS: &str = "/fealty.ledger.v1.OwnerService/MergeOwners";

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

    async fn set_owner_status(
        &self,
        request: Request<pb::SetOwnerStatusRequest>,
    ) -> Result<Response<pb::SetOwnerStatusResponse>, Status> {
        serve(request, async |caller, message| {
            let (owner_id, status, revision) = parse_set_status(&message)?;
            let owner = self
                .set_status(caller.program_id()?, owner_id, status, revision)
                .await?;
            Ok(pb::SetOwnerStatusResponse {
                owner: Some(present(&owner)),
            })
        })
        .await
    }

    async fn join_household(
        &self,
        request: Request<pb::JoinHouseholdRequest>,
    ) -> Result<Response<pb::JoinHouseholdResponse>, Status> {
        serve_making(request, async |caller, message| {
            let mut v = Violations::default();
            let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
            let pair = parse_pair(
                &mut v,
                ("owner_id", &message.owner_id),
                ("household_owner_id", &message.household_owner_id),
            );
            let (request_id, pair) = v.finish_with(|| Some((request_id?, pair?)))?;
            let command = pb::JoinHouseholdRequest {
                request_id: String::new(),
                ..message
            };
            let attempt = attempt(&caller, request_id, JOIN_HOUSEHOLD, &command)?;
            let made = self.join(caller.program_id()?, &attempt, pair).await?;
            Ok(made.map(|owner| pb::JoinHouseholdResponse {
                owner: Some(present(&owner)),
            }))
        })
        .await
    }

    async fn leave_household(
        &self,
        request: Request<pb::LeaveHouseholdRequest>,
    ) -> Result<Response<pb::LeaveHouseholdResponse>, Status> {
        serve_making(request, async |caller, message| {
            let mut v = Violations::default();
            let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
            let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
            let (request_id, owner_id) = v.finish_with(|| Some((request_id?, owner_id?)))?;
            let command = pb::LeaveHouseholdRequest {
                request_id: String::new(),
                ..message
            };
            let attempt = attempt(&caller, request_id, LEAVE_HOUSEHOLD, &command)?;
            let made = self.leave(caller.program_id()?, &attempt, owner_id).await?;
            Ok(made.map(|owner| pb::LeaveHouseholdResponse {
                owner: Some(present(&owner)),
            }))
        })
        .await
    }

    async fn merge_owners(
        &self,
        request: Request<pb::MergeOwnersRequest>,
    ) -> Result<Response<pb::MergeOwnersResponse>, Status> {
        serve_making(request, async |caller, message| {
            let mut v = Violations::default();
            let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
            let pair = parse_pair(
                &mut v,
                ("from_owner_id", &message.from_owner_id),
                ("into_owner_id", &message.into_owner_id),
            );
            let (request_id, pair) = v.finish_with(|| Some((request_id?, pair?)))?;
            let command = pb::MergeOwnersRequest {
                request_id: String::new(),
                ..message
            };
            let attempt = attempt(&caller, request_id, MERGE_OWNERS, &command)?;
            let made = self.merge(caller.program_id()?, &attempt, pair).await?;
            Ok(made.map(|(from, into)| pb::MergeOwnersResponse {
                from_owner: Some(present(&from)),
                into_owner: Some(present(&into)),
            }))
        })
        .await
    }
}

fn attempt(
    caller: &Caller,
    request_id: RequestId,
    method: &'static str,
    command: &impl Message,
) -> Result<Attempt, ApiError> {
    let hash = command_hash(method, command);
    Ok(Attempt {
        request: Claimed::of_program(caller.program_id()?, request_id, method, hash),
        actor: caller.actor(),
    })
}

/// Two owners who must not be one.
fn parse_pair(
    v: &mut Violations,
    (field, text): (&'static str, &str),
    (other_field, other_text): (&'static str, &str),
) -> Option<(OwnerId, OwnerId)> {
    let owner_id = v.check(field, fields::parse::<OwnerId>(text));
    let other = v.check(other_field, fields::parse::<OwnerId>(other_text));
    let pair = (owner_id?, other?);
    v.require(pair.0 != pair.1, other_field, "must be another owner");
    Some(pair)
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
        pb::OwnerKind::Household => Ok(OwnerKind::Household),
        pb::OwnerKind::Unspecified => Err(Problem::required()),
    }
}

fn parse_set_status(message: &pb::SetOwnerStatusRequest) -> Result<(OwnerId, OwnerStatus, i64), ApiError> {
    let mut v = Violations::default();
    let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
    let status = v.check("status", parse_status(message.status));
    let revision = v.check(
        "status_revision",
        fields::number(message.status_revision, 1..=i64::MAX),
    );
    v.finish_with(|| Some((owner_id?, status?, revision?)))
}

fn parse_status(status: i32) -> Result<OwnerStatus, Problem> {
    match fields::enumeration::<pb::OwnerStatus>(status)? {
        pb::OwnerStatus::Active => Ok(OwnerStatus::Active),
        pb::OwnerStatus::Suspended => Ok(OwnerStatus::Suspended),
        pb::OwnerStatus::Closed => Ok(OwnerStatus::Closed),
        pb::OwnerStatus::Merged => Err(Problem::new("is what MergeOwners makes")),
        pb::OwnerStatus::Unspecified => Err(Problem::required()),
    }
}

fn present(owner: &Owner) -> pb::Owner {
    let kind = match owner.kind {
        OwnerKind::Member => pb::OwnerKind::Member,
        OwnerKind::Partner => pb::OwnerKind::Partner,
        OwnerKind::Staff => pb::OwnerKind::Staff,
        OwnerKind::Household => pb::OwnerKind::Household,
    };
    let status = match owner.status {
        OwnerStatus::Active => pb::OwnerStatus::Active,
        OwnerStatus::Suspended => pb::OwnerStatus::Suspended,
        OwnerStatus::Closed => pb::OwnerStatus::Closed,
        OwnerStatus::Merged => pb::OwnerStatus::Merged,
    };
    pb::Owner {
        owner_id: owner.owner_id.to_string(),
        kind: kind.into(),
        version: owner.version.get(),
        create_time: Some(timestamp(owner.create_time)),
        status: status.into(),
        account_owner_id: owner
            .account_owner_id
            .as_ref()
            .map(OwnerId::to_string)
            .unwrap_or_default(),
    }
}
