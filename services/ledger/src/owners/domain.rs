//! What an owner is. Pure.

mod dissolving;
mod joining;
mod redirecting;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use fealty_types::{OwnerId, Version};

pub use dissolving::{Dissolution, DissolvePolicy, dissolve};
pub use joining::{Step, join, leave, merge, merged, place_to_take};
pub use redirecting::{Redirection, redirect, redirect_merged};

/// Somebody who holds points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// A member's id for members.
    pub owner_id: OwnerId,
    /// What it is.
    pub kind: OwnerKind,
    /// Number of its newest transaction; 0 before the first.
    pub version: Version,
    /// When it was opened.
    pub create_time: DateTime<Utc>,
    /// What it may do.
    pub status: OwnerStatus,
    /// Number of the newest change of the status; 0 before the first.
    pub status_revision: i64,
    /// Whose account it uses; `None` for its own.
    pub account_owner_id: Option<OwnerId>,
    /// Who is meant wherever it is named.
    pub merged_into_owner_id: Option<OwnerId>,
}

impl Owner {
    /// An owner to whom nothing has happened yet.
    #[must_use]
    pub const fn open(owner_id: OwnerId, kind: OwnerKind, time: DateTime<Utc>) -> Self {
        Self {
            owner_id,
            kind,
            version: Version::ZERO,
            create_time: time,
            status: OwnerStatus::Active,
            status_revision: 0,
            account_owner_id: None,
            merged_into_owner_id: None,
        }
    }

    /// Whose account it uses.
    #[must_use]
    pub fn account_owner_id(&self) -> OwnerId {
        self.account_owner_id.unwrap_or(self.owner_id)
    }
}

/// What an owner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnerKind {
    /// A member of the program.
    Member,
    /// A partner company.
    Partner,
    /// A staff member.
    Staff,
    /// Members who share one account.
    Household,
}

/// The text is no kind of owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no kind of owner")]
pub struct OwnerKindError;

impl OwnerKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Member, Self::Partner, Self::Staff, Self::Household];

    /// Its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Partner => "partner",
            Self::Staff => "staff",
            Self::Household => "household",
        }
    }
}

impl fmt::Display for OwnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OwnerKind {
    type Err = OwnerKindError;

    fn from_str(text: &str) -> Result<Self, OwnerKindError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(OwnerKindError)
    }
}

/// What an owner may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OwnerStatus {
    /// Everything.
    #[default]
    Active,
    /// Earn, and not spend.
    Suspended,
    /// Neither.
    Closed,
    /// It was merged into another, which is meant wherever it is named.
    Merged,
}

/// The text is no status of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no status of an owner")]
pub struct OwnerStatusError;

impl OwnerStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Active, Self::Suspended, Self::Closed, Self::Merged];

    /// Its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
            Self::Merged => "merged",
        }
    }
}

impl fmt::Display for OwnerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OwnerStatus {
    type Err = OwnerStatusError;

    fn from_str(text: &str) -> Result<Self, OwnerStatusError> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(OwnerStatusError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_as_it_was_written() {
        for status in OwnerStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        assert_eq!("gone".parse::<OwnerStatus>(), Err(OwnerStatusError));
    }

    #[test]
    fn every_kind_is_read_as_it_was_written() {
        for kind in OwnerKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("".parse::<OwnerKind>(), Err(OwnerKindError));
    }
}
