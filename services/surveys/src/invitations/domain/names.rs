//! Kinds of things about an invitation, by their names in the database.

use std::fmt;
use std::str::FromStr;

/// The text is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such name")]
pub struct NameError;

/// Gives an enum its names, each written and read by one table.
macro_rules! named {
    ($(#[$doc:meta])* $enum:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $enum {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $enum {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl fmt::Display for $enum {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $enum {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or(NameError)
            }
        }
    };
}

named! {
    /// How far an invitation is, as it is stored: that it has passed its end is told by the time.
    StoredStatus {
        /// Its time has not come, or nothing is decided.
        Planned = "PLANNED",
        /// It is to be sent.
        Due = "DUE",
        /// Its token was issued.
        Sent = "SENT",
        /// It was answered.
        Answered = "ANSWERED",
        /// The member may not be contacted.
        Suppressed = "SUPPRESSED",
    }
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
        /// A push message to an app or a browser.
        Push = "PUSH",
        /// A telephone call.
        Call = "CALL",
        /// Printed paper.
        Paper = "PAPER",
        /// Viber.
        Viber = "VIBER",
        /// Fax.
        Fax = "FAX",
    }
}

named! {
    /// The rule that decided about a contact.
    ContactRule {
        /// Nothing speaks against it.
        Allowed = "ALLOWED",
        /// The member is not active.
        MemberNotActive = "MEMBER_NOT_ACTIVE",
        /// The member has opted out of the topic.
        TopicOptOut = "TOPIC_OPT_OUT",
        /// The member does not allow it.
        NoConsent = "NO_CONSENT",
        /// The member allowed it under a policy that is no longer in force.
        PolicyNotAccepted = "POLICY_NOT_ACCEPTED",
        /// The member's preferences leave the channel out.
        ChannelNotWanted = "CHANNEL_NOT_WANTED",
        /// The member has no address for the channel.
        AddressMissing = "ADDRESS_MISSING",
        /// The member was contacted often enough lately.
        FrequencyCap = "FREQUENCY_CAP",
        /// Too many of the last contacts were commercial.
        Mix = "MIX",
        /// It is night where the member lives.
        QuietHours = "QUIET_HOURS",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_was_written() {
        for status in StoredStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(*status));
        }
        for channel in Channel::ALL {
            assert_eq!(channel.to_string().parse(), Ok(*channel));
        }
        for rule in ContactRule::ALL {
            assert_eq!(rule.to_string().parse(), Ok(*rule));
        }
        assert_eq!("PIGEON".parse::<Channel>(), Err(NameError));
    }
}
