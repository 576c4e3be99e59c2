//! How the cards of a batch are numbered. Pure: chance comes from the caller.

use std::collections::HashSet;

use crate::people::domain::{CARD_DIGITS, IdentifierKind, IdentifierValue, luhn_sum};

/// Most cards of one batch: what is stored in one transaction of less than two seconds.
pub const CARD_COUNT_MAX: usize = 10_000;

/// Longest prefix of numbers by chance.
const PREFIX_DIGITS_MAX: usize = 15;

/// Digits by chance beyond those that the count of cards needs: of a thousand numbers one is a card, so that one card's
/// number says nothing of another's, and a number made anew is nearly always free.
const SPARE_DIGITS: usize = 3;

/// How the cards of a batch are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Numbering {
    /// One after the other.
    Range(Range),
    /// By chance.
    Random(RandomNumbers),
}

/// Numbers one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    first: u64,
    digit_count: usize,
}

/// Numbers by chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomNumbers {
    prefix: String,
    digit_count: usize,
}

/// What is wrong with a numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberingError {
    /// The last number would be longer than the first.
    #[error("leaves too few numbers after it that are as long")]
    RangeTooShort,
    /// Not a few digits.
    #[error("must have up to {PREFIX_DIGITS_MAX} digits")]
    Prefix,
    /// Not a card's length.
    #[error("must be 8 to 19")]
    DigitCount,
    /// Too few digits by chance.
    #[error("leaves too few numbers: a thousand for each card must be possible")]
    TooFewNumbers,
}

/// A number with its check digit.
#[must_use]
pub fn card_number_with(body: &str) -> String {
    let sum = luhn_sum(&format!("{body}0"));
    let check_digit = (10 - sum % 10) % 10;
    format!("{body}{check_digit}")
}

impl Range {
    /// From the first card's number on.
    pub fn try_new(first: &IdentifierValue, count: usize) -> Result<Self, NumberingError> {
        let digits = first.text().expose();
        let body = digits.get(..digits.len().saturating_sub(1)).unwrap_or_default();
        // 18 digits at most.
        let first = body.parse::<u64>().map_err(|_| NumberingError::RangeTooShort)?;
        let end = first.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        let digit_count = body.len();
        let bound = 10_u64.saturating_pow(u32::try_from(digit_count).unwrap_or(u32::MAX));
        if end > bound {
            return Err(NumberingError::RangeTooShort);
        }
        Ok(Self { first, digit_count })
    }

    /// That many numbers.
    pub fn numbers(&self, count: usize) -> impl Iterator<Item = String> {
        let width = self.digit_count;
        (self.first..)
            .take(count)
            .map(move |body| card_number_with(&format!("{body:0width$}")))
    }
}

impl RandomNumbers {
    /// With a prefix, and so many digits in all; or all that is wrong with them.
    pub fn try_new(prefix: &str, digit_count: usize, count: usize) -> Result<Self, Vec<NumberingError>> {
        let all_digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let mut wrong = Vec::new();
        if !all_digits || prefix.len() > PREFIX_DIGITS_MAX {
            wrong.push(NumberingError::Prefix);
        }
        if !CARD_DIGITS.contains(&digit_count) {
            wrong.push(NumberingError::DigitCount);
        }
        let needed = count.saturating_sub(1).to_string().len() + SPARE_DIGITS;
        if wrong.is_empty() && prefix.len() + needed + 1 > digit_count {
            wrong.push(NumberingError::TooFewNumbers);
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            prefix: prefix.to_owned(),
            digit_count,
        })
    }

    /// That many different numbers, from digits by chance.
    pub fn numbers(&self, count: usize, mut digit: impl FnMut() -> u8) -> Vec<String> {
        let mut seen = HashSet::with_capacity(count);
        (0..count).map(|_| self.another(&mut seen, &mut digit)).collect()
    }

    /// One that is not among those seen, of which it is one from then on. A batch sees a small part of all that are possible.
    pub fn another(&self, seen: &mut HashSet<String>, mut digit: impl FnMut() -> u8) -> String {
        loop {
            let mut body = self.prefix.clone();
            body.extend((0..self.free_digit_count()).map(|_| char::from(b'0' + digit() % 10)));
            let number = card_number_with(&body);
            if seen.insert(number.clone()) {
                return number;
            }
        }
    }

    /// How many numbers there are.
    #[must_use]
    pub fn possible_count(&self) -> u64 {
        10_u64.saturating_pow(u32::try_from(self.free_digit_count()).unwrap_or(u32::MAX))
    }

    fn free_digit_count(&self) -> usize {
        self.digit_count - 1 - self.prefix.len()
    }
}

/// A number that was made here, as an identifier.
pub(in crate::cards) fn as_identifier(number: &str) -> Option<IdentifierValue> {
    IdentifierValue::parse(IdentifierKind::CardNumber, number).ok()
}
