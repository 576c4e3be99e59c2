//! `fealty.members.v1.StaffService`.

use std::mem;

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::staff_service_server::StaffService;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::etag::Etag;
use fealty_rpc::fields;
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::Violations;
use fealty_service::call::{serve, serve_making};
use fealty_types::{ProgramId, StaffId, Version};
use tonic::{Request, Response, Status};

use super::Staff;
use super::domain::{NewStaffMember, StaffChange, StaffExternalId, StaffMember};
use crate::display_name::DisplayName;

const CREATE: &str = "/fealty.members.v1.StaffService/CreateStaffMember";
const LIST: &str = "/fealty.members.v1.StaffService/ListStaffMembers";

/// What an update may name.
const UPDATABLE: [&str; 3] = ["display_name", "external_id", "active"];

/// The rpcs of staff.
#[derive(Debug, Clone)]
pub struct StaffGrpc {
    staff: Staff,
}

impl StaffGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(staff: Staff) -> Self {
        Self { staff }
    }
}

#[tonic::async_trait]
impl StaffService for StaffGrpc {
    async fn create_staff_member(
        &self,
        request: Request<pb::CreateStaffMemberRequest>,
    ) -> Result<Response<pb::CreateStaffMemberResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, new) = parse_create(program_id, message)?;
            let made = self.staff.create(program_id, &attempt, new).await?;
            Ok(made.map(|member| pb::CreateStaffMemberResponse {
                staff_member: Some(present(member)),
            }))
        })
        .await
    }

    async fn get_staff_member(
        &self,
        request: Request<pb::GetStaffMemberRequest>,
    ) -> Result<Response<pb::GetStaffMemberResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let staff_id = v.check("staff_id", fields::parse::<StaffId>(&message.staff_id));
            let staff_id = v.finish_with(|| staff_id)?;
            let member = self.staff.get(caller.program_id()?, staff_id).await?;
            Ok(pb::GetStaffMemberResponse {
                staff_member: Some(present(member)),
            })
        })
        .await
    }

    async fn update_staff_member(
        &self,
        request: Request<pb::UpdateStaffMemberRequest>,
    ) -> Result<Response<pb::UpdateStaffMemberResponse>, Status> {
        serve(request, async |caller, message| {
            let update = parse_update(&message)?;
            let program_id = caller.program_id()?;
            let member = self
                .staff
                .update(program_id, update.staff_id, update.meant_for, &update.change)
                .await?;
            Ok(pb::UpdateStaffMemberResponse {
                staff_member: Some(present(member)),
            })
        })
        .await
    }

    async fn list_staff_members(
        &self,
        request: Request<pb::ListStaffMembersRequest>,
    ) -> Result<Response<pb::ListStaffMembersResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let tokens = PageTokens::try_new(LIST, Some(program_id), &())?;
            let page = PageRequest::<StaffId>::parse(tokens, message.page_size, &message.page_token)?;
            let members = self
                .staff
                .list(program_id, page.after(), page.count_max())
                .await?;
            let (members, next_page_token) = page.cut(members, |member| member.staff_id)?;
            Ok(pb::ListStaffMembersResponse {
                staff_members: members.into_iter().map(present).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse_create(
    program_id: ProgramId,
    mut message: pb::CreateStaffMemberRequest,
) -> Result<(Attempt, NewStaffMember), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(CREATE, &message);
    let new = v.message("staff_member", message.staff_member, |v, member| {
        let display_name = v.check("display_name", fields::parse::<DisplayName>(&member.display_name));
        let external_id = v.check(
            "external_id",
            fields::optional::<StaffExternalId>(&member.external_id),
        );
        Some(NewStaffMember {
            display_name: display_name?,
            external_id: external_id?,
        })
    });
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, CREATE, command_hash);
        Some((attempt, new?))
    })
}

struct Update {
    staff_id: StaffId,
    meant_for: Option<Version>,
    change: StaffChange,
}

fn parse_update(message: &pb::UpdateStaffMemberRequest) -> Result<Update, ApiError> {
    let mut v = Violations::default();
    let mask = fields::field_mask(&mut v, message.update_mask.as_ref(), &UPDATABLE);
    let update = v.message("staff_member", message.staff_member.as_ref(), |v, member| {
        let staff_id = v.check("staff_id", fields::parse::<StaffId>(&member.staff_id));
        let etag = v.check("etag", fields::optional::<Etag>(&member.etag));
        let display_name = mask
            .names("display_name")
            .then(|| v.check("display_name", fields::parse::<DisplayName>(&member.display_name)));
        let external_id = mask.names("external_id").then(|| {
            v.check(
                "external_id",
                fields::optional::<StaffExternalId>(&member.external_id),
            )
        });
        Some(Update {
            staff_id: staff_id?,
            meant_for: etag?.map(Etag::version),
            change: StaffChange {
                display_name: display_name.flatten(),
                external_id: external_id.flatten(),
                active: mask.names("active").then_some(member.active),
            },
        })
    });
    v.finish_with(|| update)
}

fn present(member: StaffMember) -> pb::StaffMember {
    pb::StaffMember {
        staff_id: member.staff_id.to_string(),
        display_name: member.display_name.into(),
        external_id: member
            .external_id
            .map(|external_id| external_id.as_str().to_owned())
            .unwrap_or_default(),
        active: member.active,
        create_time: Some(timestamp(member.create_time)),
        update_time: Some(timestamp(member.update_time)),
        etag: Etag::new(member.revision.get()).to_string(),
    }
}
