//! Etags: which revision of a resource an update is meant for.

use std::fmt;
use std::str::FromStr;

use fealty_types::Version;

/// Names a revision. Opaque to callers, who send back what they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Etag(i64);

/// The text is no etag of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an etag as it was read from the resource")]
pub struct EtagError;

/// What an etag begins with, so that nobody takes it for a number to count with.
const MARK: &str = "r";

impl Etag {
    /// The etag of a revision.
    #[must_use]
    pub const fn new(revision: i64) -> Self {
        Self(revision)
    }

    /// The revision that it names.
    #[must_use]
    pub const fn revision(self) -> i64 {
        self.0
    }

    /// The revision as the version that an update is meant for. None of ours is negative.
    #[must_use]
    pub fn version(self) -> Version {
        Version::try_new(self.0).expect("an etag that parses names no negative revision")
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}{:x}", self.0)
    }
}

impl FromStr for Etag {
    type Err = EtagError;

    fn from_str(text: &str) -> Result<Self, EtagError> {
        let digits = text.strip_prefix(MARK).ok_or(EtagError)?;
        let revision = i64::from_str_radix(digits, 16).map_err(|_| EtagError)?;
        let etag = Self(revision);
        // One revision has one etag: no leading zeros, signs or capitals.
        if etag.to_string() == text {
            Ok(etag)
        } else {
            Err(EtagError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_texts_are_no_etags() {
        for text in [
            "",
            "r",
            "7",
            "r-1",
            "r+1",
            "r01",
            "rA",
            "r1 ",
            "rffffffffffffffffffff",
        ] {
            assert_eq!(text.parse::<Etag>(), Err(EtagError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_etag_reads_back(revision in 0..i64::MAX) {
            prop_assert_eq!(Etag::new(revision).to_string().parse(), Ok(Etag::new(revision)));
        }
    }
}
