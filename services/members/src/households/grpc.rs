//! `fealty.members.v1.HouseholdService`.

use std::mem;

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::household_service_server::HouseholdService;
use fealty_rpc::access::Caller;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::Violations;
use fealty_service::call::{serve, serve_making};
use fealty_types::{HouseholdId, MemberId, ProgramId};
use tonic::{Request, Response, Status};

use super::Households;
use super::domain::Household;
use crate::changes::Because;

const CREATE: &str = "/fealty.members.v1.HouseholdService/CreateHousehold";
const ADD: &str = "/fealty.members.v1.HouseholdService/AddHouseholdMember";
const REMOVE: &str = "/fealty.members.v1.HouseholdService/RemoveHouseholdMember";

/// The rpcs of households.
#[derive(Debug, Clone)]
pub struct HouseholdGrpc {
    households: Households,
}

impl HouseholdGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(households: Households) -> Self {
        Self { households }
    }
}

#[tonic::async_trait]
impl HouseholdService for HouseholdGrpc {
    async fn create_household(
        &self,
        request: Request<pb::CreateHouseholdRequest>,
    ) -> Result<Response<pb::CreateHouseholdResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, member_id) = parse_create(program_id, message)?;
            let made = self
                .households
                .create(program_id, &attempt, member_id, &because(&caller))
                .await?;
            Ok(made.map(|household| pb::CreateHouseholdResponse {
                household: Some(present(&household)),
            }))
        })
        .await
    }

    async fn get_household(
        &self,
        request: Request<pb::GetHouseholdRequest>,
    ) -> Result<Response<pb::GetHouseholdResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let household_id = v.check("household_id", fields::parse(&message.household_id));
            let household_id = v.finish_with(|| household_id)?;
            let household = self.households.get(caller.program_id()?, household_id).await?;
            Ok(pb::GetHouseholdResponse {
                household: Some(present(&household)),
            })
        })
        .await
    }

    async fn add_household_member(
        &self,
        request: Request<pb::AddHouseholdMemberRequest>,
    ) -> Result<Response<pb::AddHouseholdMemberResponse>, Status> {
        serve_making(request, async |caller, mut message| {
            let program_id = caller.program_id()?;
            let request_id = mem::take(&mut message.request_id);
            let hash = command_hash(ADD, &message);
            let ids = (message.household_id.as_str(), message.member_id.as_str());
            let (attempt, who) = parse_member(program_id, ADD, (&request_id, hash), ids)?;
            let made = self
                .households
                .add_member(program_id, &attempt, who, &because(&caller))
                .await?;
            Ok(made.map(|household| pb::AddHouseholdMemberResponse {
                household: Some(present(&household)),
            }))
        })
        .await
    }

    async fn remove_household_member(
        &self,
        request: Request<pb::RemoveHouseholdMemberRequest>,
    ) -> Result<Response<pb::RemoveHouseholdMemberResponse>, Status> {
        serve_making(request, async |caller, mut message| {
            let program_id = caller.program_id()?;
            let request_id = mem::take(&mut message.request_id);
            let hash = command_hash(REMOVE, &message);
            let ids = (message.household_id.as_str(), message.member_id.as_str());
            let (attempt, who) = parse_member(program_id, REMOVE, (&request_id, hash), ids)?;
            let made = self
                .households
                .remove_member(program_id, &attempt, who, &because(&caller))
                .await?;
            Ok(made.map(|household| pb::RemoveHouseholdMemberResponse {
                household: Some(present(&household)),
            }))
        })
        .await
    }
}

fn because(caller: &Caller) -> Because {
    Because {
        actor: caller.actor(),
        reason: None,
    }
}

fn parse_create(
    program_id: ProgramId,
    mut message: pb::CreateHouseholdRequest,
) -> Result<(Attempt, MemberId), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(CREATE, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, CREATE, command_hash);
        Some((attempt, member_id?))
    })
}

/// Who is to come or go, and where.
fn parse_member(
    program_id: ProgramId,
    method: &'static str,
    (request_id, command_hash): (&str, [u8; 32]),
    (household_id, member_id): (&str, &str),
) -> Result<(Attempt, (HouseholdId, MemberId)), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(request_id));
    let household_id = v.check("household_id", fields::parse(household_id));
    let member_id = v.check("member_id", fields::parse(member_id));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, method, command_hash);
        Some((attempt, (household_id?, member_id?)))
    })
}

fn present(household: &Household) -> pb::Household {
    pb::Household {
        household_id: household.household_id.to_string(),
        member_ids: household.member_ids.iter().map(MemberId::to_string).collect(),
        create_time: Some(timestamp(household.create_time)),
    }
}
