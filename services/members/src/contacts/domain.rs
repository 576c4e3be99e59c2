//! When somebody may be contacted. Pure.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::consents::domain::named;
use crate::people::domain::MemberStatus;

/// Contacts that ask somebody how something was, within [`SERVICE_QUALITY_WINDOW`]: who is asked after every visit stops
/// answering. The program's own setting takes its place once there is one.
pub const SERVICE_QUALITY_COUNT_MAX: usize = 1;

/// See [`SERVICE_QUALITY_COUNT_MAX`].
pub const SERVICE_QUALITY_WINDOW: TimeDelta = TimeDelta::days(30);

/// Advertising contacts within [`MARKETING_WINDOW`]: regular, and not intrusive. The program's own setting takes its
/// place once there is one.
pub const MARKETING_COUNT_MAX: usize = 3;

/// See [`MARKETING_COUNT_MAX`].
pub const MARKETING_WINDOW: TimeDelta = TimeDelta::days(7);

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

named! {
    /// How somebody is contacted.
    Channel {
        /// E-mail.
        Email = "EMAIL",
        /// Text message.
        Sms = "SMS",
        /// A messenger.
        Messenger = "MESSENGER",
        /// A push message.
        Push = "PUSH",
        /// A telephone call.
        Call = "CALL",
        /// Printed paper.
        Paper = "PAPER",
    }
}

/// How many contacts there may be within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// So many.
    pub count_max: usize,
    /// Within so long.
    pub window: TimeDelta,
}

/// What a contact is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Asking how something was.
    ServiceQuality,
    /// What somebody needs to know of what they bought.
    ServiceMessage,
    /// Advertising.
    Marketing,
}

impl Purpose {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceQuality => "SERVICE_QUALITY",
            Self::ServiceMessage => "SERVICE_MESSAGE",
            Self::Marketing => "MARKETING",
        }
    }

    /// How many contacts for it there may be; None for any number.
    #[must_use]
    pub const fn cap(self) -> Option<Cap> {
        match self {
            Self::ServiceQuality => Some(Cap {
                count_max: SERVICE_QUALITY_COUNT_MAX,
                window: SERVICE_QUALITY_WINDOW,
            }),
            Self::ServiceMessage => None,
            Self::Marketing => Some(Cap {
                count_max: MARKETING_COUNT_MAX,
                window: MARKETING_WINDOW,
            }),
        }
    }
}

/// A contact that somebody is about to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// How.
    pub channel: Channel,
    /// What for.
    pub purpose: Purpose,
    /// What about.
    pub topic: Topic,
}

/// What has been with a member so far, as far as it matters for one contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// They have opted out of its topic.
    pub opted_out: bool,
    /// The contacts for its purpose within the window of its cap, the newest first; no more than the cap allows.
    pub contact_times: Vec<DateTime<Utc>>,
}

/// Whether somebody may be contacted, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allowed,
    /// No: they are not active.
    MemberNotActive,
    /// No: they want nothing of the topic.
    TopicOptOut,
    /// Not before that time: they were contacted often enough lately.
    FrequencyCap {
        /// When one of those contacts no longer counts.
        not_before_time: DateTime<Utc>,
    },
}

/// Decides about a contact. What is for ever comes before what passes.
#[must_use]
pub fn decide(status: MemberStatus, purpose: Purpose, history: &History) -> Decision {
    if status != MemberStatus::Active {
        return Decision::MemberNotActive;
    }
    if history.opted_out {
        return Decision::TopicOptOut;
    }
    let Some(cap) = purpose.cap() else {
        return Decision::Allowed;
    };
    // With the oldest of as many as there may be, one place becomes free.
    match cap
        .count_max
        .checked_sub(1)
        .and_then(|place| history.contact_times.get(place))
    {
        Some(oldest) => Decision::FrequencyCap {
            not_before_time: *oldest + cap.window,
        },
        None => Decision::Allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn contacted(days: &[i64]) -> History {
        History {
            opted_out: false,
            contact_times: days.iter().map(|day| at(*day)).collect(),
        }
    }

    #[test]
    fn b6_a_fourth_advertisement_waits_until_the_first_of_three_no_longer_counts() {
        let (active, marketing) = (MemberStatus::Active, Purpose::Marketing);
        assert_eq!(decide(active, marketing, &contacted(&[5, 4])), Decision::Allowed);
        assert_eq!(
            decide(active, marketing, &contacted(&[5, 4, 2])),
            Decision::FrequencyCap {
                not_before_time: at(9)
            }
        );
    }

    #[test]
    fn a_second_question_waits_for_thirty_days_and_a_message_for_nothing() {
        let active = MemberStatus::Active;
        assert_eq!(
            decide(active, Purpose::ServiceQuality, &contacted(&[3])),
            Decision::FrequencyCap {
                not_before_time: at(33)
            }
        );
        let often = contacted(&[9, 8, 7, 6, 5, 4, 3]);
        assert_eq!(decide(active, Purpose::ServiceMessage, &often), Decision::Allowed);
    }

    #[test]
    fn what_is_for_ever_is_told_before_what_passes() {
        let history = History {
            opted_out: true,
            ..contacted(&[3])
        };
        let purpose = Purpose::ServiceQuality;
        assert_eq!(
            decide(MemberStatus::Active, purpose, &history),
            Decision::TopicOptOut
        );
        for status in [
            MemberStatus::Suspended,
            MemberStatus::Closed,
            MemberStatus::Merged,
        ] {
            assert_eq!(decide(status, purpose, &history), Decision::MemberNotActive);
        }
    }

    #[test]
    fn a_topic_is_of_small_letters_digits_and_two_signs() {
        let longest = "x".repeat(TOPIC_LENGTH_MAX);
        for text in ["mothers_day", "9-may", longest.as_str()] {
            assert_eq!(
                text.parse::<Topic>().map(|topic| topic.to_string()),
                Ok(text.to_owned())
            );
        }
        let too_long = "x".repeat(TOPIC_LENGTH_MAX + 1);
        for text in ["", "Mothers", "mothers day", "день", too_long.as_str()] {
            assert_eq!(text.parse::<Topic>(), Err(TopicError), "{text}");
        }
    }
}
