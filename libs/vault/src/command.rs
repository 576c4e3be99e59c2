//! What is kept of a command that names people, so that a retry is told from another command.

use std::fmt;

use fealty_types::ProgramId;

use super::master_key::{KeyBytes, derive};

/// Hashes commands under a key of its own (HMAC-SHA-256). A plain hash would give the command away: there are few
/// enough phone numbers to try them all.
pub(super) struct Commands {
    key: KeyBytes,
}

impl Commands {
    pub(super) const fn new(key: KeyBytes) -> Self {
        Self { key }
    }

    pub(super) fn hash(&self, program_id: ProgramId, plain_hash: &[u8; 32]) -> [u8; 32] {
        // Both parts have a fixed length. The program keeps the same command of two programs from looking the same.
        *derive(&self.key, &[program_id.as_uuid().as_bytes(), plain_hash])
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Commands")
    }
}
