//! Why a use case does not do what it was asked: words of the domain, without gRPC and without SQL. [`crate::status`]
//! says what a caller is told.

mod households;

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use fealty_postgres::requests::ClaimError;
use fealty_postgres::{StorageError, TransactError};
use fealty_proto::access::v1::Scope;
use fealty_proto::types::v1::ErrorReason;
use fealty_types::{ContactId, HouseholdId, IdentifierId, MemberId, PolicyId, RequestId, StaffId};
use uuid::Uuid;

use crate::cards::domain::{CardState, CardStatus};
use crate::contacts::domain::Outcome;
use crate::ladders::LadderRefusal;
use crate::people::domain::{MemberStatus, PartyProblem};
use crate::policies::domain::PolicyVersion;
use crate::referrals::domain::Check;

pub use households::HouseholdRefusal;

/// The things of this service, as callers name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A loyalty program.
    Program,
    /// A caller's key.
    ApiKey,
    /// Somebody who works with a program.
    StaffMember,
    /// A version of a program's policy.
    Policy,
    /// A person in a program.
    Member,
    /// Members who share one account.
    Household,
    /// An invitation to one.
    HouseholdInvitation,
    /// Something by which a person is recognised.
    Identifier,
    /// A loyalty card.
    Card,
    /// Loyalty cards that were made together.
    CardBatch,
    /// A company of the group that runs a program.
    Company,
    /// Who brought a member.
    Referral,
    /// A code by which members bring others.
    ReferralCode,
    /// A contact that was allowed.
    Contact,
    /// The numbers by which a program contacts its members.
    ContactSettings,
    /// Tiers that members climb.
    Ladder,
    /// Something that members of a tier have.
    Benefit,
    /// A tier that was given by hand.
    TierGrant,
    /// The erasing of a person.
    Erasure,
    /// Why data is not to be erased.
    LegalHold,
}

impl Resource {
    /// The word that callers see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::ApiKey => "api_key",
            Self::StaffMember => "staff_member",
            Self::Policy => "policy",
            Self::Member => "member",
            Self::Household => "household",
            Self::HouseholdInvitation => "household_invitation",
            Self::Identifier => "identifier",
            Self::Card => "card",
            Self::CardBatch => "card_batch",
            Self::Company => "company",
            Self::Referral => "referral",
            Self::ReferralCode => "referral_code",
            Self::Contact => "contact",
            Self::ContactSettings => "contact_settings",
            Self::Ladder => "ladder",
            Self::Benefit => "benefit",
            Self::TierGrant => "tier_grant",
            Self::Erasure => "erasure",
            Self::LegalHold => "legal_hold",
        }
    }
}

/// What the business says no to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The program has no such thing.
    NotFound {
        /// What was looked for.
        resource: Resource,
        /// By which id.
        id: String,
    },
    /// Another one has that number or code.
    Exists {
        /// What holds it.
        resource: Resource,
        /// Which one.
        id: String,
    },
    /// It has changed since the caller read it.
    EtagMismatch {
        /// What has changed.
        resource: Resource,
        /// Which one.
        id: String,
    },
    /// The request id belongs to another command.
    RequestIdReused(RequestId),
    /// Nobody hands out a right that they lack.
    ScopeMissing(Scope),
    /// Nobody could verify what the key signs.
    KeyIssuesNoTokens,
    /// The staff member is not active.
    StaffInactive(StaffId),
    /// A value that was well formed cannot be taken now.
    FieldInvalid {
        /// The field's path as in the proto.
        field: &'static str,
        /// What would be right.
        description: &'static str,
    },
    /// What a member would be after a change does not go with their kind of party.
    PartyUnfit(Vec<PartyProblem>),
    /// A place in a list or feed that is not of this list or feed.
    PositionInvalid,
    /// The program has no policy in force, so nobody can consent to it.
    PolicyMissing,
    /// Nobody is enrolled without having accepted the policy in force.
    ConsentRequired {
        /// The one in force.
        policy_id: PolicyId,
        /// Its version.
        policy_version: PolicyVersion,
    },
    /// What was accepted is not the policy in force.
    PolicyVersionOutdated {
        /// The one in force.
        policy_id: PolicyId,
        /// Its version.
        policy_version: PolicyVersion,
    },
    /// One resource has as many of something as it may have.
    CountExceeded {
        /// Of what.
        resource: &'static str,
        /// How many it may have.
        count_max: usize,
    },
    /// An identifier belongs to somebody already. The value is personal, so it is not repeated.
    IdentifierTaken {
        /// Which identifier has the value.
        identifier_id: IdentifierId,
        /// Its kind.
        kind: &'static str,
        /// Which one of several that were sent.
        index: Option<usize>,
    },
    /// Nobody bears that identifier. The value is personal, so it is not repeated.
    NobodyBears {
        /// Its kind.
        kind: &'static str,
        /// Of a card that nobody has: what it is.
        card_status: Option<&'static str>,
    },
    /// The card that the call speaks of has ended.
    CardEnded(CardState),
    /// A card that somebody was to get has ended. Whose it was is not told.
    CardNotGiven {
        /// What has become of it.
        status: CardStatus,
        /// The field that has its number.
        kind: &'static str,
        /// Which one of several identifiers that were sent.
        index: Option<usize>,
    },
    /// The member would be a minor without a guardian.
    GuardianRequired,
    /// The member is of age, or nobody knows.
    GuardianNotNeeded {
        /// The field's path as in the proto.
        field: &'static str,
    },
    /// That one cannot answer for others.
    GuardianUnsuitable {
        /// Whom it is about.
        guardian_member_id: MemberId,
    },
    /// That one does not answer for the member.
    NotTheGuardian {
        /// For whom they speak.
        member_id: MemberId,
        /// Whom it is about.
        guardian_member_id: MemberId,
    },
    /// Nobody has the card.
    CardNotLinked,
    /// The program knows no such card. The number may be personal, so it is not repeated.
    NoSuchCard,
    /// Most of the numbers that cards could have are taken.
    CardNumbersSpent {
        /// How many there are.
        count_max: u64,
    },
    /// Another card has the number at that place of the batch, counted from 1.
    CardNumberTaken {
        /// Where.
        place: usize,
    },
    /// The member may not do that, or it may not be done to them.
    MemberNotActive {
        /// Whom it is about.
        member_id: MemberId,
        /// What they are.
        status: MemberStatus,
    },
    /// The member belongs to another household.
    HouseholdTaken {
        /// Whom it is about.
        member_id: MemberId,
        /// Where they belong.
        household_id: HouseholdId,
    },
    /// The household has as many members as it may have.
    HouseholdFull {
        /// How many it may have.
        count_max: usize,
    },
    /// What households say no to.
    Household(HouseholdRefusal),
    /// Something else was reported of the contact.
    DeliveryReported {
        /// Which.
        contact_id: ContactId,
        /// What was reported.
        outcome: Outcome,
    },
    /// The referral does not count, as the program has it.
    ReferralRefused {
        /// Who would have brought them.
        referrer_member_id: MemberId,
        /// What speaks against it.
        checks: Vec<Check>,
    },
    /// The program has as many companies as it may have.
    CompaniesFull {
        /// How many it may have.
        count_max: usize,
    },
    /// The two records cannot be merged: one of them is merged already, or they are the same.
    MergeRefused {
        /// Which of them stands in the way.
        member_id: MemberId,
    },
    /// What ladders say no to.
    Ladder(LadderRefusal),
    /// The person has too many records to be erased in one step.
    TooManyRecords {
        /// Whom it is about.
        member_id: MemberId,
        /// How many they may have.
        count_max: usize,
    },
    /// The person's data is held for legal reasons.
    LegalHold {
        /// Whom it is about.
        member_id: MemberId,
        /// By which hold.
        legal_hold_id: Uuid,
    },
    /// The contract goes on, or its end is not long enough ago.
    RetentionNotEnded {
        /// Whom it is about.
        member_id: MemberId,
        /// From when on they may be erased; None while the contract goes on.
        purgeable_from_date: Option<NaiveDate>,
    },
    /// Others kept taking and leaving the same thing meanwhile.
    Contended,
}

impl Refusal {
    /// There is no such thing.
    pub(crate) fn not_found(resource: Resource, id: impl fmt::Display) -> Self {
        Self::NotFound {
            resource,
            id: id.to_string(),
        }
    }

    /// Another one has it.
    pub(crate) fn exists(resource: Resource, id: impl fmt::Display) -> Self {
        Self::Exists {
            resource,
            id: id.to_string(),
        }
    }

    /// It has changed.
    pub(crate) fn etag_mismatch(resource: Resource, id: impl fmt::Display) -> Self {
        Self::EtagMismatch {
            resource,
            id: id.to_string(),
        }
    }
}

/// What the ledger says no to, in its own words: callers know them from its own calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRefusal {
    /// Why.
    pub reason: ErrorReason,
    /// In a sentence.
    pub message: String,
    /// The values that the reason speaks of.
    pub metadata: BTreeMap<String, String>,
}

/// What a use case answers when it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum MembersError {
    /// The business says no.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The database, or the way to it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The ledger does not answer as it should. What was stored stays, and is finished by a retry or by itself.
    #[error("the ledger does not answer as it should")]
    LedgerAway,
    /// The ledger refuses to do its part, and has done nothing.
    #[error("the ledger refuses: {0:?}")]
    LedgerRefused(LedgerRefusal),
    /// A test cut the work off here.
    #[error("cut off by a test")]
    Crashed,
}

impl From<Refusal> for MembersError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ClaimError> for MembersError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Storage(error) => error.into(),
            ClaimError::Reused(request_id) => Refusal::RequestIdReused(request_id).into(),
        }
    }
}

impl From<sqlx::Error> for MembersError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl TransactError for MembersError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Refused(_) | Self::LedgerAway | Self::LedgerRefused(_) | Self::Crashed => None,
        }
    }
}
