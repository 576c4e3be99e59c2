//! What is refused of households.

use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::ApiError;
use fealty_types::{HouseholdId, InvitationId, MemberId};

use crate::households::domain::{HouseholdRole, InvitationStatus};
use crate::refusal::HouseholdRefusal;

impl From<HouseholdRefusal> for ApiError {
    fn from(refusal: HouseholdRefusal) -> Self {
        match refusal {
            HouseholdRefusal::RoleInsufficient {
                household_id,
                member_id,
                role,
            } => role_insufficient(household_id, member_id, role),
            HouseholdRefusal::Empty(household_id) => empty(household_id),
            HouseholdRefusal::Dissolved(household_id) => dissolved(household_id),
            HouseholdRefusal::InvitationNotOpen {
                invitation_id,
                status,
            } => invitation_not_open(invitation_id, status),
        }
    }
}

fn role_insufficient(
    household_id: HouseholdId,
    member_id: MemberId,
    role: Option<HouseholdRole>,
) -> ApiError {
    ApiError::refused(
        ErrorReason::HouseholdRoleInsufficient,
        "The member {member_id} may not do this in the household {household_id}, or it would be left without an adult.",
    )
    .with("household_id", household_id)
    .with("member_id", member_id)
    .with("role", role.map_or("", HouseholdRole::as_str))
}

fn empty(household_id: HouseholdId) -> ApiError {
    ApiError::refused(
        ErrorReason::HouseholdRoleInsufficient,
        "The household {household_id} has no member who could have what it has: add one first.",
    )
    .with("household_id", household_id)
    .with("member_id", "")
    .with("role", "")
}

/// As the ledger says it of the household's account.
fn dissolved(household_id: HouseholdId) -> ApiError {
    let template = "The household {owner_id} is dissolved.";
    ApiError::refused(ErrorReason::OwnerClosed, template).with("owner_id", household_id)
}

fn invitation_not_open(invitation_id: InvitationId, status: InvitationStatus) -> ApiError {
    ApiError::refused(
        ErrorReason::HouseholdInvitationNotOpen,
        "The invitation {invitation_id} is not open: it is {status}.",
    )
    .with("invitation_id", invitation_id)
    .with("status", status.as_str())
}
