//! Who brought whom, and whether it counts. Pure.

mod growth;
mod settings;

use std::fmt;

use chrono::{DateTime, Utc};
use fealty_types::{MemberId, Points, PurchaseId, UnitCode};
use fealty_vault::{LookupHash, Personal};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::people::domain::IdentifierValue;

pub use growth::{Factor, FactorText, Growth, project};
pub use settings::{Action, Settings, Verdict};

/// Codes of one member that may be open: for each place where they share one.
pub const OPEN_CODES_MAX: i64 = 100;

/// Shortest and longest code, in letters and digits.
pub const CODE_LENGTH_MIN: usize = 4;
/// Longest: what fits on a card.
pub const CODE_LENGTH_MAX: usize = 32;

/// Length of a code that is made up: 31^10 of them are enough that nobody guesses one.
const MADE_UP_LENGTH: usize = 10;

/// Without those that look alike.
const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";

/// A code, in the one form that it is compared in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// Reads what somebody typed.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let is_right = (CODE_LENGTH_MIN..=CODE_LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_right {
            Ok(Self(text.to_ascii_uppercase()))
        } else {
            Err("must be 4 to 32 letters and digits")
        }
    }

    /// Makes one up from random bytes.
    #[must_use]
    pub fn made_of(random: &Uuid) -> Self {
        let bytes: [u8; 32] = Sha256::digest(random.as_bytes()).into();
        let letters = bytes.iter().take(MADE_UP_LENGTH);
        let letters = letters.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
        Self(letters.collect())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A code as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCode {
    /// The code.
    pub code: Code,
    /// Its place among others.
    pub code_id: Uuid,
    /// Whose.
    pub member_id: MemberId,
    /// Invitations that were sent by it.
    pub invite_count: i64,
    /// Members who were enrolled by it.
    pub referral_count: i64,
    /// When it was made.
    pub create_time: DateTime<Utc>,
    /// When it was closed.
    pub close_time: Option<DateTime<Utc>>,
}

/// By what a referrer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A code or link.
    Code,
    /// The card that was shown.
    Card,
    /// Somebody said so.
    ByHand,
}

/// What became of a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing was bought yet.
    Pending,
    /// Somebody has to look at it.
    Held,
    /// It does not count.
    Rejected,
    /// It counts.
    Qualified,
}

/// What may speak against a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Both are one member.
    Itself,
    /// The referrer was brought by the new member.
    Loop,
    /// Both belong to one household.
    SameHousehold,
    /// The same device was seen.
    SameDevice,
    /// Both seem to be one person.
    SamePerson,
    /// An identifier was the referrer's before.
    SameIdentifier,
}

macro_rules! named {
    ($name:ident: $($variant:ident = $text:literal),+ $(,)?) => {
        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it is stored, and told.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
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
use named;

named!(Source: Code = "CODE", Card = "CARD", ByHand = "BY_HAND");
named!(State: Pending = "PENDING", Held = "HELD", Rejected = "REJECTED", Qualified = "QUALIFIED");
named!(Check:
    Itself = "SELF",
    Loop = "LOOP",
    SameHousehold = "SAME_HOUSEHOLD",
    SameDevice = "SAME_DEVICE",
    SamePerson = "SAME_PERSON",
    SameIdentifier = "SAME_IDENTIFIER",
);

/// By whom somebody was brought, as it is said when they are enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroughtBy {
    /// Whoever has the code.
    Code(Code),
    /// Whoever has the card.
    Card(IdentifierValue),
    /// That member.
    Member(MemberId),
}

/// How somebody came to be enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentReferral {
    /// By whom.
    pub by: BroughtBy,
    /// The device that they were enrolled on.
    pub device: Option<Personal>,
}

/// Who is brought, as the checks see them.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// Who.
    pub member_id: MemberId,
    /// The device, by its keyed hash.
    pub device: Option<LookupHash>,
}

/// A referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referral {
    /// Its place among others.
    pub referral_id: Uuid,
    /// Who was brought.
    pub member_id: MemberId,
    /// By whom.
    pub referrer_member_id: MemberId,
    /// By what that is known.
    pub source: Source,
    /// The code.
    pub code: Option<String>,
    /// What became of it.
    pub state: State,
    /// What spoke against it.
    pub checks: Vec<Check>,
    /// The purchase that it qualified by, or would have while it was held.
    pub purchase_id: Option<PurchaseId>,
    /// When it was recorded.
    pub record_time: DateTime<Utc>,
    /// When it qualified.
    pub qualify_time: Option<DateTime<Utc>>,
}

/// Which side of a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who brought.
    Referrer,
    /// Who was brought.
    Referred,
}

named!(Side: Referrer = "REFERRER", Referred = "REFERRED");

/// What one side gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reward {
    /// Of which referral.
    pub referral_id: Uuid,
    /// Which side.
    pub side: Side,
    /// Who.
    pub member_id: MemberId,
    /// What.
    pub unit_code: UnitCode,
    /// How much.
    pub value: Points,
    /// The ledger's transaction.
    pub transaction_id: Uuid,
    /// The ledger has it.
    pub is_credited: bool,
    /// Why the ledger will not give it.
    pub refused_reason: Option<String>,
}

impl Referral {
    /// What both sides get once it qualifies.
    #[must_use]
    pub fn rewards(&self, settings: &Settings) -> Vec<Reward> {
        let Some(unit_code) = &settings.reward_unit_code else {
            return Vec::new();
        };
        let sides = [
            (Side::Referrer, self.referrer_member_id, settings.referrer_value),
            (Side::Referred, self.member_id, settings.referred_value),
        ];
        let given = sides.into_iter().filter(|(.., value)| value.is_positive());
        given
            .map(|(side, member_id, value)| Reward {
                referral_id: self.referral_id,
                side,
                member_id,
                unit_code: unit_code.clone(),
                value,
                transaction_id: transaction_id(self.referral_id, side),
                is_credited: false,
                refused_reason: None,
            })
            .collect()
    }
}

/// One id for each side of each referral: whoever credits it, and however often, it is the same request.
fn transaction_id(referral_id: Uuid, side: Side) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(b"fealty referral reward");
    hash.update(referral_id.as_bytes());
    hash.update(side.as_str());
    let hash: [u8; 32] = hash.finalize().into();
    let (first, _) = hash.split_at(16);
    let bytes: [u8; 16] = first.try_into().expect("16 bytes of 32");
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_compared_in_capital_letters_and_made_up_without_those_that_look_alike() {
        assert_eq!(Code::parse("ana42").unwrap().as_str(), "ANA42");
        for wrong in ["abc", "with space", "émile", &"A".repeat(33)] {
            assert!(Code::parse(wrong).is_err(), "{wrong}");
        }
        let (one, other) = (Code::made_of(&Uuid::now_v7()), Code::made_of(&Uuid::now_v7()));
        assert_ne!(one, other);
        assert_eq!(Code::parse(one.as_str()), Ok(one.clone()));
        assert!(one.as_str().bytes().all(|byte| ALPHABET.contains(&byte)));
    }

    #[test]
    fn each_side_has_its_own_request_and_always_the_same() {
        let time = DateTime::UNIX_EPOCH;
        let referral = Referral {
            referral_id: Uuid::from_u128(7),
            member_id: MemberId::generate_at(time),
            referrer_member_id: MemberId::generate_at(time),
            source: Source::Card,
            code: None,
            state: State::Pending,
            checks: Vec::new(),
            purchase_id: None,
            record_time: time,
            qualify_time: None,
        };
        let settings = Settings {
            reward_unit_code: Some("points".parse().unwrap()),
            referrer_value: Points::new(50),
            referred_value: Points::new(20),
            ..Settings::default()
        };
        let rewards = referral.rewards(&settings);
        assert_eq!(rewards, referral.rewards(&settings));
        assert_eq!(
            (rewards[0].member_id, rewards[0].value.get()),
            (referral.referrer_member_id, 50)
        );
        assert_eq!(
            (rewards[1].member_id, rewards[1].value.get()),
            (referral.member_id, 20)
        );
        assert_ne!(rewards[0].transaction_id, rewards[1].transaction_id);
        assert!(referral.rewards(&Settings::default()).is_empty());
    }
}
