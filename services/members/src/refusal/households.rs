//! What is refused of households.

use fealty_types::{HouseholdId, InvitationId, MemberId};

use super::Refusal;
use crate::households::domain::{HouseholdRole, InvitationStatus};

/// Why something about a household is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HouseholdRefusal {
    /// Whoever asks may not do that in the household, or it would be left without an adult.
    RoleInsufficient {
        /// Which household.
        household_id: HouseholdId,
        /// Who may not, or who may not go.
        member_id: MemberId,
        /// What they are in it; None for who does not belong to it.
        role: Option<HouseholdRole>,
    },
    /// The household has no member who could inherit what it has.
    Empty(HouseholdId),
    /// The household was dissolved.
    Dissolved(HouseholdId),
    /// The invitation was answered or withdrawn, or has passed its end.
    InvitationNotOpen {
        /// Which.
        invitation_id: InvitationId,
        /// What became of it.
        status: InvitationStatus,
    },
}

impl From<HouseholdRefusal> for Refusal {
    fn from(refusal: HouseholdRefusal) -> Self {
        Self::Household(refusal)
    }
}
