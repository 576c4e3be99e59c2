//! Codes of tiers, as members has them.

use std::fmt;
use std::str::FromStr;

/// Longest code, in characters: members takes no longer one.
pub const TIER_CODE_LEN_MAX: usize = 40;

/// The code of a tier: `^[a-z][a-z0-9_-]{0,39}$`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TierCode(Box<str>);

/// The text is no code of a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a small letter followed by up to 39 small letters, digits, '-' or '_'")]
pub struct TierCodeError;

impl TierCode {
    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TierCode {
    type Err = TierCodeError;

    fn from_str(text: &str) -> Result<Self, TierCodeError> {
        let mut bytes = text.bytes();
        let well_formed = text.len() <= TIER_CODE_LEN_MAX
            && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
        if well_formed {
            Ok(Self(text.into()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_begin_with_a_small_letter_and_fit() {
        for text in ["gold", "g", "tier_2-b", &"a".repeat(TIER_CODE_LEN_MAX)] {
            assert_eq!(text.parse::<TierCode>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "2gold",
            "Gold",
            "go ld",
            "gölden",
            &"a".repeat(TIER_CODE_LEN_MAX + 1),
        ] {
            assert_eq!(text.parse::<TierCode>(), Err(TierCodeError), "{text:?}");
        }
    }
}
