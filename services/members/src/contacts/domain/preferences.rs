//! How a member likes to be contacted, and where they are reached.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_vault::Personal;

use super::names::{Channel, Purpose};

/// Longest address, in characters: a postal one, or the token of a browser.
pub const ADDRESS_LENGTH_MAX: usize = 500;

/// Where a member is reached by a channel that no identifier has an address for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// By which.
    pub channel: Channel,
    /// Where.
    pub address: Personal,
}

/// How a member likes to be contacted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preferences {
    /// The channels that they want, the best first; empty for any.
    pub channels: Vec<Channel>,
    /// Where they are reached.
    pub addresses: Vec<Address>,
    /// By which their night is told; None for the program's.
    pub time_zone: Option<Tz>,
    /// When they were set; None for never.
    pub update_time: Option<DateTime<Utc>>,
}

/// What of it a decision needs: that there are addresses, and not which.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reached {
    /// The channels that they want, the best first; empty for any.
    pub wanted: Vec<Channel>,
    /// Those that have an address among the preferences.
    pub addressed: Vec<Channel>,
    /// They have an e-mail address.
    pub has_email: bool,
    /// They have a telephone number.
    pub has_phone: bool,
    /// By which their night is told; None for the program's.
    pub time_zone: Option<Tz>,
}

impl Channel {
    /// Whether its address is set with the preferences, and not an identifier.
    #[must_use]
    pub const fn has_address_of_its_own(self) -> bool {
        matches!(self, Self::Messenger | Self::Push | Self::Paper | Self::Fax)
    }
}

impl Reached {
    /// Whether the member wants it: messages that they need are not held back by what they like.
    #[must_use]
    pub fn wants(&self, channel: Channel, purpose: Purpose) -> bool {
        purpose == Purpose::ServiceMessage || self.wanted.is_empty() || self.wanted.contains(&channel)
    }

    /// Whether the member has an address for it.
    #[must_use]
    pub fn has_address(&self, channel: Channel) -> bool {
        match channel {
            Channel::Email => self.has_email,
            Channel::Sms | Channel::Call | Channel::Viber => self.has_phone,
            Channel::Messenger | Channel::Push | Channel::Paper | Channel::Fax => {
                self.addressed.contains(&channel)
            }
        }
    }
}

/// The channels to choose from, the best first: what is asked for, or else what the member prefers, or else any. What they
/// need may come by any, if those that they prefer do not reach them.
#[must_use]
pub fn candidates(asked: Option<Channel>, purpose: Purpose, reached: &Reached) -> Vec<Channel> {
    if let Some(channel) = asked {
        return vec![channel];
    }
    let others = Channel::ALL
        .iter()
        .filter(|channel| !reached.wanted.contains(channel));
    let wanted = reached.wanted.iter();
    if reached.wanted.is_empty() || purpose == Purpose::ServiceMessage {
        wanted.chain(others).copied().collect()
    } else {
        wanted.copied().collect()
    }
}
