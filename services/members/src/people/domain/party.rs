//! What kind of party a member is, and what each kind has and has not. Pure.

use std::fmt;
use std::str::FromStr;

use fealty_vault::Personal;

use super::Profile;

/// Longest registration number, in characters: twice the longest in use (LEI: 20), with room for how people space it.
const REGISTRATION_NUMBER_LENGTH_MAX: usize = 40;

/// What kind of party a member is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PartyKind {
    /// A person.
    #[default]
    NaturalPerson,
    /// A company or other body.
    LegalEntity,
    /// A person who trades under their own name.
    SoleProprietor,
}

impl PartyKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NaturalPerson, Self::LegalEntity, Self::SoleProprietor];

    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NaturalPerson => "NATURAL_PERSON",
            Self::LegalEntity => "LEGAL_ENTITY",
            Self::SoleProprietor => "SOLE_PROPRIETOR",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The number under which the authorities know somebody who trades.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistrationNumber(Personal);

/// The text is no registration number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must have 1 to {REGISTRATION_NUMBER_LENGTH_MAX} letters, digits, blanks and \"-/.\", with a letter or digit at both ends"
)]
pub struct RegistrationNumberError;

impl RegistrationNumber {
    /// The number, as it was given.
    #[must_use]
    pub const fn as_personal(&self) -> &Personal {
        &self.0
    }
}

impl fmt::Debug for RegistrationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<personal>")
    }
}

impl FromStr for RegistrationNumber {
    type Err = RegistrationNumberError;

    fn from_str(text: &str) -> Result<Self, RegistrationNumberError> {
        let is_taken = |character: char| character.is_alphanumeric() || " -/.".contains(character);
        let is_bounded = text.starts_with(char::is_alphanumeric) && text.ends_with(char::is_alphanumeric);
        if is_bounded && text.chars().count() <= REGISTRATION_NUMBER_LENGTH_MAX && text.chars().all(is_taken)
        {
            Ok(Self(Personal::new(text)))
        } else {
            Err(RegistrationNumberError)
        }
    }
}

/// A field of a profile that the kind of party must have and lacks, or must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartyProblem {
    /// Its name, below the profile.
    pub field: &'static str,
    /// What would be right.
    pub description: &'static str,
}

/// Everything of a profile that does not go with its kind of party.
#[must_use]
pub fn party_problems(profile: &Profile) -> Vec<PartyProblem> {
    let fields = [
        ("given_name", profile.given_name.is_some()),
        ("family_name", profile.family_name.is_some()),
        ("birth_date", profile.birth_date.is_some()),
        ("registration_number", profile.registration_number.is_some()),
    ];
    party_problems_of(profile.party_kind, fields)
}

/// The same by the names of fields and whether they were given: their values may not all be right.
#[must_use]
pub fn party_problems_of(party_kind: PartyKind, fields: [(&'static str, bool); 4]) -> Vec<PartyProblem> {
    let has = |name: &str| fields.contains(&(name, true));
    let has_name = has("given_name") || has("family_name");
    let has_number = has("registration_number");
    let wrong: Vec<(bool, &'static str, &'static str)> = match party_kind {
        PartyKind::NaturalPerson => vec![(
            has_number,
            "registration_number",
            "must be empty: a natural person has none",
        )],
        PartyKind::SoleProprietor => vec![(
            !has_name,
            "family_name",
            "is required, or given_name: a sole proprietor trades under a name of their own",
        )],
        PartyKind::LegalEntity => vec![
            (
                has("given_name"),
                "given_name",
                "must be empty: a legal entity has a display_name",
            ),
            (
                has("family_name"),
                "family_name",
                "must be empty: a legal entity has a display_name",
            ),
            (
                has("birth_date"),
                "birth_date",
                "must be unset: a legal entity has none",
            ),
            (
                !has_number,
                "registration_number",
                "is required of a legal entity",
            ),
        ],
    };
    let problem = |(_, field, description)| PartyProblem { field, description };
    wrong
        .into_iter()
        .filter(|(is_wrong, ..)| *is_wrong)
        .map(problem)
        .collect()
}

#[cfg(test)]
mod tests;
