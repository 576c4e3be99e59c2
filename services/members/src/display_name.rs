//! What people call a program, a key or a colleague. Pure.

use std::fmt;
use std::str::FromStr;

/// Longest name, in characters: it has to fit on a screen, and into the database's own check.
pub const DISPLAY_NAME_LENGTH_MAX: usize = 200;

/// A name to show: 1 to 200 characters without the blanks around them, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

/// The text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 200 characters, none of them a control character")]
pub struct DisplayNameError;

impl DisplayName {
    /// Takes the text without the blanks around it, if that is a name.
    pub fn try_new(text: &str) -> Result<Self, DisplayNameError> {
        let text = text.trim();
        let length_fits = (1..=DISPLAY_NAME_LENGTH_MAX).contains(&text.chars().count());
        let printable = !text.chars().any(char::is_control);
        if length_fits && printable {
            Ok(Self(text.to_owned()))
        } else {
            Err(DisplayNameError)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DisplayName {
    type Err = DisplayNameError;

    fn from_str(text: &str) -> Result<Self, DisplayNameError> {
        Self::try_new(text)
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> Self {
        name.0
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_something_to_show_and_fits() {
        for text in ["Книги", "x", &"ä".repeat(DISPLAY_NAME_LENGTH_MAX)] {
            assert_eq!(DisplayName::try_new(&format!(" {text} ")).unwrap().as_str(), text);
        }
        for text in ["", "  ", "a\nb", "a\0b", &"ä".repeat(DISPLAY_NAME_LENGTH_MAX + 1)] {
            assert_eq!(DisplayName::try_new(text), Err(DisplayNameError), "{text:?}");
        }
    }
}
