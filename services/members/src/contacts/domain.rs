//! When somebody may be contacted. Pure.

mod decide;
mod names;
mod preferences;
mod quiet;
mod settings;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use fealty_types::ContactId;

use crate::consents::domain::{ConsentPurpose, Item, Party};

pub use decide::{Check, Decision, Facts, History, Judged, RuleFacts, Verdict, decide};
pub use names::{Channel, Purpose, Rule};
pub use preferences::{ADDRESS_LENGTH_MAX, Address, Preferences, Reached, candidates};
pub(crate) use quiet::instants_of;
pub use quiet::{Quiet, quiet_until};
pub use settings::{Settings, SettingsChange};

/// Topics that one member can opt out of: more than any program has, and few enough to be read with each decision.
pub const TOPIC_OPT_OUTS_MAX: usize = 200;

/// Longest topic, in characters.
const TOPIC_LENGTH_MAX: usize = 60;

/// What a contact is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Topic(String);

/// The text names no topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {TOPIC_LENGTH_MAX} small letters, digits, '-' and '_'")]
pub struct TopicError;

impl Topic {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        let fits = (1..=TOPIC_LENGTH_MAX).contains(&text.len());
        let is_topic = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if fits && text.bytes().all(is_topic) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TopicError)
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A topic that a member has opted out of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicOptOut {
    /// Which.
    pub topic: Topic,
    /// Since when.
    pub opt_out_time: DateTime<Utc>,
}

impl Purpose {
    /// What has to be allowed for it; None for what needs no consent.
    #[must_use]
    pub const fn consent(self) -> Option<ConsentPurpose> {
        match self {
            Self::ServiceMessage => None,
            Self::ServiceQuality => Some(ConsentPurpose::ServiceQuality),
            Self::Marketing => Some(ConsentPurpose::Marketing),
            Self::NewProducts => Some(ConsentPurpose::NewProducts),
            Self::PersonalOffers => Some(ConsentPurpose::PersonalOffers),
            Self::TariffChanges => Some(ConsentPurpose::TariffChanges),
            Self::Protection => Some(ConsentPurpose::Protection),
        }
    }

    /// Whether it wants to sell something.
    #[must_use]
    pub const fn is_commercial(self) -> bool {
        matches!(self, Self::Marketing | Self::NewProducts | Self::PersonalOffers)
    }

    /// Those whose contacts are counted together with it.
    #[must_use]
    pub fn counted_with(self) -> Vec<Self> {
        let together = |other: &Self| *other == self || (self.is_commercial() && other.is_commercial());
        Self::ALL.iter().copied().filter(together).collect()
    }

    /// What has to be allowed for it by a channel.
    #[must_use]
    pub fn item_by(self, channel: Channel) -> Option<Item> {
        self.consent().map(|purpose| Item {
            purpose,
            channel: Some(channel),
        })
    }
}

/// A contact that somebody is about to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// How; None for the channel that the member prefers.
    pub channel: Option<Channel>,
    /// What for.
    pub purpose: Purpose,
    /// What about.
    pub topic: Topic,
    /// Who contacts them.
    pub party: Party,
    /// What was reserved for it before, and ends.
    pub replaces: Option<ContactId>,
}

/// What became of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was sent.
    Delivered,
    /// It was not, or came back.
    Failed,
}

impl Outcome {
    /// As callers see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "DELIVERED",
            Self::Failed => "FAILED",
        }
    }
}

#[cfg(test)]
mod tests;
