//! Kinds of things about a consent, by their names in the database.

/// Gives an enum its names, each written and read by one table.
macro_rules! named {
    ($(#[$doc:meta])* $enum:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $enum {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $enum {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As it is stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// From how it is stored.
            #[must_use]
            pub fn from_column(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }
    };
}

pub(crate) use named;

named! {
    /// What a consent is for.
    ConsentPurpose {
        /// Asking how something was.
        ServiceQuality = "SERVICE_QUALITY",
        /// News of products.
        NewProducts = "NEW_PRODUCTS",
        /// Offers made for this member.
        PersonalOffers = "PERSONAL_OFFERS",
        /// News of prices and terms.
        TariffChanges = "TARIFF_CHANGES",
        /// Advertising.
        Marketing = "MARKETING",
        /// Advice on protecting one's account and data.
        Protection = "PROTECTION",
        /// Following the member's devices.
        DeviceTracking = "DEVICE_TRACKING",
    }
}

named! {
    /// Who gave or withdrew a consent.
    Giver {
        /// The member.
        Member = "MEMBER",
        /// Another member who answers for this one.
        Guardian = "GUARDIAN",
        /// Somebody of the staff, for the member.
        Staff = "STAFF",
    }
}

named! {
    /// What was done.
    Change {
        /// Something was allowed.
        Granted = "GRANTED",
        /// Something is allowed no longer.
        Withdrawn = "WITHDRAWN",
        /// A policy was accepted.
        PolicyAccepted = "POLICY_ACCEPTED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_was_written() {
        for purpose in ConsentPurpose::ALL {
            assert_eq!(ConsentPurpose::from_column(purpose.as_str()), Some(*purpose));
        }
        for giver in Giver::ALL {
            assert_eq!(Giver::from_column(giver.as_str()), Some(*giver));
        }
        for change in Change::ALL {
            assert_eq!(Change::from_column(change.as_str()), Some(*change));
        }
        assert_eq!(ConsentPurpose::from_column("SERVICE_MESSAGE"), None);
    }
}
