//! Which changes of members there are that the ledger has to know of first, and when they may be made. Pure.

use std::collections::BTreeSet;

use fealty_types::{HouseholdId, MemberId};
use uuid::Uuid;

use crate::people::domain::MemberStatus;
use crate::refusal::{Refusal, Resource};

/// Members of one household: a large family, and few enough to be told in one answer.
pub const HOUSEHOLD_MEMBERS_MAX: usize = 20;

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A member is to have another status: active, suspended or closed.
    Status {
        /// Whom it is about.
        member_id: MemberId,
        /// Which.
        status: MemberStatus,
    },
    /// Two records of one person are to become one.
    Merge {
        /// The record that ends.
        from_member_id: MemberId,
        /// The record that stays.
        into_member_id: MemberId,
    },
    /// A member is to begin a household.
    CreateHousehold {
        /// The first member.
        member_id: MemberId,
    },
    /// A member is to join a household.
    JoinHousehold {
        /// Who.
        member_id: MemberId,
        /// Which.
        household_id: HouseholdId,
    },
    /// A member is to leave a household.
    LeaveHousehold {
        /// Who.
        member_id: MemberId,
        /// Which.
        household_id: HouseholdId,
    },
}

impl Asked {
    /// Whom it is about; in a merge the record that ends.
    #[must_use]
    pub const fn member_id(&self) -> MemberId {
        match self {
            Self::Status { member_id, .. }
            | Self::Merge {
                from_member_id: member_id,
                ..
            }
            | Self::CreateHousehold { member_id }
            | Self::JoinHousehold { member_id, .. }
            | Self::LeaveHousehold { member_id, .. } => *member_id,
        }
    }

    /// Everybody who takes part.
    #[must_use]
    pub fn member_ids(&self) -> BTreeSet<MemberId> {
        let into = match self {
            Self::Merge { into_member_id, .. } => Some(*into_member_id),
            _ => None,
        };
        into.into_iter().chain([self.member_id()]).collect()
    }

    /// The household that must be there.
    #[must_use]
    pub const fn household_id(&self) -> Option<HouseholdId> {
        match self {
            Self::JoinHousehold { household_id, .. } | Self::LeaveHousehold { household_id, .. } => {
                Some(*household_id)
            }
            Self::Status { .. } | Self::Merge { .. } | Self::CreateHousehold { .. } => None,
        }
    }
}

/// A change as it is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// Another status.
    Status {
        /// Which.
        status: MemberStatus,
        /// The number of this change among those of the member's status: the ledger takes them in this order.
        status_revision: i64,
    },
    /// The record ends in another.
    Merge {
        /// The record that stays.
        into_member_id: MemberId,
        /// Where the record that ends belongs: the one that stays takes that place.
        household_id: Option<HouseholdId>,
    },
    /// A new household.
    CreateHousehold {
        /// Which.
        household_id: HouseholdId,
    },
    /// Into a household.
    JoinHousehold {
        /// Which.
        household_id: HouseholdId,
    },
    /// Out of a household.
    LeaveHousehold {
        /// Which.
        household_id: HouseholdId,
    },
}

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeState {
    /// Stored, and the ledger may know of it.
    Open,
    /// Made.
    Done,
    /// The ledger said no; nothing was done.
    Refused,
}

impl ChangeState {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Done => "DONE",
            Self::Refused => "REFUSED",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        [Self::Open, Self::Done, Self::Refused]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// A change that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Its id; a household that it makes bears it too.
    pub change_id: Uuid,
    /// Whom it is about; in a merge the record that ends.
    pub member_id: MemberId,
    /// What is changed.
    pub kind: ChangeKind,
    /// How far it has come.
    pub state: ChangeState,
}

impl Change {
    /// Everybody who takes part.
    #[must_use]
    pub fn member_ids(&self) -> BTreeSet<MemberId> {
        let into = match self.kind {
            ChangeKind::Merge { into_member_id, .. } => Some(into_member_id),
            _ => None,
        };
        into.into_iter().chain([self.member_id]).collect()
    }
}

/// What matters of a member for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taking {
    /// Who takes part.
    pub member_id: MemberId,
    /// What they may do.
    pub status: MemberStatus,
    /// The number of the last change of their status.
    pub status_revision: i64,
    /// Where they belong.
    pub household_id: Option<HouseholdId>,
    /// The change that is under way already.
    pub open_change_id: Option<Uuid>,
}

/// Plans what is asked for; None when it is so already. `seats_taken` counts a household's members and those who are on
/// the way into it.
pub fn plan(
    asked: &Asked,
    taking: &[Taking],
    seats_taken: usize,
    change_id: Uuid,
) -> Result<Option<ChangeKind>, Refusal> {
    let member = |member_id: MemberId| {
        let found = taking.iter().find(|member| member.member_id == member_id);
        found.ok_or_else(|| Refusal::not_found(Resource::Member, member_id))
    };
    let about = member(asked.member_id())?;
    match *asked {
        Asked::Status { status, .. } => plan_status(about, status),
        Asked::Merge { into_member_id, .. } => plan_merge(about, member(into_member_id)?).map(Some),
        Asked::CreateHousehold { .. } => {
            check_active(about)?;
            check_without_household(about)?;
            let household_id = HouseholdId::try_from(change_id).map_err(|_| Refusal::Contended)?;
            Ok(Some(ChangeKind::CreateHousehold { household_id }))
        }
        Asked::JoinHousehold { household_id, .. } => plan_join(about, household_id, seats_taken),
        Asked::LeaveHousehold { household_id, .. } => {
            let belongs = about.household_id == Some(household_id);
            Ok(belongs.then_some(ChangeKind::LeaveHousehold { household_id }))
        }
    }
}

fn plan_status(member: &Taking, status: MemberStatus) -> Result<Option<ChangeKind>, Refusal> {
    if member.status == status {
        return Ok(None);
    }
    if member.status.is_final() {
        return Err(not_active(member));
    }
    Ok(Some(ChangeKind::Status {
        status,
        status_revision: member.status_revision.checked_add(1).ok_or(Refusal::Contended)?,
    }))
}

fn plan_merge(from: &Taking, into: &Taking) -> Result<ChangeKind, Refusal> {
    if from.member_id == into.member_id {
        return Err(Refusal::MergeRefused {
            member_id: from.member_id,
        });
    }
    for member in [from, into] {
        if member.status == MemberStatus::Merged {
            return Err(Refusal::MergeRefused {
                member_id: member.member_id,
            });
        }
        // Points of somebody who is being looked into would come free.
        check_active(member)?;
    }
    if let (Some(from_household_id), Some(into_household_id)) = (from.household_id, into.household_id)
        && from_household_id != into_household_id
    {
        return Err(Refusal::HouseholdTaken {
            member_id: into.member_id,
            household_id: into_household_id,
        });
    }
    Ok(ChangeKind::Merge {
        into_member_id: into.member_id,
        household_id: from.household_id,
    })
}

fn plan_join(
    member: &Taking,
    household_id: HouseholdId,
    seats_taken: usize,
) -> Result<Option<ChangeKind>, Refusal> {
    if member.household_id == Some(household_id) {
        return Ok(None);
    }
    // Others could spend what a suspended member brings along.
    check_active(member)?;
    check_without_household(member)?;
    if seats_taken >= HOUSEHOLD_MEMBERS_MAX {
        return Err(Refusal::HouseholdFull {
            count_max: HOUSEHOLD_MEMBERS_MAX,
        });
    }
    Ok(Some(ChangeKind::JoinHousehold { household_id }))
}

fn check_active(member: &Taking) -> Result<(), Refusal> {
    if member.status == MemberStatus::Active {
        Ok(())
    } else {
        Err(not_active(member))
    }
}

fn check_without_household(member: &Taking) -> Result<(), Refusal> {
    match member.household_id {
        Some(household_id) => Err(Refusal::HouseholdTaken {
            member_id: member.member_id,
            household_id,
        }),
        None => Ok(()),
    }
}

const fn not_active(member: &Taking) -> Refusal {
    Refusal::MemberNotActive {
        member_id: member.member_id,
        status: member.status,
    }
}

#[cfg(test)]
mod tests;
