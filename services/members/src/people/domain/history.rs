//! What becomes of identifiers. Pure.

use chrono::{DateTime, Utc};
use fealty_types::IdentifierId;

use super::IdentifierKind;
use crate::cards::domain::EndReason;

/// That a phone number or e-mail address is the member's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// When they showed it.
    pub verify_time: DateTime<Utc>,
    /// Who says so: a staff member or a key.
    pub verified_by: String,
}

/// What became of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifierChange {
    /// The member got it.
    Added,
    /// It was taken away.
    Removed,
    /// The member showed that it is theirs.
    Verified,
    /// The card was blocked.
    Blocked(EndReason),
    /// The card was replaced by that one.
    Replaced(EndReason, IdentifierId),
}

impl IdentifierChange {
    /// As it is stored, and as others are told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Removed => "REMOVED",
            Self::Verified => "VERIFIED",
            Self::Blocked(_) => "BLOCKED",
            Self::Replaced(..) => "REPLACED",
        }
    }

    /// Why a card ended.
    #[must_use]
    pub const fn end_reason(self) -> Option<EndReason> {
        match self {
            Self::Blocked(reason) | Self::Replaced(reason, _) => Some(reason),
            Self::Added | Self::Removed | Self::Verified => None,
        }
    }

    /// What replaced a card.
    #[must_use]
    pub const fn replaced_by(self) -> Option<IdentifierId> {
        match self {
            Self::Replaced(_, by) => Some(by),
            Self::Added | Self::Removed | Self::Verified | Self::Blocked(_) => None,
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_columns(
        change: &str,
        end_reason: Option<EndReason>,
        replaced_by: Option<IdentifierId>,
    ) -> Option<Self> {
        match (change, end_reason, replaced_by) {
            ("ADDED", None, None) => Some(Self::Added),
            ("REMOVED", None, None) => Some(Self::Removed),
            ("VERIFIED", None, None) => Some(Self::Verified),
            ("BLOCKED", Some(reason), None) => Some(Self::Blocked(reason)),
            ("REPLACED", Some(reason), Some(by)) => Some(Self::Replaced(reason, by)),
            _ => None,
        }
    }
}

/// An entry of a member's history of identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its place in the history: 1, 2, 3 ...
    pub sequence: i64,
    /// Which identifier.
    pub identifier_id: IdentifierId,
    /// Its kind.
    pub kind: IdentifierKind,
    /// What became of it.
    pub change: IdentifierChange,
    /// Who did it.
    pub actor: String,
    /// When.
    pub change_time: DateTime<Utc>,
}
