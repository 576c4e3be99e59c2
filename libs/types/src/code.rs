//! Codes: what a program calls its units and budgets, in every call.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Long enough for "spend in the summer campaign" as a code, short enough for a column of a report.
pub const CODE_LEN_MAX: usize = 32;

fn is_code(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= CODE_LEN_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a small letter followed by up to 31 small letters, digits or underscores")]
pub struct CodeError;

macro_rules! code {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The code as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = CodeError;

            fn from_str(text: &str) -> Result<Self, CodeError> {
                if is_code(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(CodeError)
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = CodeError;

            fn try_from(text: String) -> Result<Self, CodeError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.0.into()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

code! {
    /// The code of a unit within its program, such as "points": `^[a-z][a-z0-9_]{0,31}$`.
    UnitCode
}

code! {
    /// The code of a budget within its program, such as "summer": `^[a-z][a-z0-9_]{0,31}$`.
    BudgetCode
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_small_letters_digits_and_underscores() {
        for text in ["points", "p", "stamps_2", &"a".repeat(CODE_LEN_MAX)] {
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
            &"a".repeat(CODE_LEN_MAX + 1),
        ] {
            assert_eq!(text.parse::<UnitCode>(), Err(CodeError), "{text:?}");
        }
    }
}
