//! By what people are recognised: how each kind is written, so that one value has one form. Pure.
//!
//! No error repeats what was given: it is personal.

use std::fmt;

use chrono::{DateTime, Utc};
use fealty_types::IdentifierId;
use fealty_vault::Personal;

use super::Verification;
use crate::cards::domain::CardState;
use crate::refusal::Refusal;

/// Most identifiers of one member: several cards, numbers and addresses for a long life, and a page of members that
/// stays small.
pub const IDENTIFIERS_MAX: usize = 32;

/// Most external ids of one member: the program's own id of a person is one.
pub const EXTERNAL_IDS_MAX: usize = 1;

/// Longest external id, in characters.
const EXTERNAL_ID_LENGTH_MAX: usize = 128;

/// Digits of a card: from the shortest loyalty cards to what ISO/IEC 7812-1 allows.
pub const CARD_DIGITS: std::ops::RangeInclusive<usize> = 8..=19;

/// Digits of a telephone number with its country code: E.164 allows 15, and the shortest in use have 7.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Longest e-mail address, and its part before the @ (RFC 5321, 4.5.3.1, with its erratum).
const EMAIL_LENGTH_MAX_BYTES: usize = 254;
const EMAIL_LOCAL_LENGTH_MAX_BYTES: usize = 64;

/// Longest label of a domain (RFC 1035, 2.3.4).
const DOMAIN_LABEL_LENGTH_MAX_BYTES: usize = 63;

/// What kind of identifier it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdentifierKind {
    /// The program's own id of the person.
    ExternalId,
    /// Number of a loyalty card.
    CardNumber,
    /// Telephone number.
    PhoneNumber,
    /// E-mail address.
    EmailAddress,
}

impl IdentifierKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ExternalId,
        Self::CardNumber,
        Self::PhoneNumber,
        Self::EmailAddress,
    ];

    /// The name of its field, as callers see it.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::ExternalId => "external_id",
            Self::CardNumber => "card_number",
            Self::PhoneNumber => "phone_number",
            Self::EmailAddress => "email_address",
        }
    }

    /// The word of the column, and of the keyed hash.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExternalId => "EXTERNAL_ID",
            Self::CardNumber => "CARD_NUMBER",
            Self::PhoneNumber => "PHONE_NUMBER",
            Self::EmailAddress => "EMAIL_ADDRESS",
        }
    }

    /// Reads the column.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for IdentifierKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field())
    }
}

/// What is wrong with an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Not something that a program's own systems would print.
    #[error(
        "must have 1 to 128 printable characters, with no blank at either end and no other blanks than spaces"
    )]
    ExternalId,
    /// Not 8 to 19 digits.
    #[error("must have 8 to 19 digits, and besides them only blanks and hyphens")]
    Card,
    /// The digits do not belong together: a typing mistake.
    #[error("has a wrong check digit: one of its digits is not right, or two have changed places")]
    CardCheckDigit,
    /// Not in E.164 form.
    #[error(
        "must be \"+\", the country code and the number, 7 to 15 digits in all, such as +44 20 7946 0018"
    )]
    Phone,
    /// Not an address.
    #[error("must be an e-mail address, such as ana@example.com")]
    Email,
}

/// A value by which somebody is recognised, in the one form that it is compared in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierValue {
    kind: IdentifierKind,
    text: Personal,
}

impl IdentifierValue {
    /// Reads a value of a kind.
    pub fn parse(kind: IdentifierKind, text: &str) -> Result<Self, IdentifierError> {
        let text = match kind {
            IdentifierKind::ExternalId => parse_external_id(text),
            IdentifierKind::CardNumber => parse_card_number(text),
            IdentifierKind::PhoneNumber => parse_phone_number(text),
            IdentifierKind::EmailAddress => parse_email_address(text),
        }?;
        Ok(Self {
            kind,
            text: Personal::new(text),
        })
    }

    /// As it was stored.
    #[must_use]
    pub const fn from_stored(kind: IdentifierKind, text: Personal) -> Self {
        Self { kind, text }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// Its one form.
    #[must_use]
    pub const fn text(&self) -> &Personal {
        &self.text
    }
}

/// A member's identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier {
    /// Its id.
    pub identifier_id: IdentifierId,
    /// What it says.
    pub value: IdentifierValue,
    /// When the member got it.
    pub create_time: DateTime<Utc>,
    /// That it is theirs, as far as they showed it.
    pub verification: Option<Verification>,
    /// What has become of it, if it is a card.
    pub card: Option<CardState>,
}

/// Refuses more identifiers than one member may have.
pub fn check_counts(kinds: impl Iterator<Item = IdentifierKind>) -> Result<(), Refusal> {
    let (mut count, mut external_count) = (0_usize, 0_usize);
    for kind in kinds {
        count += 1;
        external_count += usize::from(kind == IdentifierKind::ExternalId);
    }
    if external_count > EXTERNAL_IDS_MAX {
        return Err(Refusal::CountExceeded {
            resource: IdentifierKind::ExternalId.field(),
            count_max: EXTERNAL_IDS_MAX,
        });
    }
    if count > IDENTIFIERS_MAX {
        return Err(Refusal::CountExceeded {
            resource: "identifier",
            count_max: IDENTIFIERS_MAX,
        });
    }
    Ok(())
}

/// Compared exactly: what cannot be seen would make two people of one.
fn parse_external_id(text: &str) -> Result<String, IdentifierError> {
    let length_fits = (1..=EXTERNAL_ID_LENGTH_MAX).contains(&text.chars().count());
    if length_fits && text.trim() == text && text.chars().all(is_printable) {
        Ok(text.to_owned())
    } else {
        Err(IdentifierError::ExternalId)
    }
}

fn is_printable(character: char) -> bool {
    let invisible = matches!(
        character,
        '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
    );
    character == ' ' || !(character.is_control() || character.is_whitespace() || invisible)
}

fn parse_card_number(text: &str) -> Result<String, IdentifierError> {
    let digits: String = text
        .chars()
        .filter(|character| !is_separator(*character))
        .collect();
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits || !CARD_DIGITS.contains(&digits.len()) {
        return Err(IdentifierError::Card);
    }
    if luhn_sum(&digits).is_multiple_of(10) {
        Ok(digits)
    } else {
        Err(IdentifierError::CardCheckDigit)
    }
}

/// ISO/IEC 7812-1, annex B: from the right, every second digit doubled and its digits added.
#[must_use]
pub fn luhn_sum(digits: &str) -> u32 {
    digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            match (place % 2, digit) {
                (0, digit) => digit,
                (_, 0..=4) => digit * 2,
                (_, _) => digit * 2 - 9,
            }
        })
        .sum()
}

fn parse_phone_number(text: &str) -> Result<String, IdentifierError> {
    let written: String = text
        .chars()
        .filter(|character| !is_separator(*character) && !matches!(character, '(' | ')'))
        .collect();
    let digits = written.strip_prefix('+').ok_or(IdentifierError::Phone)?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    // No country code begins with 0.
    if all_digits && PHONE_DIGITS.contains(&digits.len()) && !digits.starts_with('0') {
        Ok(written)
    } else {
        Err(IdentifierError::Phone)
    }
}

/// Blanks and hyphens, in the forms that people paste.
fn is_separator(character: char) -> bool {
    matches!(character, '-' | '\u{2010}'..='\u{2013}')
        || (character.is_whitespace() && !character.is_control())
}

/// Plausible, not proven: only a message that arrives proves an address.
fn parse_email_address(text: &str) -> Result<String, IdentifierError> {
    let address = text.trim().to_lowercase();
    let (local, domain) = address.rsplit_once('@').ok_or(IdentifierError::Email)?;
    let plausible = address.len() <= EMAIL_LENGTH_MAX_BYTES && is_local_part(local) && is_domain(domain);
    if plausible {
        Ok(address)
    } else {
        Err(IdentifierError::Email)
    }
}

fn is_local_part(local: &str) -> bool {
    let taken = |character: char| {
        is_printable(character)
            && !matches!(
                character,
                ' ' | '@' | '"' | '(' | ')' | ',' | ':' | ';' | '<' | '>' | '[' | ']' | '\\'
            )
    };
    local.len() <= EMAIL_LOCAL_LENGTH_MAX_BYTES
        && local.split('.').all(|part| !part.is_empty())
        && local.chars().all(taken)
}

/// Letters of any script are taken: domains have them, too.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= DOMAIN_LABEL_LENGTH_MAX_BYTES
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|character| character == '-' || is_letter(character))
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

/// With the marks that some scripts write above and below their letters.
fn is_letter(character: char) -> bool {
    character.is_alphanumeric() || ('\u{0300}'..='\u{036F}').contains(&character)
}

#[cfg(test)]
mod tests;
