//! What ladders and benefits are called in every call: as tiers are.

use std::fmt;
use std::str::FromStr;

/// Longest code, in characters: as long as a tier's.
const CODE_LENGTH_MAX: usize = 40;

/// The text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {CODE_LENGTH_MAX} small letters, digits, '-' and '_', and begin with a letter")]
pub struct CodeError;

fn is_code(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= CODE_LENGTH_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

macro_rules! code {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
                if is_code(text) { Ok(Self(text.into())) } else { Err(CodeError) }
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
    /// Names a ladder.
    LadderCode
}

code! {
    /// Names a benefit.
    BenefitCode
}
