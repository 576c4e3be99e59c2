//! What a household is. Pure.

mod invitation;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fealty_types::{HouseholdId, MemberId, Points, UnitCode};

use crate::people::domain::MemberStatus;

pub use invitation::{
    INVITATION_LENGTH, INVITATION_LENGTH_MAX, INVITATIONS_MAX, Invitation, InvitationStatus, NewInvitation,
};

/// Limits that one member may have, as the ledger takes them.
pub const LIMITS_MAX: usize = 20;

/// What somebody may do in a household.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HouseholdRole {
    /// Everything. There is one.
    Head,
    /// Spend, invite, leave.
    Adult,
    /// Spend.
    Child,
}

impl HouseholdRole {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "HEAD",
            Self::Adult => "ADULT",
            Self::Child => "CHILD",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        [Self::Head, Self::Adult, Self::Child]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

/// How much of a unit may be spent. At least one bound is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Most of one day.
    pub day_value_max: Option<Points>,
    /// Most of one calendar month.
    pub month_value_max: Option<Points>,
}

/// By unit; none for as much as there is.
pub type Limits = BTreeMap<UnitCode, Limit>;

/// What somebody may do in a household, and spend of what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What they may do.
    pub role: HouseholdRole,
    /// What they may spend.
    pub limits: Limits,
}

/// A place in a household, as a change of it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Whose.
    pub member_id: MemberId,
    /// What they may do in it.
    pub role: HouseholdRole,
    /// What they may do at all.
    pub status: MemberStatus,
    /// They are on the way out.
    pub is_leaving: bool,
}

/// What becomes of what a household has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DissolvePolicy {
    /// The head has all of it.
    ToHead,
    /// Everybody has the same share; the head has the rest.
    EqualShares,
}

impl DissolvePolicy {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ToHead => "TO_HEAD",
            Self::EqualShares => "EQUAL_SHARES",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        [Self::ToHead, Self::EqualShares]
            .into_iter()
            .find(|policy| policy.as_str() == text)
    }
}

/// Somebody who belongs to a household.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseholdMember {
    /// Who.
    pub member_id: MemberId,
    /// What they may do in it, and spend.
    pub terms: Terms,
    /// Since when.
    pub join_time: DateTime<Utc>,
}

/// Members who share one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Household {
    /// Its id, which its owner in the ledger bears too.
    pub household_id: HouseholdId,
    /// Who belongs to it, in the order of joining.
    pub members: Vec<HouseholdMember>,
    /// When it was made.
    pub create_time: DateTime<Utc>,
    /// When it was dissolved.
    pub dissolve_time: Option<DateTime<Utc>>,
}

impl Household {
    /// Who may do everything in it.
    #[must_use]
    pub fn head(&self) -> Option<MemberId> {
        let mut members = self.members.iter();
        let head = members.find(|member| member.terms.role == HouseholdRole::Head);
        head.map(|head| head.member_id)
    }
}
