//! What a member may do, and where they belong.

use std::fmt;
use std::str::FromStr;

use fealty_types::{HouseholdId, MemberId};

use crate::ladders::HeldTier;

/// Longest code of a tier, in characters.
const TIER_CODE_LENGTH_MAX: usize = 40;

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberStatus {
    /// Everything.
    Active,
    /// Earn, and not spend.
    Suspended,
    /// Nothing any more.
    Closed,
    /// They were merged into another member.
    Merged,
    /// Nothing, until they are let in again.
    Excluded,
}

impl MemberStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Active,
        Self::Suspended,
        Self::Closed,
        Self::Merged,
        Self::Excluded,
    ];

    /// As it is stored, and as callers see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Closed => "CLOSED",
            Self::Merged => "MERGED",
            Self::Excluded => "EXCLUDED",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether it stays for ever.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Closed | Self::Merged)
    }
}

/// The code of a tier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TierCode(String);

/// The text is no code of a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {TIER_CODE_LENGTH_MAX} small letters, digits, '-' and '_', and begin with a letter")]
pub struct TierCodeError;

impl TierCode {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TierCode {
    type Err = TierCodeError;

    fn from_str(text: &str) -> Result<Self, TierCodeError> {
        let is_code = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        let begins_well = text.starts_with(|first: char| first.is_ascii_lowercase());
        if begins_well && text.len() <= TIER_CODE_LENGTH_MAX && text.bytes().all(is_code) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TierCodeError)
        }
    }
}

impl fmt::Display for TierCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a member may do, and where they belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What they may do.
    pub status: MemberStatus,
    /// Their tier; None for none.
    pub tier_code: Option<TierCode>,
    /// Their household; None for none.
    pub household_id: Option<HouseholdId>,
    /// Who they were merged into.
    pub merged_into_member_id: Option<MemberId>,
    /// Their tiers of the program's ladders, where that was asked for.
    pub tiers: Vec<HeldTier>,
}

impl Standing {
    /// How everybody begins.
    #[must_use]
    pub const fn start() -> Self {
        Self {
            status: MemberStatus::Active,
            tier_code: None,
            household_id: None,
            merged_into_member_id: None,
            tiers: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_reads_back() {
        for status in MemberStatus::ALL {
            assert_eq!(MemberStatus::from_column(status.as_str()), Some(status));
        }
        assert_eq!(MemberStatus::from_column("BANNED"), None);
    }

    #[test]
    fn a_tier_code_begins_with_a_small_letter() {
        let longest = "g".repeat(TIER_CODE_LENGTH_MAX);
        for text in ["gold", "tier-2_b", longest.as_str()] {
            assert_eq!(
                text.parse::<TierCode>().map(|code| code.to_string()),
                Ok(text.to_owned())
            );
        }
        let too_long = "g".repeat(TIER_CODE_LENGTH_MAX + 1);
        for text in ["", "2", "-a", "Gold", "gold card", "золото", too_long.as_str()] {
            assert_eq!(text.parse::<TierCode>(), Err(TierCodeError), "{text}");
        }
    }
}
