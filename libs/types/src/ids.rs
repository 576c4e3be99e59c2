//! Typed ids: a member's id cannot be passed where an owner's belongs.
//!
//! Fealty makes ids as UUID version 7, so that rows lie in the order in which they were made. What callers send is
//! taken in any version, because a request id is theirs to make.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

use crate::Clock;

/// Length of the canonical text, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
const UUID_TEXT_LEN: usize = 36;

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a UUID in its hyphenated form.
    #[error("must be a UUID in its hyphenated form, such as 018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978")]
    Malformed,
    /// All zeros.
    #[error("must not be the nil UUID")]
    Nil,
}

/// Takes the one form that is always printed (36 characters with hyphens). The uuid crate would also take braces, URNs
/// and bare digits: several texts for one id are several keys in a caller's own tables.
fn parse(text: &str) -> Result<Uuid, IdError> {
    if text.len() != UUID_TEXT_LEN {
        return Err(IdError::Malformed);
    }
    let uuid = Uuid::try_parse(text).map_err(|_| IdError::Malformed)?;
    non_nil(uuid)
}

fn non_nil(uuid: Uuid) -> Result<Uuid, IdError> {
    if uuid.is_nil() {
        Err(IdError::Nil)
    } else {
        Ok(uuid)
    }
}

/// A new id, version 7, at a time, for what has no type of its own.
#[must_use]
pub fn uuid_v7(time: DateTime<Utc>) -> Uuid {
    // A clock before 1970 has no place in a version 7 id; the id stays unique, it only sorts first.
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(
        NoContext,
        seconds,
        time.timestamp_subsec_nanos(),
    ))
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, version 7, at the clock's time.
            #[must_use]
            pub fn generate(clock: &(impl Clock + ?Sized)) -> Self {
                Self::generate_at(clock.now())
            }

            /// A new id, version 7, at a time that has been read already.
            #[must_use]
            pub fn generate_at(time: DateTime<Utc>) -> Self {
                Self(uuid_v7(time))
            }

            /// The id's value.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl TryFrom<Uuid> for $name {
            type Error = IdError;

            fn try_from(uuid: Uuid) -> Result<Self, IdError> {
                non_nil(uuid).map(Self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }
    };
}

typed_id! {
    /// Names a tier that was granted to a member.
    TierGrantId
}

typed_id! {
    /// Names a loyalty card.
    CardId
}

typed_id! {
    /// Names loyalty cards that were made together.
    CardBatchId
}

typed_id! {
    /// A loyalty program: the tenant that everything belongs to.
    ProgramId
}
typed_id! {
    /// A caller's key.
    ApiKeyId
}
typed_id! {
    /// Somebody who works for the program.
    StaffId
}
typed_id! {
    /// A person or company enrolled in a program.
    MemberId
}
typed_id! {
    /// Members who share one account.
    HouseholdId
}
typed_id! {
    /// Whose balances they are: the ledger's aggregate. A member's owner bears the member's id.
    OwnerId
}
typed_id! {
    /// A policy that members consent to.
    PolicyId
}
typed_id! {
    /// A card, phone number, e-mail address or external id of a member.
    IdentifierId
}
typed_id! {
    /// One attempt of a caller to make or move something: made by the caller, in any version of UUID.
    RequestId
}
typed_id! {
    /// A transaction of the ledger.
    TransactionId
}
typed_id! {
    /// Points that were credited together and end together.
    LotId
}
typed_id! {
    /// Points that are set aside until somebody decides.
    HoldId
}
typed_id! {
    /// A recorded purchase.
    PurchaseId
}
typed_id! {
    /// An earning rule.
    RuleId
}
typed_id! {
    /// Something that happened, in the event feed.
    EventId
}
typed_id! {
    /// Something that members can get for their points.
    RewardId
}
typed_id! {
    /// A member's redeeming of a reward.
    RedemptionId
}
typed_id! {
    /// What a member shows at a till to get a reward.
    VoucherId
}
typed_id! {
    /// A survey.
    SurveyId
}
typed_id! {
    /// An invitation of a member to answer a survey.
    InvitationId
}
typed_id! {
    /// An answer to a survey.
    AnswerId
}
typed_id! {
    /// A contact with a member that was allowed.
    ContactId
}

impl From<HouseholdId> for OwnerId {
    /// A household's owner bears the household's id, as a member's does the member's.
    fn from(household_id: HouseholdId) -> Self {
        Self(household_id.0)
    }
}

impl From<MemberId> for OwnerId {
    /// A member's owner bears the member's id, so that neither service has to ask the other for a translation.
    fn from(member_id: MemberId) -> Self {
        Self(member_id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ManualClock;
    use chrono::TimeDelta;

    const TEXT: &str = "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978";

    #[test]
    fn an_id_prints_as_it_was_parsed() {
        let id: MemberId = TEXT.parse().unwrap();
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(format!("{id:?}"), format!("MemberId({TEXT})"));
    }

    #[test]
    fn capitals_are_the_same_id() {
        assert_eq!(TEXT.to_uppercase().parse::<MemberId>(), TEXT.parse());
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let bare = TEXT.replace('-', "");
        for text in [
            "",
            "1",
            &bare,
            &format!("{{{TEXT}}}"),
            &format!("urn:uuid:{TEXT}"),
            &format!(" {TEXT}"),
            &TEXT[1..],
        ] {
            assert_eq!(text.parse::<RequestId>(), Err(IdError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn nil_is_no_id() {
        assert_eq!(
            "00000000-0000-0000-0000-000000000000".parse::<RequestId>(),
            Err(IdError::Nil)
        );
        assert_eq!(RequestId::try_from(Uuid::nil()), Err(IdError::Nil));
    }

    #[test]
    fn a_request_id_may_be_of_any_version() {
        for text in [
            "9b2cdb7c-8b8e-4c43-9c6d-0a4e1f1d3c55",
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        ] {
            assert_eq!(text.parse::<RequestId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn generated_ids_sort_by_the_clock_and_differ_within_one_instant() {
        let clock = ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        let first = TransactionId::generate(&clock);
        assert_eq!(first.as_uuid().get_version_num(), 7);
        assert_ne!(first, TransactionId::generate(&clock));

        clock.advance(TimeDelta::milliseconds(1));
        assert!(first < TransactionId::generate(&clock));
    }

    #[test]
    fn json_holds_the_text_and_refuses_what_parse_refuses() {
        let id: LotId = TEXT.parse().unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<LotId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<LotId>("\"00000000-0000-0000-0000-000000000000\"").is_err());
    }
}
