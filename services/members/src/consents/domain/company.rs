//! The companies of the group that runs a program.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::display_name::DisplayName;

/// Companies of one program: more than any group that shares a loyalty program, and few enough for each member to have a
/// word for each.
pub const COMPANIES_MAX: usize = 100;

/// Longest code of a company, in characters.
const COMPANY_CODE_LENGTH_MAX: usize = 40;

/// The code of a company.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompanyCode(String);

/// The text is no code of a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must have 1 to {COMPANY_CODE_LENGTH_MAX} small letters, digits, '-' and '_', and begin with a letter"
)]
pub struct CompanyCodeError;

impl CompanyCode {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CompanyCode {
    type Err = CompanyCodeError;

    fn from_str(text: &str) -> Result<Self, CompanyCodeError> {
        let is_code = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        let begins_well = text.starts_with(|first: char| first.is_ascii_lowercase());
        if begins_well && text.len() <= COMPANY_CODE_LENGTH_MAX && text.bytes().all(is_code) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CompanyCodeError)
        }
    }
}

impl fmt::Display for CompanyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A company of the group that runs a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// By what consents name it.
    pub company_code: CompanyCode,
    /// Its id, by which a request remembers it.
    pub company_id: Uuid,
    /// What people call it.
    pub display_name: DisplayName,
    /// When it was named.
    pub create_time: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_company_code_begins_with_a_small_letter() {
        for text in ["books", "shop-2_b"] {
            assert_eq!(
                text.parse::<CompanyCode>().map(|code| code.to_string()),
                Ok(text.to_owned())
            );
        }
        let too_long = "g".repeat(COMPANY_CODE_LENGTH_MAX + 1);
        for text in ["", "*", "2", "Books", "my shop", too_long.as_str()] {
            assert_eq!(text.parse::<CompanyCode>(), Err(CompanyCodeError), "{text}");
        }
    }
}
