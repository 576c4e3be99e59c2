//! Versions of an aggregate.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How often an aggregate has changed. Zero: never, it was only made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
pub struct Version(i64);

/// The number is below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must not be below 0")]
pub struct VersionError;

impl Version {
    /// Before the first change.
    pub const ZERO: Self = Self(0);

    /// The version of that number, which must not be below zero.
    pub const fn try_new(number: i64) -> Result<Self, VersionError> {
        if number < 0 {
            Err(VersionError)
        } else {
            Ok(Self(number))
        }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The version after this one; `None` after 2^63 - 1 changes.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl TryFrom<i64> for Version {
    type Error = VersionError;

    fn try_from(number: i64) -> Result<Self, VersionError> {
        Self::try_new(number)
    }
}

impl From<Version> for i64 {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_counts_up_from_zero() {
        assert_eq!(Version::ZERO.next(), Version::try_new(1).ok());
        assert_eq!(Version::try_new(-1), Err(VersionError));
        assert_eq!(Version::try_new(i64::MAX).unwrap().next(), None);
    }

    #[test]
    fn json_refuses_a_negative_version() {
        assert!(serde_json::from_str::<Version>("-1").is_err());
        assert_eq!(serde_json::from_str::<Version>("7").unwrap().get(), 7);
    }
}
