//! What an invitation to a household is. Pure.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{HouseholdId, InvitationId, MemberId};

use super::Terms;
use crate::refusal::{HouseholdRefusal, Refusal};

/// How long an invitation can be accepted where nobody says: two weekends.
pub const INVITATION_LENGTH: TimeDelta = TimeDelta::days(14);

/// How long one can be accepted at the most: what is older, nobody remembers.
pub const INVITATION_LENGTH_MAX: TimeDelta = TimeDelta::days(90);

/// Invitations of one household that can be open at once: as many as it may have members.
pub const INVITATIONS_MAX: usize = 20;

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationStatus {
    /// It can be accepted.
    Open,
    /// Who is invited joined.
    Accepted,
    /// Who is invited does not want to.
    Declined,
    /// It was taken back.
    Withdrawn,
    /// Its time is over: the clock says so, and what is stored only when another takes its place.
    Expired,
}

impl InvitationStatus {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Accepted => "ACCEPTED",
            Self::Declined => "DECLINED",
            Self::Withdrawn => "WITHDRAWN",
            Self::Expired => "EXPIRED",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        let all = [
            Self::Open,
            Self::Accepted,
            Self::Declined,
            Self::Withdrawn,
            Self::Expired,
        ];
        all.into_iter().find(|status| status.as_str() == text)
    }
}

impl fmt::Display for InvitationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An invitation to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvitation {
    /// To which household.
    pub household_id: HouseholdId,
    /// Whom.
    pub member_id: MemberId,
    /// Who invites; None for the program.
    pub by: Option<MemberId>,
    /// What they may do there, and spend.
    pub terms: Terms,
    /// When it ends by itself; None for the usual time.
    pub expire_time: Option<DateTime<Utc>>,
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub invitation_id: InvitationId,
    /// To which household.
    pub household_id: HouseholdId,
    /// Who is invited.
    pub member_id: MemberId,
    /// Who invited them; None for the program.
    pub by: Option<MemberId>,
    /// What they may do there, and spend.
    pub terms: Terms,
    /// As it was said last.
    pub status: InvitationStatus,
    /// When it ends by itself.
    pub expire_time: DateTime<Utc>,
    /// When it was made.
    pub create_time: DateTime<Utc>,
}

impl Invitation {
    /// What it is at that time.
    #[must_use]
    pub fn status_at(&self, now: DateTime<Utc>) -> InvitationStatus {
        if self.status == InvitationStatus::Open && self.expire_time <= now {
            InvitationStatus::Expired
        } else {
            self.status
        }
    }

    /// Refuses what only an open one can be.
    pub fn require_open(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        match self.status_at(now) {
            InvitationStatus::Open => Ok(()),
            status => Err(Refusal::Household(HouseholdRefusal::InvitationNotOpen {
                invitation_id: self.invitation_id,
                status,
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::households::domain::{HouseholdRole, Limits};

    #[test]
    fn an_invitation_is_over_from_the_instant_of_its_end() {
        let time = DateTime::UNIX_EPOCH;
        let invitation = Invitation {
            invitation_id: InvitationId::generate_at(time),
            household_id: HouseholdId::generate_at(time),
            member_id: MemberId::generate_at(time),
            by: None,
            terms: Terms {
                role: HouseholdRole::Adult,
                limits: Limits::default(),
            },
            status: InvitationStatus::Open,
            expire_time: time + INVITATION_LENGTH,
            create_time: time,
        };
        let end = invitation.expire_time;
        assert!(invitation.require_open(end - TimeDelta::milliseconds(1)).is_ok());
        assert_eq!(invitation.status_at(end), InvitationStatus::Expired);
        assert!(matches!(
            invitation.require_open(end),
            Err(Refusal::Household(HouseholdRefusal::InvitationNotOpen {
                status: InvitationStatus::Expired,
                ..
            }))
        ));
        let declined = Invitation {
            status: InvitationStatus::Declined,
            ..invitation
        };
        assert_eq!(declined.status_at(end), InvitationStatus::Declined);
    }
}
