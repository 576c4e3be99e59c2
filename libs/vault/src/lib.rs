//! Personal data at rest: sealed under a key of the person's own, and found by keyed hash only.
//!
//! ```text
//! master key (config) ─┬─ wraps ── data key of each person (a table of the service) ── seals ── names, answers, ...
//!                      ├─ keyed hash per program ── by which an identifier is found
//!                      ├─ keyed hash per program ── by which a repeated command is known
//!                      └─ key pair ── signs receipts of erasures
//! ```
//!
//! Each service that keeps personal data has a vault of its own: it names itself when it reads its master key, and every
//! key that is derived depends on that name, so that what one service sealed opens in no other, even where an operator
//! gave both the same master key.
//!
//! What is sealed is bound to its program, person and field: a ciphertext that somebody moves to another row or column
//! does not open. Whoever deletes a person's data key has deleted what it sealed, in every backup too.

mod command;
mod config;
mod data_key;
mod lookup;
mod master_key;
mod personal;
mod signing;
mod storage;

use std::sync::Arc;

use fealty_types::ProgramId;

pub use config::VaultConfig;
pub use data_key::{DataKey, Person, SealedKey};
pub use lookup::LookupHash;
pub use master_key::{MasterKey, MasterKeyError, MasterKeyId};
pub use personal::Personal;
pub use signing::Signature;
pub use storage::{OtherMasterKey, check_master_key};

use command::Commands;
use lookup::Lookup;
use signing::Signer;

/// Something sealed does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// It lies under another master key.
    #[error("sealed under the master key {stored}, and the service's is {own}")]
    OtherMasterKey {
        /// Under which it lies.
        stored: MasterKeyId,
        /// The service's own.
        own: MasterKeyId,
    },
    /// It was damaged, or belongs to another person or field.
    #[error("does not open: damaged, or sealed for another person or field")]
    Damaged,
}

/// Seals, opens, and hashes for look-ups. Cheap to clone; shows nothing of its keys.
#[derive(Clone)]
pub struct Vault {
    master: Arc<MasterKey>,
    lookup: Arc<Lookup>,
    commands: Arc<Commands>,
    signer: Arc<Signer>,
}

impl Vault {
    /// Over a master key.
    #[must_use]
    pub fn new(master: MasterKey) -> Self {
        Self {
            lookup: Arc::new(Lookup::new(&master)),
            commands: Arc::new(Commands::new(&master)),
            signer: Arc::new(Signer::new(&master)),
            master: Arc::new(master),
        }
    }

    /// Which master key this is.
    #[must_use]
    pub fn master_key_id(&self) -> &MasterKeyId {
        self.master.id()
    }

    /// A new data key for a person: to use, and as it is stored.
    #[must_use]
    pub fn create_key(&self, person: Person) -> (DataKey, SealedKey) {
        DataKey::create(&self.master, person)
    }

    /// A person's data key from how it is stored.
    pub fn open_key(&self, person: Person, stored: &SealedKey) -> Result<DataKey, VaultError> {
        DataKey::open(&self.master, person, stored)
    }

    /// By what a value is found within its program. Values of different kinds never meet.
    #[must_use]
    pub fn lookup_hash(&self, program_id: ProgramId, kind: &str, value: &Personal) -> LookupHash {
        self.lookup.hash(program_id, kind, value)
    }

    /// A command's hash as it may be stored, when the command tells of people: whoever lacks the master key cannot guess
    /// what it was.
    #[must_use]
    pub fn command_hash(&self, program_id: ProgramId, plain_hash: &[u8; 32]) -> [u8; 32] {
        self.commands.hash(program_id, plain_hash)
    }

    /// Signs a text for whoever does not ask us.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> Signature {
        self.signer.sign(text)
    }

    /// The key that signatures are made under now: 32 bytes.
    #[must_use]
    pub fn signing_key(&self) -> Vec<u8> {
        self.signer.public_key()
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("master_key_id", self.master_key_id())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
