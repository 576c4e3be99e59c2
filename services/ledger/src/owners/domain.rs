//! What an owner is. Pure.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use fealty_types::{OwnerId, Version};

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
        }
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
}

/// The text is no kind of owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no kind of owner")]
pub struct OwnerKindError;

impl OwnerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Member, Self::Partner, Self::Staff];

    /// Its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Partner => "partner",
            Self::Staff => "staff",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_was_written() {
        for kind in OwnerKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("".parse::<OwnerKind>(), Err(OwnerKindError));
    }
}
