//! Signs what others are to believe without asking us.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::master_key::MasterKey;

/// Signs (Ed25519, RFC 8032) under a key that follows from the master key, so there is no other secret to keep. Another
/// master key signs under another key: whoever keeps what was signed keeps the public key with it.
pub(super) struct Signer(Ed25519KeyPair);

/// A signature, and the key that it was made under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// 64 bytes.
    pub bytes: Vec<u8>,
    /// 32 bytes.
    pub public_key: Vec<u8>,
}

impl Signer {
    pub(super) fn new(master: &MasterKey) -> Self {
        let seed = master.derive("receipt");
        Self(Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).expect("a seed has 32 bytes"))
    }

    pub(super) fn sign(&self, text: &[u8]) -> Signature {
        Signature {
            bytes: self.0.sign(text).as_ref().to_vec(),
            public_key: self.public_key(),
        }
    }

    pub(super) fn public_key(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Signature {
    /// Whether that text was signed so.
    #[must_use]
    pub fn is_of(&self, text: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public_key)
            .verify(text, &self.bytes)
            .is_ok()
    }
}
