//! Which changes of members there are that the ledger has to know of first, and when they may be made. Pure.

mod house;

pub use house::require_may;

use std::collections::BTreeSet;

use fealty_types::{HouseholdId, InvitationId, MemberId};
use uuid::Uuid;

use crate::households::domain::{DissolvePolicy, HouseholdRole, Limits, Seat, Terms};
use crate::people::domain::MemberStatus;
use crate::refusal::{HouseholdRefusal, Refusal, Resource};

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
        /// What they may do there, and spend.
        terms: Terms,
        /// The invitation that says so.
        invitation_id: Option<InvitationId>,
    },
    /// A member is to leave a household.
    LeaveHousehold {
        /// Who.
        member_id: MemberId,
        /// Which.
        household_id: HouseholdId,
        /// Who wants it; None for the program.
        by: Option<MemberId>,
    },
    /// A member of a household is to have other terms.
    HouseholdTerms {
        /// Who.
        member_id: MemberId,
        /// Where.
        household_id: HouseholdId,
        /// Which.
        terms: Terms,
        /// Who wants it; None for the program.
        by: Option<MemberId>,
    },
    /// A household is to end.
    DissolveHousehold {
        /// Its head.
        head_member_id: MemberId,
        /// Which.
        household_id: HouseholdId,
        /// What becomes of what it has.
        policy: DissolvePolicy,
        /// Who wants it; None for the program.
        by: Option<MemberId>,
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
            | Self::LeaveHousehold { member_id, .. }
            | Self::HouseholdTerms { member_id, .. }
            | Self::DissolveHousehold {
                head_member_id: member_id,
                ..
            } => *member_id,
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
            Self::JoinHousehold { household_id, .. }
            | Self::LeaveHousehold { household_id, .. }
            | Self::HouseholdTerms { household_id, .. }
            | Self::DissolveHousehold { household_id, .. } => Some(*household_id),
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
        /// What they may do there.
        role: HouseholdRole,
        /// The invitation that is accepted by it.
        invitation_id: Option<InvitationId>,
    },
    /// Out of a household.
    LeaveHousehold {
        /// Which.
        household_id: HouseholdId,
    },
    /// Other terms in a household.
    HouseholdTerms {
        /// Which.
        household_id: HouseholdId,
        /// What they may do there.
        role: HouseholdRole,
    },
    /// The end of a household.
    DissolveHousehold {
        /// Which.
        household_id: HouseholdId,
        /// What becomes of what it has.
        policy: DissolvePolicy,
    },
}

/// What the ledger is told that somebody may spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsChange {
    /// By unit; none for as much as there is.
    pub limits: Limits,
    /// The number of this change among those of the member's limits: the ledger takes them in this order.
    pub revision: i64,
}

/// What is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is changed.
    pub kind: ChangeKind,
    /// What the ledger is told that the member may spend; of a merge, the one that stays.
    pub limits: Option<LimitsChange>,
    /// Who takes part beside whom it is about.
    pub also: BTreeSet<MemberId>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its id; a household that it makes bears it too.
    pub change_id: Uuid,
    /// Whom it is about; in a merge the record that ends.
    pub member_id: MemberId,
    /// What is changed.
    pub kind: ChangeKind,
    /// What the ledger is told that the member may spend; of a merge, the one that stays.
    pub limits: Option<LimitsChange>,
    /// Everybody in a household that is dissolved.
    pub also: BTreeSet<MemberId>,
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
        let others = self.also.iter().copied().chain(into);
        others.chain([self.member_id]).collect()
    }

    /// Whose limits it changes.
    #[must_use]
    pub const fn limited_member_id(&self) -> MemberId {
        match self.kind {
            ChangeKind::Merge { into_member_id, .. } => into_member_id,
            _ => self.member_id,
        }
    }
}

/// What matters of a member for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taking {
    /// Who takes part.
    pub member_id: MemberId,
    /// What they may do.
    pub status: MemberStatus,
    /// The number of the last change of their status.
    pub status_revision: i64,
    /// Where they belong.
    pub household_id: Option<HouseholdId>,
    /// What they may spend there.
    pub limits: Limits,
    /// The number of the last change of that.
    pub limits_revision: i64,
    /// The change that is under way already.
    pub open_change_id: Option<Uuid>,
}

/// The household that a change is about, under its lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Home {
    /// Who belongs to it.
    pub seats: Vec<Seat>,
    /// Its members and those who are on the way into it.
    pub seats_taken: usize,
    /// It is over.
    pub is_dissolved: bool,
}

/// Plans what is asked for; None when it is so already.
pub fn plan(asked: &Asked, taking: &[Taking], home: &Home, change_id: Uuid) -> Result<Option<Plan>, Refusal> {
    let member = |member_id: MemberId| {
        let found = taking.iter().find(|member| member.member_id == member_id);
        found.ok_or_else(|| Refusal::not_found(Resource::Member, member_id))
    };
    let about = member(asked.member_id())?;
    match asked {
        Asked::Status { status, .. } => Ok(plan_status(about, *status)?.map(Plan::plain)),
        Asked::Merge { into_member_id, .. } => plan_merge(about, member(*into_member_id)?).map(Some),
        Asked::CreateHousehold { .. } => {
            check_active(about)?;
            check_without_household(about)?;
            let household_id = HouseholdId::try_from(change_id).map_err(|_| Refusal::Contended)?;
            Ok(Some(Plan {
                limits: about.limited(&Limits::default())?,
                ..Plan::plain(ChangeKind::CreateHousehold { household_id })
            }))
        }
        Asked::JoinHousehold { household_id, .. } | Asked::HouseholdTerms { household_id, .. }
            if home.is_dissolved =>
        {
            Err(Refusal::Household(HouseholdRefusal::Dissolved(*household_id)))
        }
        Asked::DissolveHousehold { .. } if home.is_dissolved => Ok(None),
        Asked::JoinHousehold {
            household_id,
            terms,
            invitation_id,
            ..
        } => plan_join(about, home, (*household_id, *invitation_id), terms),
        Asked::LeaveHousehold { household_id, by, .. } => house::plan_leave(about, home, *household_id, *by),
        Asked::HouseholdTerms {
            household_id,
            terms,
            by,
            ..
        } => house::plan_terms(about, home, (*household_id, *by), terms),
        Asked::DissolveHousehold {
            household_id,
            policy,
            by,
            ..
        } => house::plan_dissolution(about, home, (*household_id, *by), *policy).map(Some),
    }
}

impl Plan {
    /// One that takes nothing else.
    const fn plain(kind: ChangeKind) -> Self {
        Self {
            kind,
            limits: None,
            also: BTreeSet::new(),
        }
    }
}

impl Taking {
    /// What the ledger is told of limits: nothing to whom it was never told any, and none are meant.
    fn limited(&self, limits: &Limits) -> Result<Option<LimitsChange>, Refusal> {
        if limits.is_empty() && self.limits_revision == 0 {
            return Ok(None);
        }
        Ok(Some(LimitsChange {
            limits: limits.clone(),
            revision: self.limits_revision.checked_add(1).ok_or(Refusal::Contended)?,
        }))
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

fn plan_merge(from: &Taking, into: &Taking) -> Result<Plan, Refusal> {
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
    // Who takes the other's place takes it on the same terms.
    let takes_place = from.household_id.is_some() && into.household_id.is_none();
    let limits = if takes_place {
        into.limited(&from.limits)?
    } else {
        None
    };
    Ok(Plan {
        limits,
        ..Plan::plain(ChangeKind::Merge {
            into_member_id: into.member_id,
            household_id: from.household_id,
        })
    })
}

fn plan_join(
    member: &Taking,
    home: &Home,
    (household_id, invitation_id): (HouseholdId, Option<InvitationId>),
    terms: &Terms,
) -> Result<Option<Plan>, Refusal> {
    if member.household_id == Some(household_id) {
        return Ok(None);
    }
    // Others could spend what a suspended member brings along.
    check_active(member)?;
    check_without_household(member)?;
    if home.seats_taken >= HOUSEHOLD_MEMBERS_MAX {
        return Err(Refusal::HouseholdFull {
            count_max: HOUSEHOLD_MEMBERS_MAX,
        });
    }
    Ok(Some(Plan {
        limits: member.limited(&terms.limits)?,
        ..Plan::plain(ChangeKind::JoinHousehold {
            household_id,
            // Where nobody is left, whoever comes is the head.
            role: if home.seats_taken == 0 {
                HouseholdRole::Head
            } else {
                terms.role
            },
            invitation_id,
        })
    }))
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
