//! Kinds of things about a contact, by their names in the database.

use crate::consents::domain::named;

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
        /// Viber.
        Viber = "VIBER",
        /// Fax.
        Fax = "FAX",
    }
}

named! {
    /// What a contact is for.
    Purpose {
        /// Asking how something was.
        ServiceQuality = "SERVICE_QUALITY",
        /// What somebody needs to know of what they bought.
        ServiceMessage = "SERVICE_MESSAGE",
        /// Advertising.
        Marketing = "MARKETING",
        /// News of products.
        NewProducts = "NEW_PRODUCTS",
        /// Offers made for this member.
        PersonalOffers = "PERSONAL_OFFERS",
        /// News of prices and terms.
        TariffChanges = "TARIFF_CHANGES",
        /// Advice on protecting one's account and data.
        Protection = "PROTECTION",
    }
}

named! {
    /// The rules, in the order in which they are asked.
    Rule {
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

impl Rule {
    /// Whether time alone makes it say something else.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(self, Self::FrequencyCap | Self::Mix | Self::QuietHours)
    }
}

impl Channel {
    /// Whether it makes a noise, and so has to wait while somebody sleeps.
    #[must_use]
    pub const fn rings(self) -> bool {
        !matches!(self, Self::Email | Self::Paper)
    }
}
