//! What a program counts: the code and the scale of a unit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Long enough for "spend in the summer campaign" as a code, short enough for a column of a report.
pub const UNIT_CODE_LEN_MAX: usize = 32;

/// Six decimals are finer than every currency's minor unit and leave nine thousand billion whole units in 64 bits.
pub const UNIT_SCALE_MAX: u8 = 6;

/// The code of a unit within its program, such as "points": `^[a-z][a-z0-9_]{0,31}$`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitCode(Box<str>);

/// The text is no unit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a small letter followed by up to 31 small letters, digits or underscores")]
pub struct UnitCodeError;

impl UnitCode {
    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_unit_code(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= UNIT_CODE_LEN_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

impl FromStr for UnitCode {
    type Err = UnitCodeError;

    fn from_str(text: &str) -> Result<Self, UnitCodeError> {
        if is_unit_code(text) {
            Ok(Self(text.into()))
        } else {
            Err(UnitCodeError)
        }
    }
}

impl TryFrom<String> for UnitCode {
    type Error = UnitCodeError;

    fn try_from(text: String) -> Result<Self, UnitCodeError> {
        text.parse()
    }
}

impl From<UnitCode> for String {
    fn from(code: UnitCode) -> Self {
        code.0.into()
    }
}

impl AsRef<str> for UnitCode {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for UnitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many decimals a unit has: 0 counts whole points, 2 counts hundredths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct UnitScale(u8);

/// The number is no scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be from 0 to {UNIT_SCALE_MAX}")]
pub struct UnitScaleError;

impl UnitScale {
    /// Whole units.
    pub const ZERO: Self = Self(0);

    /// The number of decimals.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<i32> for UnitScale {
    type Error = UnitScaleError;

    fn try_from(decimals: i32) -> Result<Self, UnitScaleError> {
        match u8::try_from(decimals) {
            Ok(decimals) if decimals <= UNIT_SCALE_MAX => Ok(Self(decimals)),
            _ => Err(UnitScaleError),
        }
    }
}

impl From<UnitScale> for i32 {
    fn from(scale: UnitScale) -> Self {
        scale.0.into()
    }
}

impl fmt::Display for UnitScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_small_letters_digits_and_underscores() {
        for text in ["points", "p", "stamps_2", &"a".repeat(UNIT_CODE_LEN_MAX)] {
            assert_eq!(text.parse::<UnitCode>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "2x",
            "_x",
            "Points",
            "po ints",
            "pünkte",
            "a-b",
            &"a".repeat(UNIT_CODE_LEN_MAX + 1),
        ] {
            assert_eq!(text.parse::<UnitCode>(), Err(UnitCodeError), "{text:?}");
        }
    }

    #[test]
    fn scales_are_from_0_to_6() {
        assert_eq!(UnitScale::try_from(6).unwrap().get(), 6);
        for number in [-1, 7, 256, i32::MIN] {
            assert_eq!(UnitScale::try_from(number), Err(UnitScaleError), "{number}");
        }
    }
}
