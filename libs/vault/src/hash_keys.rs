//! The keys that values and commands are hashed by. They outlive the master key that they first followed from.

use std::fmt;

use super::VaultError;
use super::command::Commands;
use super::data_key::{open_bytes, seal_bytes};
use super::lookup::Lookup;
use super::master_key::{KEY_LENGTH_BYTES, KeyBytes, MasterKey, MasterKeyId};

/// What they are wrapped as.
const LOOKUP: &str = "hash-key/lookup";
const COMMAND: &str = "hash-key/command";

/// Both.
pub(super) struct HashKeys {
    lookup_key: KeyBytes,
    command_key: KeyBytes,
    pub(super) lookup: Lookup,
    pub(super) commands: Commands,
}

/// Both as they are stored.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct WrappedHashKeys {
    pub(super) master_key_id: MasterKeyId,
    pub(super) lookup_key: Vec<u8>,
    pub(super) command_key: Vec<u8>,
}

impl HashKeys {
    /// Those of a database that was begun with this master key and never rotated.
    pub(super) fn of(master: &MasterKey) -> Self {
        Self::new(master.derive("lookup"), master.derive("request"))
    }

    fn new(lookup_key: KeyBytes, command_key: KeyBytes) -> Self {
        Self {
            lookup: Lookup::new(lookup_key.clone()),
            commands: Commands::new(command_key.clone()),
            lookup_key,
            command_key,
        }
    }

    pub(super) fn wrap(&self, master: &MasterKey) -> WrappedHashKeys {
        let wrapping = master.derive("hash-key-wrapping");
        WrappedHashKeys {
            master_key_id: master.id().clone(),
            lookup_key: seal_bytes(&wrapping, LOOKUP, self.lookup_key.as_slice()),
            command_key: seal_bytes(&wrapping, COMMAND, self.command_key.as_slice()),
        }
    }

    pub(super) fn unwrap(master: &MasterKey, wrapped: &WrappedHashKeys) -> Result<Self, VaultError> {
        let wrapping = master.derive("hash-key-wrapping");
        let open = |name, bytes: &[u8]| -> Result<KeyBytes, VaultError> {
            let opened = open_bytes(&wrapping, name, bytes)?;
            let key: [u8; KEY_LENGTH_BYTES] =
                opened.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
            Ok(KeyBytes::new(key))
        };
        Ok(Self::new(
            open(LOOKUP, &wrapped.lookup_key)?,
            open(COMMAND, &wrapped.command_key)?,
        ))
    }
}

impl fmt::Debug for HashKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKeys")
    }
}

impl fmt::Debug for WrappedHashKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedHashKeys")
            .field("master_key_id", &self.master_key_id)
            .finish_non_exhaustive()
    }
}
