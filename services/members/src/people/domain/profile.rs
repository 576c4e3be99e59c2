//! What a program knows of a person. Pure.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use fealty_vault::Personal;

use super::{PartyKind, RegistrationNumber};

/// Longest name or place, in characters: longer than any passport's.
pub const PROFILE_TEXT_LENGTH_MAX: usize = 200;

/// The earliest year of birth: nobody alive was born before.
const BIRTH_YEAR_MIN: i32 = 1900;

/// A leap year, to judge a day whose year nobody knows.
const ANY_LEAP_YEAR: i32 = 2000;

/// Longest language tag: what RFC 5646 (4.4.1) asks everybody to take.
const LANGUAGE_TAG_LENGTH_MAX: usize = 35;

/// What a program knows of a member: all of it personal, but for the kind of party.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// What kind of party they are.
    pub party_kind: PartyKind,
    /// Under which number the authorities know them.
    pub registration_number: Option<RegistrationNumber>,
    /// Their given name.
    pub given_name: Option<Personal>,
    /// Their family name.
    pub family_name: Option<Personal>,
    /// How to address them, where they said so.
    pub display_name: Option<Personal>,
    /// Their birthday.
    pub birth_date: Option<BirthDate>,
    /// In which language to address them.
    pub language: Option<LanguageTag>,
    /// Where they live.
    pub place: Option<Personal>,
}

/// What happens to a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays.
    #[default]
    Keep,
    /// It becomes this, or nothing.
    Set(Option<T>),
}

impl<T: Clone> Change<T> {
    fn of(&self, old: Option<&T>) -> Option<T> {
        match self {
            Self::Keep => old.cloned(),
            Self::Set(new) => new.clone(),
        }
    }
}

/// New values for some of a profile's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// What kind of party they are; a person when it is set to nothing.
    pub party_kind: Change<PartyKind>,
    /// Under which number the authorities know them.
    pub registration_number: Change<RegistrationNumber>,
    /// Their given name.
    pub given_name: Change<Personal>,
    /// Their family name.
    pub family_name: Change<Personal>,
    /// How to address them.
    pub display_name: Change<Personal>,
    /// Their birthday.
    pub birth_date: Change<BirthDate>,
    /// In which language to address them.
    pub language: Change<LanguageTag>,
    /// Where they live.
    pub place: Change<Personal>,
}

impl Profile {
    /// The profile after a change.
    #[must_use]
    pub fn changed(&self, change: &ProfileChange) -> Self {
        Self {
            party_kind: change.party_kind.of(Some(&self.party_kind)).unwrap_or_default(),
            registration_number: change.registration_number.of(self.registration_number.as_ref()),
            given_name: change.given_name.of(self.given_name.as_ref()),
            family_name: change.family_name.of(self.family_name.as_ref()),
            display_name: change.display_name.of(self.display_name.as_ref()),
            birth_date: change.birth_date.of(self.birth_date.as_ref()),
            language: change.language.of(self.language.as_ref()),
            place: change.place.of(self.place.as_ref()),
        }
        .tidied()
    }

    /// Without a display name that only says what the names say. Callers read such a one, and may well send it back:
    /// kept, it would go on saying the old name once that changes.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        let full_name = self.full_name();
        self.display_name
            .take_if(|display_name| Some(display_name.expose()) == full_name.as_ref().map(Personal::expose));
        self
    }

    /// How to address them: as they said, or else by their names.
    #[must_use]
    pub fn address(&self) -> Option<Personal> {
        self.display_name.clone().or_else(|| self.full_name())
    }

    fn full_name(&self) -> Option<Personal> {
        match (&self.given_name, &self.family_name) {
            (Some(given), Some(family)) => {
                Some(Personal::new(format!("{} {}", given.expose(), family.expose())))
            }
            (given, family) => given.as_ref().or(family.as_ref()).cloned(),
        }
    }
}

/// A birthday. The year may be unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BirthDate {
    year: Option<i32>,
    month: u32,
    day: u32,
}

/// The numbers are no birthday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BirthDateError {
    /// The calendar has no such day.
    #[error(
        "must be a day of the calendar: year (or 0 when unknown), month 1 to 12, and a day that the month has"
    )]
    NoSuchDay,
    /// Too long ago.
    #[error("must not be before {BIRTH_YEAR_MIN}")]
    TooEarly,
    /// Nobody is born in the future.
    #[error("must not lie in the future")]
    Future,
}

impl BirthDate {
    /// A birthday, judged on the program's today. Year 0 is an unknown year.
    pub fn try_new(year: i32, month: i32, day: i32, today: NaiveDate) -> Result<Self, BirthDateError> {
        let birth_date = Self::of_calendar(year, month, day).ok_or(BirthDateError::NoSuchDay)?;
        match birth_date.date() {
            Some(date) if date.year() < BIRTH_YEAR_MIN => Err(BirthDateError::TooEarly),
            Some(date) if date > today => Err(BirthDateError::Future),
            _ => Ok(birth_date),
        }
    }

    fn of_calendar(year: i32, month: i32, day: i32) -> Option<Self> {
        let (month, day) = (u32::try_from(month).ok()?, u32::try_from(day).ok()?);
        let year = match year {
            0 => None,
            1..=9999 => Some(year),
            _ => return None,
        };
        NaiveDate::from_ymd_opt(year.unwrap_or(ANY_LEAP_YEAR), month, day)?;
        Some(Self { year, month, day })
    }

    /// The year; None when unknown.
    #[must_use]
    pub const fn year(&self) -> Option<i32> {
        self.year
    }

    /// 1 to 12.
    #[must_use]
    pub const fn month(&self) -> u32 {
        self.month
    }

    /// 1 to 31.
    #[must_use]
    pub const fn day(&self) -> u32 {
        self.day
    }

    fn date(&self) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(self.year?, self.month, self.day)
    }

    /// As it is sealed: `1987-02-28`, or `0000-02-29` without a year.
    #[must_use]
    pub fn to_personal(&self) -> Personal {
        let year = self.year.unwrap_or(0);
        Personal::new(format!("{year:04}-{:02}-{:02}", self.month, self.day))
    }

    /// As it was sealed. What was right once stays so, whatever day it is today.
    #[must_use]
    pub fn from_personal(text: &Personal) -> Option<Self> {
        let mut numbers = text.expose().split('-').map(|part| part.parse::<i32>().ok());
        let date = (numbers.next()??, numbers.next()??, numbers.next()??);
        let ends = numbers.next().is_none();
        Self::of_calendar(date.0, date.1, date.2).filter(|_| ends)
    }
}

impl fmt::Debug for BirthDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<personal>")
    }
}

/// A BCP 47 language tag that is well formed, written as the standard advises: `sr-Latn`, `en-GB`.
#[derive(Clone, PartialEq, Eq)]
pub struct LanguageTag(Personal);

/// The text is no language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a BCP 47 language tag, such as \"en\", \"en-GB\" or \"sr-Latn\"")]
pub struct LanguageTagError;

impl LanguageTag {
    /// The tag.
    #[must_use]
    pub const fn as_personal(&self) -> &Personal {
        &self.0
    }
}

impl fmt::Debug for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<personal>")
    }
}

impl FromStr for LanguageTag {
    type Err = LanguageTagError;

    /// By the grammar of RFC 5646 (2.1); whether a language is registered is not asked.
    fn from_str(text: &str) -> Result<Self, LanguageTagError> {
        let subtags: Vec<&str> = text.split('-').collect();
        let fit = |subtag: &&str| {
            (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if text.len() > LANGUAGE_TAG_LENGTH_MAX || !subtags.iter().all(fit) {
            return Err(LanguageTagError);
        }
        let written = write_langtag(&subtags).ok_or(LanguageTagError)?;
        Ok(Self(Personal::new(written)))
    }
}

/// The tag in its advised form; None when the subtags do not follow each other as they have to.
fn write_langtag(subtags: &[&str]) -> Option<String> {
    let alphabetic = |subtag: &str| subtag.bytes().all(|byte| byte.is_ascii_alphabetic());
    let (language, mut rest) = subtags.split_first()?;
    if !alphabetic(language) || !(2..=8).contains(&language.len()) {
        return None;
    }
    let mut written = vec![language.to_ascii_lowercase()];
    let mut take = |fits: &dyn Fn(&str) -> bool, write: fn(&str) -> String, count_max: usize| {
        for _ in 0..count_max {
            match rest.split_first() {
                Some((subtag, further)) if fits(subtag) => {
                    written.push(write(subtag));
                    rest = further;
                }
                _ => break,
            }
        }
    };
    let lower: fn(&str) -> String = str::to_ascii_lowercase;
    if language.len() <= 3 {
        take(&|subtag| subtag.len() == 3 && alphabetic(subtag), lower, 3);
    }
    take(&|subtag| subtag.len() == 4 && alphabetic(subtag), title_case, 1);
    take(&is_region, str::to_ascii_uppercase, 1);
    take(&is_variant, lower, usize::MAX);
    // Extensions and private use: a letter or digit, and at least one longer subtag after it.
    let mut singletons = rest.iter().enumerate().filter(|(_, subtag)| subtag.len() == 1);
    let follows = |place: usize| rest.get(place + 1).is_some_and(|subtag| subtag.len() > 1);
    let begins_right = rest.first().is_none_or(|subtag| subtag.len() == 1);
    if !begins_right || !singletons.all(|(place, _)| follows(place)) {
        return None;
    }
    written.extend(rest.iter().map(|subtag| lower(subtag)));
    Some(written.join("-"))
}

fn is_region(subtag: &str) -> bool {
    (subtag.len() == 2 && subtag.bytes().all(|byte| byte.is_ascii_alphabetic()))
        || (subtag.len() == 3 && subtag.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_variant(subtag: &str) -> bool {
    subtag.len() >= 5 || (subtag.len() == 4 && subtag.starts_with(|first: char| first.is_ascii_digit()))
}

fn title_case(subtag: &str) -> String {
    let mut title = subtag.to_ascii_lowercase();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

#[cfg(test)]
mod tests;
