//! `fealty.members.v1.HouseholdService`.

mod parse;
mod present;

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::household_service_server::HouseholdService;
use fealty_proto::members::v1::list_household_invitations_request::Of;
use fealty_rpc::access::Caller;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::violations::Violations;
use fealty_service::call::{serve, serve_making};
use fealty_types::InvitationId;
use tonic::{Request, Response, Status};

use super::Households;
use super::inviting::Ending;
use super::storage::InvitationsOf;
use crate::changes::Because;

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
            let (attempt, member_id) = parse::create(program_id, message)?;
            let made = self
                .households
                .create(program_id, &attempt, member_id, &because(&caller))
                .await?;
            Ok(made.map(|household| pb::CreateHouseholdResponse {
                household: Some(present::household(&household)),
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
                household: Some(present::household(&household)),
            })
        })
        .await
    }

    async fn add_household_member(
        &self,
        request: Request<pb::AddHouseholdMemberRequest>,
    ) -> Result<Response<pb::AddHouseholdMemberResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, who) = parse::add(program_id, message)?;
            let made = self
                .households
                .add_member(program_id, &attempt, who, &because(&caller))
                .await?;
            Ok(made.map(|household| pb::AddHouseholdMemberResponse {
                household: Some(present::household(&household)),
            }))
        })
        .await
    }

    async fn remove_household_member(
        &self,
        request: Request<pb::RemoveHouseholdMemberRequest>,
    ) -> Result<Response<pb::RemoveHouseholdMemberResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, who) = parse::remove(program_id, message)?;
            let made = self
                .households
                .remove_member(program_id, &attempt, who, &because(&caller))
                .await?;
            Ok(made.map(|household| pb::RemoveHouseholdMemberResponse {
                household: Some(present::household(&household)),
            }))
        })
        .await
    }

    async fn leave_household(
        &self,
        request: Request<pb::LeaveHouseholdRequest>,
    ) -> Result<Response<pb::LeaveHouseholdResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, who) = parse::leave(program_id, message)?;
            let made = self
                .households
                .remove_member(program_id, &attempt, who, &because(&caller))
                .await?;
            Ok(made.map(|household| pb::LeaveHouseholdResponse {
                household: Some(present::household(&household)),
            }))
        })
        .await
    }

    async fn set_household_terms(
        &self,
        request: Request<pb::SetHouseholdTermsRequest>,
    ) -> Result<Response<pb::SetHouseholdTermsResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, what) = parse::set_terms(program_id, message)?;
            let made = self
                .households
                .set_terms(program_id, &attempt, what, &because(&caller))
                .await?;
            Ok(made.map(|household| pb::SetHouseholdTermsResponse {
                household: Some(present::household(&household)),
            }))
        })
        .await
    }

    async fn dissolve_household(
        &self,
        request: Request<pb::DissolveHouseholdRequest>,
    ) -> Result<Response<pb::DissolveHouseholdResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, what) = parse::dissolve(program_id, message)?;
            let made = self
                .households
                .dissolve(program_id, &attempt, what, &because(&caller))
                .await?;
            Ok(made.map(|household| pb::DissolveHouseholdResponse {
                household: Some(present::household(&household)),
            }))
        })
        .await
    }

    async fn invite_to_household(
        &self,
        request: Request<pb::InviteToHouseholdRequest>,
    ) -> Result<Response<pb::InviteToHouseholdResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let now = self.households.now();
            let (attempt, new) = parse::invite(program_id, now, message)?;
            let made = self.households.invite(program_id, &attempt, &new).await?;
            Ok(made.map(|invitation| pb::InviteToHouseholdResponse {
                invitation: Some(present::invitation(&invitation, now)),
            }))
        })
        .await
    }

    async fn accept_household_invitation(
        &self,
        request: Request<pb::AcceptHouseholdInvitationRequest>,
    ) -> Result<Response<pb::AcceptHouseholdInvitationResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, who) = parse::accept(program_id, message)?;
            let made = self
                .households
                .accept(program_id, &attempt, who, &because(&caller))
                .await?;
            Ok(made.map(|household| pb::AcceptHouseholdInvitationResponse {
                household: Some(present::household(&household)),
            }))
        })
        .await
    }

    async fn decline_household_invitation(
        &self,
        request: Request<pb::DeclineHouseholdInvitationRequest>,
    ) -> Result<Response<pb::DeclineHouseholdInvitationResponse>, Status> {
        serve(request, async |caller, message| {
            let (invitation_id, member_id) = parse::decline(&message)?;
            let declined = self
                .households
                .end_invitation(caller.program_id()?, invitation_id, Ending::Declined(member_id))
                .await?;
            Ok(pb::DeclineHouseholdInvitationResponse {
                invitation: Some(present::invitation(&declined, self.households.now())),
            })
        })
        .await
    }

    async fn withdraw_household_invitation(
        &self,
        request: Request<pb::WithdrawHouseholdInvitationRequest>,
    ) -> Result<Response<pb::WithdrawHouseholdInvitationResponse>, Status> {
        serve(request, async |caller, message| {
            let (invitation_id, by) = parse::withdraw(&message)?;
            let withdrawn = self
                .households
                .end_invitation(caller.program_id()?, invitation_id, Ending::Withdrawn(by))
                .await?;
            Ok(pb::WithdrawHouseholdInvitationResponse {
                invitation: Some(present::invitation(&withdrawn, self.households.now())),
            })
        })
        .await
    }

    async fn list_household_invitations(
        &self,
        request: Request<pb::ListHouseholdInvitationsRequest>,
    ) -> Result<Response<pb::ListHouseholdInvitationsResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let mut v = Violations::default();
            let (of, named) = match &message.of {
                Some(Of::HouseholdId(id)) => {
                    let household_id = v.check("household_id", fields::parse(id));
                    (household_id.map(InvitationsOf::Household), id.as_str())
                }
                Some(Of::MemberId(id)) => {
                    let member_id = v.check("member_id", fields::parse(id));
                    (member_id.map(InvitationsOf::Member), id.as_str())
                }
                None => {
                    v.add("of", "is required: one of household_id, member_id");
                    (None, "")
                }
            };
            let page_size = v.check("page_size", PageSize::parse(message.page_size));
            let (of, page_size) = v.finish_with(|| Some((of?, page_size?)))?;
            let tokens = PageTokens::try_new(parse::LIST_INVITATIONS, Some(program_id), &named)?;
            let page = PageRequest::<InvitationId>::try_new(tokens, page_size, &message.page_token)?;
            let invitations = self
                .households
                .list_invitations(program_id, of, page.after(), page.count_max())
                .await?;
            let (invitations, next_page_token) =
                page.cut(invitations, |invitation| invitation.invitation_id)?;
            let now = self.households.now();
            let invitations = invitations.iter().map(|it| present::invitation(it, now));
            Ok(pb::ListHouseholdInvitationsResponse {
                invitations: invitations.collect(),
                next_page_token,
            })
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
