//! The text of a key: `fealty_<short id>_<secret><checksum>`.
//!
//! The prefix lets secret scanners find leaked keys. The short id is public: it is what logs show and what the record
//! is found by. The secret is 256 random bits in base62. The checksum (CRC-32 over everything before it, base62) tells
//! a typo from a wrong key without a look-up; it protects nothing.

use std::fmt;

use rand::CryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What every key begins with.
pub const KEY_PREFIX: &str = "fealty_";
/// Characters of the short id: 71 bits, so that a million keys share one with a chance of one in five billion.
pub const SHORT_ID_LENGTH: usize = 12;
/// Characters of the secret: 62^43 is the first power of 62 over 2^256.
const SECRET_LENGTH: usize = 43;
/// Characters of the checksum: 62^6 is the first power of 62 over 2^32.
const CHECKSUM_LENGTH: usize = 6;
/// Length of a key's text, which is always the same.
pub const KEY_LENGTH: usize = KEY_PREFIX.len() + SHORT_ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH;

const SECRET_BYTES: usize = 32;
const BASE: u32 = 62;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// SHA-256 of a secret's characters: the only form in which a secret is stored.
pub type SecretHash = [u8; 32];

/// A whole key, secret included. It is never printed by accident, and wiped from memory when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ApiKeySecret {
    text: String,
}

/// The text is no key. It says nothing about what is wrong: the text might be another secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a key of this suite: it is damaged or incomplete")]
pub struct KeyTextError;

impl ApiKeySecret {
    /// A new key.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut text = String::with_capacity(KEY_LENGTH);
        text.push_str(KEY_PREFIX);
        for _ in 0..SHORT_ID_LENGTH {
            text.push(random_digit(rng));
        }
        text.push('_');
        let mut secret = [0_u8; SECRET_BYTES];
        rng.fill_bytes(&mut secret);
        push_base62(&mut text, &mut secret);
        secret.zeroize();
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self { text }
    }

    /// Takes a text that has the form of a key and the right checksum.
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        let well_formed = text.len() == KEY_LENGTH
            && text.starts_with(KEY_PREFIX)
            && text.as_bytes()[KEY_PREFIX.len() + SHORT_ID_LENGTH] == b'_'
            && is_base62(&text.as_bytes()[KEY_PREFIX.len()..][..SHORT_ID_LENGTH])
            && is_base62(&text.as_bytes()[KEY_PREFIX.len() + SHORT_ID_LENGTH + 1..]);
        if !well_formed {
            return Err(KeyTextError);
        }
        let (body, claimed) = text.split_at(KEY_LENGTH - CHECKSUM_LENGTH);
        if checksum(body) == claimed {
            Ok(Self {
                text: text.to_owned(),
            })
        } else {
            Err(KeyTextError)
        }
    }

    /// The public part, by which the record is found.
    #[must_use]
    pub fn short_id(&self) -> &str {
        &self.text[KEY_PREFIX.len()..][..SHORT_ID_LENGTH]
    }

    /// The whole text: for the one answer that hands a new key out, and for the `authorization` of a client.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What is stored of the secret.
    #[must_use]
    pub fn secret_sha256(&self) -> SecretHash {
        Sha256::digest(self.secret().as_bytes()).into()
    }

    /// Whether the secret is the one that was stored. The time it takes says nothing about how close it is.
    #[must_use]
    pub fn matches(&self, stored: &SecretHash) -> bool {
        self.secret_sha256().ct_eq(stored).into()
    }

    fn secret(&self) -> &str {
        &self.text[KEY_PREFIX.len() + SHORT_ID_LENGTH + 1..][..SECRET_LENGTH]
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeySecret({}, secret hidden)", self.short_id())
    }
}

impl std::str::FromStr for ApiKeySecret {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        Self::parse(text)
    }
}

fn is_base62(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_alphanumeric)
}

fn digit(value: u32) -> char {
    char::from(DIGITS[value as usize % DIGITS.len()])
}

/// A digit with every one of the 62 as likely: 6 random bits, drawn again when they are 62 or 63.
fn random_digit<R: CryptoRng + ?Sized>(rng: &mut R) -> char {
    loop {
        let bits = rng.next_u32() >> 26;
        if bits < BASE {
            return digit(bits);
        }
    }
}

/// Appends the number that the big-endian bytes are, as 43 digits. Long division; leaves zeros in `number`.
fn push_base62(text: &mut String, number: &mut [u8; SECRET_BYTES]) {
    let mut digits = [0_u32; SECRET_LENGTH];
    for place in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in number.iter_mut() {
            let dividend = remainder * 256 + u32::from(*byte);
            *byte =
                u8::try_from(dividend / BASE).expect("a quotient of a remainder below 62 fits into a byte");
            remainder = dividend % BASE;
        }
        *place = remainder;
    }
    text.extend(digits.iter().map(|value| digit(*value)));
    digits.zeroize();
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = ['0'; CHECKSUM_LENGTH];
    for place in digits.iter_mut().rev() {
        *place = digit(rest % BASE);
        rest /= BASE;
    }
    digits.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn key(seed: u64) -> ApiKeySecret {
        ApiKeySecret::generate(&mut StdRng::seed_from_u64(seed))
    }

    #[test]
    fn the_largest_secret_fits_and_the_smallest_is_padded() {
        let mut text = String::new();
        push_base62(&mut text, &mut [0xFF; 32]);
        assert_eq!(text.len(), SECRET_LENGTH);
        text.clear();
        push_base62(&mut text, &mut [0; 32]);
        assert_eq!(text, "0".repeat(SECRET_LENGTH));
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = key(1);
        assert!(!format!("{key:?}").contains(key.secret()));
    }

    #[test]
    fn texts_that_are_no_keys_are_refused() {
        let long = "ä".repeat(KEY_LENGTH / 2);
        for text in [
            "",
            "fealty_",
            "fealty__",
            "Bearer",
            long.as_str(),
            &"x".repeat(KEY_LENGTH),
            &"fealty_".repeat(9),
        ] {
            assert!(ApiKeySecret::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_generated_key_parses_back_and_matches_its_own_hash_only(seed: u64, other: u64) {
            let made = key(seed);
            let parsed = ApiKeySecret::parse(made.expose()).expect("it was generated");
            prop_assert_eq!(made.expose().len(), KEY_LENGTH);
            prop_assert_eq!(parsed.short_id(), made.short_id());
            prop_assert!(parsed.matches(&made.secret_sha256()));
            prop_assert!(seed == other || !parsed.matches(&key(other).secret_sha256()));
        }

        #[test]
        fn one_changed_character_is_noticed_without_a_look_up(seed: u64, place in 0..KEY_LENGTH, with in "[0-9A-Za-z_]") {
            let made = key(seed);
            let mut text = made.expose().to_owned();
            text.replace_range(place..=place, &with);
            prop_assert_eq!(ApiKeySecret::parse(&text).is_ok(), text == made.expose());
        }

        #[test]
        fn any_text_is_taken_or_refused_without_a_panic(text in "\\PC{0,80}") {
            let _ = ApiKeySecret::parse(&text);
        }
    }
}
