//! The key above all others. It comes from the settings and is in no database.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a key: AES-256 and HMAC-SHA-256 take as many.
pub(super) const KEY_LENGTH_BYTES: usize = 32;

/// What every key that is derived for a service begins with, so that the same master key elsewhere gives other ones.
fn label(service: &str) -> String {
    format!("fealty/{service}/vault/1/")
}

/// A key's bytes, wiped when dropped.
pub(super) type KeyBytes = Zeroizing<[u8; KEY_LENGTH_BYTES]>;

/// The master key. Shows its id, never itself.
pub struct MasterKey {
    bytes: KeyBytes,
    label: String,
    id: MasterKeyId,
}

/// Tells master keys apart without giving them away: a fingerprint of 64 bits, enough for the few that an operator ever
/// has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterKeyId(String);

/// The text is no master key. What was given is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// There is none.
    #[error(
        "is required: personal data is encrypted under it. Make one with `openssl rand -base64 32`, and keep a copy \
         apart from the database's backups: without it nobody can read that data again"
    )]
    Missing,
    /// Not base64, or not of 32 bytes.
    #[error("must be 32 bytes in base64, as `openssl rand -base64 32` makes them")]
    Malformed,
}

impl MasterKey {
    /// Reads the setting of a service, which has keys of its own from it.
    pub fn parse(service: &str, text: &str) -> Result<Self, MasterKeyError> {
        let bytes = decode(text)?;
        let label = label(service);
        let id = MasterKeyId::of(&bytes, &label);
        Ok(Self { bytes, label, id })
    }

    /// The text of a new master key, as [`MasterKey::parse`] reads it: for whoever sets a service up.
    #[must_use]
    pub fn generate_text() -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(random_key().as_slice()))
    }

    /// Its fingerprint.
    #[must_use]
    pub const fn id(&self) -> &MasterKeyId {
        &self.id
    }

    /// A key for one purpose, from which neither this key nor any other can be told.
    pub(super) fn derive(&self, purpose: &str) -> KeyBytes {
        derive(&self.bytes, &[self.label.as_bytes(), purpose.as_bytes()])
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl MasterKeyId {
    fn of(key: &KeyBytes, label: &str) -> Self {
        let digest = derive(key, &[label.as_bytes(), b"id"]);
        let (fingerprint, _) = digest
            .split_first_chunk()
            .expect("a digest is longer than a fingerprint");
        Self(format!("{:016x}", u64::from_be_bytes(*fingerprint)))
    }

    /// As it was stored.
    #[must_use]
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key's bytes in a setting.
pub(super) fn decode(text: &str) -> Result<KeyBytes, MasterKeyError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(MasterKeyError::Missing);
    }
    let decoded = Zeroizing::new(STANDARD.decode(text).map_err(|_| MasterKeyError::Malformed)?);
    let bytes: [u8; KEY_LENGTH_BYTES] = decoded
        .as_slice()
        .try_into()
        .map_err(|_| MasterKeyError::Malformed)?;
    Ok(Zeroizing::new(bytes))
}

/// HMAC-SHA-256 over the parts one after the other: whoever calls makes sure that no part runs into the next.
pub(super) fn derive(key: &KeyBytes, parts: &[&[u8]]) -> KeyBytes {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// A new key.
pub(super) fn random_key() -> KeyBytes {
    let mut bytes = Zeroizing::new([0; KEY_LENGTH_BYTES]);
    rand::rng().fill_bytes(bytes.as_mut_slice());
    bytes
}
