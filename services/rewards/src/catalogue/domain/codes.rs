//! Codes that a program brings along.

use std::collections::HashMap;
use std::str::FromStr;

/// Most codes of one call: some hundred kilobytes, stored in well under a second.
pub const CODES_MAX: usize = 10_000;

/// Shortest code, in characters: shorter ones are guessed.
pub const POOL_CODE_LEN_MIN: usize = 4;

/// Longest code, in characters: what fits on a receipt.
pub const POOL_CODE_LEN_MAX: usize = 64;

/// A code of a pool: 4 to 64 letters, digits, '-' and '_'. It is shown and found exactly as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolCode(String);

/// The text is no code of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 4 to 64 letters, digits, '-' and '_'")]
pub struct PoolCodeError;

impl PoolCode {
    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PoolCode {
    type Err = PoolCodeError;

    fn from_str(text: &str) -> Result<Self, PoolCodeError> {
        let fits = (POOL_CODE_LEN_MIN..=POOL_CODE_LEN_MAX).contains(&text.len());
        if fits
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(PoolCodeError)
        }
    }
}

/// The codes that were sent before: each one's place with that of the first like it.
#[must_use]
pub fn find_repeated(codes: &[PoolCode]) -> Vec<(usize, usize)> {
    let mut first_places = HashMap::with_capacity(codes.len());
    let mut repeated = Vec::new();
    for (index, code) in codes.iter().enumerate() {
        let first = *first_places.entry(code.as_str()).or_insert(index);
        if first != index {
            repeated.push((index, first));
        }
    }
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_length_and_letters() {
        for text in ["SUMMER-24", "a_b2", &"x".repeat(POOL_CODE_LEN_MAX)] {
            assert_eq!(text.parse::<PoolCode>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "abc",
            "with space",
            "ünlaut",
            &"x".repeat(POOL_CODE_LEN_MAX + 1),
        ] {
            assert_eq!(text.parse::<PoolCode>(), Err(PoolCodeError), "{text:?}");
        }
    }

    #[test]
    fn a_repeated_code_is_named_with_the_first_like_it() {
        let codes = ["aaaa", "bbbb", "aaaa", "AAAA", "bbbb"].map(|text| text.parse().unwrap());
        assert_eq!(find_repeated(&codes), [(2, 0), (4, 1)]);
    }
}
