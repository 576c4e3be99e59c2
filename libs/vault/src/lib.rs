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
mod hash_keys;
mod lookup;
mod master_key;
mod personal;
pub mod rotation;
mod signing;
mod storage;

use std::sync::{Arc, OnceLock};

use fealty_types::ProgramId;

pub use config::VaultConfig;
pub use data_key::{DataKey, Person, SealedKey};
pub use lookup::LookupHash;
pub use master_key::{MasterKey, MasterKeyError, MasterKeyId};
pub use personal::Personal;
pub use signing::Signature;
pub use storage::{OtherMasterKey, check_master_key};

use hash_keys::{HashKeys, WrappedHashKeys};
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
    /// Earlier ones, which only open.
    previous: Arc<[MasterKey]>,
    /// Those of a database that was begun with the master key.
    hash_keys: Arc<HashKeys>,
    /// Those of this database, where it was begun with another one.
    adopted: Arc<OnceLock<HashKeys>>,
    signer: Arc<Signer>,
}

impl Vault {
    /// Over a master key.
    #[must_use]
    pub fn new(master: MasterKey) -> Self {
        Self::with_previous(master, Vec::new())
    }

    /// Over a master key, and earlier ones under which something may still lie.
    #[must_use]
    pub fn with_previous(master: MasterKey, previous: Vec<MasterKey>) -> Self {
        Self {
            hash_keys: Arc::new(HashKeys::of(&master)),
            adopted: Arc::default(),
            previous: previous.into(),
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
        DataKey::open(self.master_of(&stored.master_key_id)?, person, stored)
    }

    /// The same key under the newest master key: what it sealed stays as it is.
    pub fn wrap_again(&self, person: Person, stored: &SealedKey) -> Result<SealedKey, VaultError> {
        let from = self.master_of(&stored.master_key_id)?;
        DataKey::wrap_again(from, &self.master, person, stored)
    }

    /// Whether it is one of the master keys.
    #[must_use]
    pub fn has_master_key(&self, id: &MasterKeyId) -> bool {
        self.master_of(id).is_ok()
    }

    fn master_of(&self, id: &MasterKeyId) -> Result<&MasterKey, VaultError> {
        let mut known = std::iter::once(&*self.master).chain(self.previous.iter());
        known
            .find(|key| key.id() == id)
            .ok_or_else(|| VaultError::OtherMasterKey {
                stored: id.clone(),
                own: self.master.id().clone(),
            })
    }

    fn hash_keys(&self) -> &HashKeys {
        self.adopted.get().unwrap_or(&self.hash_keys)
    }

    /// Hashes as the database does: by the keys that it keeps, or by those that follow from the master key that it was begun
    /// with. Before anything is hashed.
    fn adopt_hash_keys(
        &self,
        begun_with: &MasterKeyId,
        stored: Option<&WrappedHashKeys>,
    ) -> Result<(), VaultError> {
        let keys = match stored {
            Some(wrapped) => HashKeys::unwrap(self.master_of(&wrapped.master_key_id)?, wrapped)?,
            None => HashKeys::of(self.master_of(begun_with)?),
        };
        // They are the same however often the database is asked.
        let _ = self.adopted.set(keys);
        Ok(())
    }

    fn wrapped_hash_keys(&self) -> WrappedHashKeys {
        self.hash_keys().wrap(&self.master)
    }

    /// By what a value is found within its program. Values of different kinds never meet.
    #[must_use]
    pub fn lookup_hash(&self, program_id: ProgramId, kind: &str, value: &Personal) -> LookupHash {
        self.hash_keys().lookup.hash(program_id, kind, value)
    }

    /// A command's hash as it may be stored, when the command tells of people: whoever lacks the master key cannot guess
    /// what it was.
    #[must_use]
    pub fn command_hash(&self, program_id: ProgramId, plain_hash: &[u8; 32]) -> [u8; 32] {
        self.hash_keys().commands.hash(program_id, plain_hash)
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
