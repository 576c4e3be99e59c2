//! What a member is, how one is enrolled and how one changes. Pure.

mod consent;
mod duplicate;
mod guardian;
mod history;
mod identifier;
mod party;
mod profile;
mod standing;

use chrono::{DateTime, Utc};
use fealty_types::{IdentifierId, MemberId, Version};

use crate::cards::domain::CardState;
use crate::referrals::domain::EnrolmentReferral;
use crate::refusal::Refusal;

pub use consent::{Acceptance, GivenAcceptance, accept};
pub use duplicate::{DUPLICATES_MAX, Duplicates, Trait, candidates, traits_of};
pub use guardian::{Candidate, Guardian, MAJORITY_AGE_YEARS, MAJORITY_AGE_YEARS_DEFAULT, Majority, Naming};
pub use history::{HistoryEntry, IdentifierChange, Verification};
pub use identifier::{
    CARD_DIGITS, EXTERNAL_IDS_MAX, IDENTIFIERS_MAX, Identifier, IdentifierError, IdentifierKind,
    IdentifierValue, check_counts, luhn_sum,
};
pub use party::{
    PartyKind, PartyProblem, RegistrationNumber, RegistrationNumberError, party_problems, party_problems_of,
};
pub use profile::{
    BirthDate, BirthDateError, Change, LanguageTag, LanguageTagError, PROFILE_TEXT_LENGTH_MAX, Profile,
    ProfileChange,
};
pub use standing::{MemberStatus, Standing, TierCode, TierCodeError};

/// A person in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Their id, which their owner in the ledger bears too.
    pub member_id: MemberId,
    /// Who they are.
    pub profile: Profile,
    /// By what they are recognised, oldest first.
    pub identifiers: Vec<Identifier>,
    /// The consent given at enrolment.
    pub acceptance: Acceptance,
    /// Who gave it in a minor's stead.
    pub accepted_by: Option<MemberId>,
    /// Who answers for a minor; it may have ended by now.
    pub guardian: Option<Guardian>,
    /// What they may do, and where they belong.
    pub standing: Standing,
    /// Counts the changes: what an etag names.
    pub revision: Version,
    /// When they were enrolled.
    pub create_time: DateTime<Utc>,
    /// When they last changed.
    pub update_time: DateTime<Utc>,
}

/// Somebody to be enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMember {
    /// Who they are.
    pub profile: Profile,
    /// By what they are recognised.
    pub identifiers: Vec<IdentifierValue>,
    /// Their consent; None when they gave none.
    pub acceptance: Option<GivenAcceptance>,
    /// Who is to answer for them.
    pub guardian_member_id: Option<MemberId>,
    /// Who brought them.
    pub referral: Option<EnrolmentReferral>,
    /// Who enrols them: a staff member or a key.
    pub actor: String,
}

impl NewMember {
    /// The member as they start, with their consent judged.
    #[must_use]
    pub fn start(
        &self,
        member_id: MemberId,
        acceptance: Acceptance,
        guardian: Option<Guardian>,
        now: DateTime<Utc>,
    ) -> Member {
        // Those of one instant are told apart by their ids alone: in this order they were sent, and are read again.
        let mut ids: Vec<IdentifierId> = self
            .identifiers
            .iter()
            .map(|_| IdentifierId::generate_at(now))
            .collect();
        ids.sort_unstable();
        let identifier = |(identifier_id, value): (IdentifierId, &IdentifierValue)| Identifier {
            identifier_id,
            value: value.clone(),
            create_time: now,
            verification: None,
            card: CardState::of_new(value.kind()),
        };
        Member {
            member_id,
            profile: self.profile.clone(),
            identifiers: ids.into_iter().zip(&self.identifiers).map(identifier).collect(),
            acceptance,
            accepted_by: guardian.map(|guardian| guardian.member_id),
            guardian,
            standing: Standing::start(),
            revision: Version::ZERO,
            create_time: now,
            update_time: now,
        }
    }
}

impl Member {
    /// The member with another profile or guardian; None when it would change nothing.
    #[must_use]
    pub fn changed(&self, profile: Profile, guardian: Option<Guardian>, now: DateTime<Utc>) -> Option<Self> {
        if profile == self.profile && guardian == self.guardian {
            return None;
        }
        let mut changed = self.revised(now)?;
        changed.profile = profile;
        changed.guardian = guardian;
        Some(changed)
    }

    /// Who answers for the member at a time.
    #[must_use]
    pub fn guardian_at(&self, time: DateTime<Utc>) -> Option<MemberId> {
        let guardian = self.guardian.filter(|guardian| time < guardian.until);
        guardian.map(|guardian| guardian.member_id)
    }

    /// The member with one more identifier; None after 2^63 changes.
    #[must_use]
    pub fn with_identifier(&self, identifier: Identifier, now: DateTime<Utc>) -> Option<Self> {
        let mut changed = self.revised(now)?;
        changed.identifiers.push(identifier);
        Some(changed)
    }

    /// The member without an identifier; None when they have no such one.
    #[must_use]
    pub fn without_identifier(&self, identifier_id: IdentifierId, now: DateTime<Utc>) -> Option<Self> {
        let mut changed = self.revised(now)?;
        changed
            .identifiers
            .retain(|identifier| identifier.identifier_id != identifier_id);
        (changed.identifiers.len() < self.identifiers.len()).then_some(changed)
    }

    /// The member with an identifier that is shown to be theirs; None after 2^63 changes.
    #[must_use]
    pub fn with_verified(
        &self,
        identifier_id: IdentifierId,
        verification: &Verification,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let mut changed = self.revised(now)?;
        for identifier in &mut changed.identifiers {
            if identifier.identifier_id == identifier_id {
                identifier.verification = Some(verification.clone());
            }
        }
        Some(changed)
    }

    /// The member in another tier, or in none; None when they are there already, or after 2^63 changes.
    #[must_use]
    pub fn in_tier(&self, tier_code: Option<&TierCode>, now: DateTime<Utc>) -> Option<Self> {
        if self.standing.tier_code.as_ref() == tier_code {
            return None;
        }
        let mut changed = self.revised(now)?;
        changed.standing.tier_code = tier_code.cloned();
        Some(changed)
    }

    /// Those of another's identifiers that the member may have beside their own, in their order.
    #[must_use]
    pub fn fitting<'a>(&self, others: &'a [Identifier]) -> Vec<&'a Identifier> {
        let mut kinds: Vec<IdentifierKind> = self.identifiers.iter().map(|own| own.value.kind()).collect();
        others
            .iter()
            .filter(|other| {
                let more = kinds.iter().copied().chain([other.value.kind()]);
                let fits = check_counts(more).is_ok();
                if fits {
                    kinds.push(other.value.kind());
                }
                fits
            })
            .collect()
    }

    /// Refuses changes of a member who is closed or merged: what was theirs stays as it was.
    pub fn check_changeable(&self) -> Result<(), Refusal> {
        if self.standing.status.is_final() {
            return Err(Refusal::MemberNotActive {
                member_id: self.member_id,
                status: self.standing.status,
            });
        }
        Ok(())
    }

    fn revised(&self, now: DateTime<Utc>) -> Option<Self> {
        Some(Self {
            revision: self.revision.next()?,
            // A clock that was set back must not make a change older than the one before.
            update_time: now.max(self.update_time),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests;
