//! What a policy version is and when it is in force. Pure.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use fealty_types::PolicyId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::display_name::DisplayName;
use crate::refusal::Refusal;

/// Longest text, in characters: the terms of a bank with all their annexes have fewer.
pub const POLICY_TEXT_LENGTH_MAX: usize = 100_000;

/// The number of a version within its program: 1, 2, 3 ...
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct PolicyVersion(i64);

/// The number is below 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 or more")]
pub struct PolicyVersionError;

impl PolicyVersion {
    /// The first version of a program.
    pub const FIRST: Self = Self(1);

    /// The version of that number.
    pub const fn try_new(number: i64) -> Result<Self, PolicyVersionError> {
        if number < 1 {
            Err(PolicyVersionError)
        } else {
            Ok(Self(number))
        }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl TryFrom<i64> for PolicyVersion {
    type Error = PolicyVersionError;

    fn try_from(number: i64) -> Result<Self, PolicyVersionError> {
        Self::try_new(number)
    }
}

impl From<PolicyVersion> for i64 {
    fn from(version: PolicyVersion) -> Self {
        version.0
    }
}

impl fmt::Display for PolicyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// SHA-256 of a policy's text: what an acceptance proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextHash([u8; 32]);

impl TextHash {
    /// Of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// As it was stored.
    #[must_use]
    pub const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the column.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for TextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A policy's text exactly as people see it: not trimmed, because its hash is of every byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText(String);

/// The text is none to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyTextError {
    /// Nothing, or nothing but blanks.
    #[error("is required")]
    Empty,
    /// Too long.
    #[error("must have at most {POLICY_TEXT_LENGTH_MAX} characters")]
    TooLong,
    /// Something that is no text.
    #[error("must not contain control characters other than tabs and line breaks")]
    ControlCharacter,
}

impl PolicyText {
    /// Takes the text as it is.
    pub fn try_new(text: String) -> Result<Self, PolicyTextError> {
        if text.chars().count() > POLICY_TEXT_LENGTH_MAX {
            return Err(PolicyTextError::TooLong);
        }
        if text.trim().is_empty() {
            return Err(PolicyTextError::Empty);
        }
        let disturbs = |character: char| character.is_control() && !matches!(character, '\n' | '\r' | '\t');
        if text.chars().any(disturbs) {
            return Err(PolicyTextError::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PolicyText {
    type Err = PolicyTextError;

    fn from_str(text: &str) -> Result<Self, PolicyTextError> {
        Self::try_new(text.to_owned())
    }
}

impl From<PolicyText> for String {
    fn from(text: PolicyText) -> Self {
        text.0
    }
}

/// A policy version without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyHead {
    /// Its id.
    pub policy_id: PolicyId,
    /// Its number.
    pub version: PolicyVersion,
    /// What it is called.
    pub title: DisplayName,
    /// What an acceptance proves.
    pub text_hash: TextHash,
    /// From when it is in force.
    pub effective_time: DateTime<Utc>,
    /// When it was published.
    pub publish_time: DateTime<Utc>,
}

/// A policy version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Everything but the text.
    pub head: PolicyHead,
    /// The whole text.
    pub text: PolicyText,
}

/// A version to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPolicy {
    /// What it is called.
    pub title: DisplayName,
    /// The whole text.
    pub text: PolicyText,
    /// From when it is in force; None for at once.
    pub effective_time: Option<DateTime<Utc>>,
}

impl NewPolicy {
    /// The version as it is published after the newest one.
    ///
    /// It comes into force neither before it was published nor before an earlier version: so the one in force is
    /// always the newest whose time has come, and nobody has to unlearn what was in force at a time that has passed.
    pub fn publish(
        &self,
        policy_id: PolicyId,
        newest: Option<&PolicyHead>,
        now: DateTime<Utc>,
    ) -> Result<Policy, Refusal> {
        // Versions follow each other in time, too, also when the clocks of two replicas differ a little.
        let now = newest.map_or(now, |newest| now.max(newest.publish_time));
        let effective_time = self.effective_time.unwrap_or(now);
        if effective_time < now {
            return Err(Refusal::FieldInvalid {
                field: "policy.effective_time",
                description: "must not lie in the past",
            });
        }
        if newest.is_some_and(|newest| effective_time < newest.effective_time) {
            return Err(Refusal::FieldInvalid {
                field: "policy.effective_time",
                description: "must not be before that of an earlier version",
            });
        }
        Ok(Policy {
            head: PolicyHead {
                policy_id,
                version: newest.map_or(PolicyVersion::FIRST, |newest| newest.version.next()),
                title: self.title.clone(),
                text_hash: TextHash::of(self.text.as_str()),
                effective_time,
                publish_time: now,
            },
            text: self.text.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn publish(
        effective_time: Option<DateTime<Utc>>,
        newest: Option<&PolicyHead>,
    ) -> Result<Policy, Refusal> {
        let new = NewPolicy {
            title: "Terms".parse().unwrap(),
            text: "We keep what you tell us.\n".parse().unwrap(),
            effective_time,
        };
        new.publish(PolicyId::generate_at(NOW), newest, NOW)
    }

    #[test]
    fn versions_count_up_and_start_at_once() {
        let first = publish(None, None).unwrap();
        assert_eq!((first.head.version.get(), first.head.effective_time), (1, NOW));
        let second = publish(None, Some(&first.head)).unwrap();
        assert_eq!(second.head.version.get(), 2);
    }

    #[test]
    fn a_version_follows_one_that_another_clock_put_a_little_ahead() {
        let mut ahead = publish(None, None).unwrap().head;
        ahead.publish_time += TimeDelta::milliseconds(3);
        ahead.effective_time = ahead.publish_time;
        let second = publish(None, Some(&ahead)).unwrap().head;
        assert_eq!(second.effective_time, ahead.effective_time);
        assert_eq!(second.publish_time, ahead.publish_time);
    }

    #[test]
    fn a_version_starts_neither_in_the_past_nor_before_an_earlier_one() {
        let second = TimeDelta::seconds(1);
        let later = publish(Some(NOW + second), None).unwrap();
        assert!(publish(Some(NOW - second), None).is_err());
        assert!(publish(Some(NOW), Some(&later.head)).is_err());
        assert!(publish(None, Some(&later.head)).is_err());
        assert!(publish(Some(NOW + second), Some(&later.head)).is_ok());
    }

    #[test]
    fn the_hash_is_of_every_byte_of_the_text() {
        let text: PolicyText = " Terms\n".parse().unwrap();
        assert_eq!(text.as_str(), " Terms\n");
        assert_ne!(TextHash::of(text.as_str()), TextHash::of("Terms"));
        // As `printf abc | sha256sum` says.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(TextHash::of("abc").to_string(), known);
    }

    #[test]
    fn a_text_has_something_to_read_and_no_more_than_fits() {
        assert_eq!(" \n".parse::<PolicyText>(), Err(PolicyTextError::Empty));
        assert_eq!(
            "a\0".parse::<PolicyText>(),
            Err(PolicyTextError::ControlCharacter)
        );
        assert!("ж".repeat(POLICY_TEXT_LENGTH_MAX).parse::<PolicyText>().is_ok());
        let long = "ж".repeat(POLICY_TEXT_LENGTH_MAX + 1);
        assert_eq!(long.parse::<PolicyText>(), Err(PolicyTextError::TooLong));
    }
}
