//! What stands in the link of an invitation: whoever has it can answer, once.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use sha2::{Digest, Sha256};

/// Bytes of a token: 256 bits, which nobody guesses however many links there are and however often they try.
const TOKEN_LENGTH_BYTES: usize = 32;

/// A token. It is shown once, to whoever sends the link; the service keeps its hash.
pub struct Token([u8; TOKEN_LENGTH_BYTES]);

/// SHA-256 of a token: by which an invitation is found, and from which no token can be made. A token is random through
/// and through, so a plain hash gives nothing away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

/// The text is no token. What was given is not repeated: it may be one with a slip of the pen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the token of an invitation, as IssueInvitationToken gives it")]
pub struct TokenError;

impl Token {
    /// A new one, of the system's random numbers.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; TOKEN_LENGTH_BYTES];
        // Cryptographically secure, seeded by the operating system.
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Its text: letters, digits, `-` and `_`, which pass through any link unchanged.
    #[must_use]
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0).into())
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError)?;
        bytes.try_into().map(Self).map_err(|_| TokenError)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<token>")
    }
}

impl TokenHash {
    /// The bytes of the column.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_shown_and_no_two_are_alike() {
        let (one, other) = (Token::generate(), Token::generate());
        assert_eq!(one.expose().parse::<Token>().unwrap().hash(), one.hash());
        assert_ne!(one.hash(), other.hash());
        // 256 bits in base64.
        assert_eq!(one.expose().len(), 43);
    }

    #[test]
    fn nothing_else_is_a_token_and_none_is_shown_in_logs() {
        let token = Token::generate();
        let text = token.expose();
        for bad in [
            "",
            "x",
            &text[1..],
            &format!("{text}A"),
            &format!(" {text}"),
            &text.replace(|_| true, "?"),
        ] {
            assert!(bad.parse::<Token>().is_err(), "{bad:?}");
        }
        assert!(!format!("{token:?} {TokenError}").contains(&text));
    }
}
