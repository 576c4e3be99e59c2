//! How somebody is found by a value that is stored nowhere in the clear.

use std::fmt;

use fealty_types::ProgramId;

use super::Personal;
use super::master_key::{KeyBytes, derive};

/// A value's keyed hash (HMAC-SHA-256): the same value of the same kind has the same one within a program, and whoever
/// lacks the master key can neither make nor guess one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupHash([u8; 32]);

impl LookupHash {
    /// As it was stored; None when that is no hash.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes of the column.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Hashes values.
pub(super) struct Lookup {
    key: KeyBytes,
}

impl Lookup {
    pub(super) const fn new(key: KeyBytes) -> Self {
        Self { key }
    }

    pub(super) fn hash(&self, program_id: ProgramId, kind: &str, value: &Personal) -> LookupHash {
        let program = program_id.as_uuid();
        // No kind has a zero byte, so it cannot run into the value.
        let parts: [&[u8]; 4] = [
            program.as_bytes(),
            kind.as_bytes(),
            &[0],
            value.expose().as_bytes(),
        ];
        LookupHash(*derive(&self.key, &parts))
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}
