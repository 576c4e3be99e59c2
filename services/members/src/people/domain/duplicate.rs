//! What two records of one person have in common. Pure.

use fealty_types::MemberId;
use fealty_vault::Personal;

use super::{IdentifierKind, IdentifierValue, PartyKind, Profile, RegistrationNumber};

/// Words that a name of a person has at the least to tell people apart by: a given name alone is many people's.
const NAME_WORDS_MIN: usize = 2;

/// Members of one candidate that are told at the most. Of a name that more people have than that, nobody merges all.
pub const DUPLICATES_MAX: usize = 20;

/// What two records have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait {
    /// The name, in any order of its words, and the birthday.
    NameAndBirthDate,
    /// The name, in any order of its words, and the place.
    NameAndPlace,
    /// E-mail addresses that many providers take for the same: dots and what follows a plus sign say nothing.
    SimilarEmailAddress,
    /// The number under which the authorities know them.
    RegistrationNumber,
}

impl Trait {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::NameAndBirthDate,
        Self::NameAndPlace,
        Self::SimilarEmailAddress,
        Self::RegistrationNumber,
    ];

    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NameAndBirthDate => "NAME_AND_BIRTH_DATE",
            Self::NameAndPlace => "NAME_AND_PLACE",
            Self::SimilarEmailAddress => "SIMILAR_EMAIL_ADDRESS",
            Self::RegistrationNumber => "REGISTRATION_NUMBER",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// By what somebody may be found to be there twice, each in the one form that it is compared in.
#[must_use]
pub fn traits_of(profile: &Profile, identifiers: &[&IdentifierValue]) -> Vec<(Trait, Personal)> {
    let name = compared_name(profile);
    let with_name = |other: Option<String>| Some(format!("{}\n{}", name.as_deref()?, other?));
    let birth_date = profile
        .birth_date
        .map(|date| date.to_personal().expose().to_owned());
    let place = profile
        .place
        .as_ref()
        .map(|place| words_of(place.expose()).join(" "));
    let number = profile.registration_number.as_ref().map(compared_number);
    let of_profile = [
        (Trait::NameAndBirthDate, with_name(birth_date)),
        (
            Trait::NameAndPlace,
            with_name(place.filter(|place| !place.is_empty())),
        ),
        (Trait::RegistrationNumber, number),
    ];
    let emails = identifiers
        .iter()
        .filter(|value| value.kind() == IdentifierKind::EmailAddress)
        .map(|value| (Trait::SimilarEmailAddress, compared_email(value.text().expose())));
    let mut traits: Vec<(Trait, Personal)> = Vec::new();
    for (kind, text) in of_profile.into_iter().chain(emails) {
        if let Some(text) = text.map(Personal::new)
            && !traits.contains(&(kind, text.clone()))
        {
            traits.push((kind, text));
        }
    }
    traits
}

/// The words of a name in an order that does not depend on who typed which first.
fn compared_name(profile: &Profile) -> Option<String> {
    let is_person = profile.party_kind != PartyKind::LegalEntity;
    let names = if is_person {
        [profile.given_name.as_ref(), profile.family_name.as_ref()]
    } else {
        [profile.display_name.as_ref(), None]
    };
    let mut words: Vec<String> = names
        .into_iter()
        .flatten()
        .flat_map(|name| words_of(name.expose()))
        .collect();
    words.sort_unstable();
    let enough = if is_person { NAME_WORDS_MIN } else { 1 };
    (words.len() >= enough).then(|| words.join(" "))
}

/// Small letters and digits, without what stands between them.
fn words_of(text: &str) -> Vec<String> {
    text.to_lowercase()
        // Written either way by the same people.
        .replace('ё', "е")
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn compared_number(number: &RegistrationNumber) -> String {
    let text = number.as_personal().expose();
    text.to_uppercase()
        .chars()
        .filter(|character| character.is_alphanumeric())
        .collect()
}

fn compared_email(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let name: String = local
        .split('+')
        .next()?
        .chars()
        .filter(|character| *character != '.')
        .collect();
    (!name.is_empty()).then(|| format!("{name}@{domain}"))
}

/// Members who have one trait in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates<H> {
    /// What it is.
    pub kind: Trait,
    /// By what it is found.
    pub value_hash: H,
    /// Two at least, and no more than are told.
    pub member_ids: Vec<MemberId>,
    /// Whether there are more.
    pub has_more: bool,
}

/// Those who have the same trait, of rows that lie in the order of the traits' hashes. Answers them and the last hash of
/// which all rows were seen: reading goes on after it. None when that was all.
pub fn candidates<H: Copy + Eq>(
    rows: &[(H, Trait, MemberId)],
    is_whole: bool,
) -> (Vec<Duplicates<H>>, Option<H>) {
    let mut runs: Vec<&[(H, Trait, MemberId)]> = rows.chunk_by(|one, next| one.0 == next.0).collect();
    // The last run may go on behind what was read; a run that fills all of it is more than anybody wants to see of it.
    if !is_whole && runs.len() > 1 {
        runs.pop();
    }
    let last = runs.last().and_then(|run| run.first()).map(|row| row.0);
    let found = runs
        .iter()
        .filter(|run| run.len() > 1)
        .map(|run| Duplicates {
            kind: run[0].1,
            value_hash: run[0].0,
            member_ids: run.iter().take(DUPLICATES_MAX).map(|row| row.2).collect(),
            has_more: run.len() > DUPLICATES_MAX,
        })
        .collect();
    (found, last.filter(|_| !is_whole))
}

#[cfg(test)]
mod tests;
