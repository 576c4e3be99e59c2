//! Parsers of the fields that requests of all services share. Each says what is wrong in words that fit behind the
//! field's name; [`Violations`] collects them.

mod mask;
mod time;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use fealty_proto::types::v1 as pb;
use fealty_types::{CurrencyCode, Money};

pub use self::mask::{FieldMask, field_mask};
pub use self::time::{TIME_SKEW_MAX, TimeRange, optional_timestamp, timestamp};
use crate::violations::{Problem, Violations};

/// An id, or anything else that knows how to read itself, that must be there.
///
/// `fields::parse::<MemberId>(&request.member_id)`, also for request ids, currencies and unit codes.
pub fn parse<T>(text: &str) -> Result<T, Problem>
where
    T: FromStr<Err: Display>,
{
    if text.is_empty() {
        return Err(Problem::required());
    }
    text.parse()
        .map_err(|error: T::Err| Problem::new(error.to_string()))
}

/// The same where the empty text means that there is none.
pub fn optional<T>(text: &str) -> Result<Option<T>, Problem>
where
    T: FromStr<Err: Display>,
{
    if text.is_empty() {
        Ok(None)
    } else {
        parse(text).map(Some)
    }
}

/// Longest text that people call something, in characters: it has to fit on a screen, and into the databases' checks.
pub const DISPLAY_NAME_LENGTH_MAX: usize = 200;

/// Text for people: without the blanks around it, without control characters, and as many characters as allowed.
pub fn text(text: &str, length: RangeInclusive<usize>) -> Result<String, Problem> {
    let trimmed = text.trim();
    if trimmed.is_empty() && *length.start() > 0 {
        return Err(Problem::required());
    }
    if trimmed.chars().any(char::is_control) {
        return Err(Problem::new("must not contain control characters"));
    }
    let count = trimmed.chars().count();
    if length.contains(&count) {
        Ok(trimmed.to_owned())
    } else {
        let (min, max) = (length.start(), length.end());
        Err(Problem::new(format!(
            "must have {min} to {max} characters, and has {count}"
        )))
    }
}

/// The same where no text means that there is none.
pub fn optional_text(value: &str, length_max: usize) -> Result<Option<String>, Problem> {
    text(value, 0..=length_max).map(|text| Some(text).filter(|text| !text.is_empty()))
}

/// A value of an enum, which must be set and known.
pub fn enumeration<E: TryFrom<i32>>(number: i32) -> Result<E, Problem> {
    if number == 0 {
        return Err(Problem::required());
    }
    E::try_from(number)
        .map_err(|_| Problem::new(format!("must be a value of the enum, and {number} is none")))
}

/// A whole number within bounds.
pub fn number<N>(number: N, range: RangeInclusive<N>) -> Result<N, Problem>
where
    N: PartialOrd + Display + Copy,
{
    if range.contains(&number) {
        Ok(number)
    } else {
        Err(Problem::new(format!(
            "must be {} to {}, and is {number}",
            range.start(),
            range.end()
        )))
    }
}

/// How many items a page shall have: `default` for 0.
///
/// More than `max` is refused, not cut: a caller who asks for 5,000 and gets 1,000 takes the page for the whole.
pub fn page_size(page_size: i32, default: i32, max: i32) -> Result<i32, Problem> {
    if page_size == 0 {
        return Ok(default);
    }
    if (1..=max).contains(&page_size) {
        Ok(page_size)
    } else {
        Err(Problem::new(format!(
            "must be 1 to {max}, or 0 for {default}, and is {page_size}"
        )))
    }
}

/// A sum of money in a currency that exists. Its sign and size are the method's to judge.
pub fn money(money: Option<&pb::Money>) -> Result<Money, Problem> {
    let money = money.ok_or_else(Problem::required)?;
    let mut v = Violations::default();
    match v.check("currency_code", parse::<CurrencyCode>(&money.currency_code)) {
        Some(currency) => Ok(Money::new(currency, money.amount_minor)),
        None => Err(v.into_problem()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fealty_proto::access::v1::Scope;
    use fealty_types::{MemberId, RequestId};

    #[test]
    fn an_id_is_required_and_hyphenated() {
        assert!(parse::<MemberId>("018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978").is_ok());
        assert_eq!(parse::<MemberId>(""), Err(Problem::required()));
        assert!(parse::<RequestId>("018f4e3a5c8e7b1d9a6f2d3c4b5a6978").is_err());
        assert_eq!(optional::<MemberId>(""), Ok(None));
    }

    #[test]
    fn text_is_trimmed_and_counted_in_characters() {
        assert_eq!(text("  Zoë  ", 1..=3), Ok("Zoë".to_owned()));
        assert!(text("Zoë!", 1..=3).is_err());
        assert_eq!(text(" \t", 1..=3), Err(Problem::required()));
        assert!(text("a\nb", 1..=9).is_err());
        assert_eq!(optional_text(" ", 9), Ok(None));
    }

    #[test]
    fn an_enum_is_neither_unspecified_nor_unknown() {
        assert_eq!(enumeration::<Scope>(13), Ok(Scope::MembersRead));
        assert_eq!(enumeration::<Scope>(0), Err(Problem::required()));
        assert!(enumeration::<Scope>(9_999).is_err());
    }

    #[test]
    fn a_page_size_has_a_default_and_bounds() {
        assert_eq!(page_size(0, 50, 1_000), Ok(50));
        assert_eq!(page_size(1_000, 50, 1_000), Ok(1_000));
        assert!(page_size(1_001, 50, 1_000).is_err() && page_size(-1, 50, 1_000).is_err());
    }

    #[test]
    fn money_names_the_part_that_is_wrong() {
        let euros = pb::Money {
            currency_code: "EUR".to_owned(),
            amount_minor: -5,
        };
        assert_eq!(money(Some(&euros)).map(|money| money.minor), Ok(-5));
        let nothing = pb::Money {
            currency_code: "eur".to_owned(),
            amount_minor: 1,
        };
        let Err(Problem::Below(problems)) = money(Some(&nothing)) else {
            panic!("lower case is no ISO code");
        };
        assert_eq!(problems[0].field, "currency_code");
        assert_eq!(money(None), Err(Problem::required()));
    }
}
