//! A person's own key: what it seals opens for that person and that field only.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use fealty_types::{MemberId, ProgramId};
use rand::Rng;
use zeroize::Zeroizing;

use super::master_key::{KEY_LENGTH_BYTES, KeyBytes, MasterKey, MasterKeyId, derive, random_key};
use super::{Personal, VaultError};

/// Bytes of a nonce, as GCM likes them. Fresh and random for each sealing: one person's key seals far fewer than the
/// 2^32 values for which that is safe.
const NONCE_LENGTH_BYTES: usize = 12;

/// Bytes that show that nobody has touched the rest.
const TAG_LENGTH_BYTES: usize = 16;

/// What a data key is sealed as: no field of a person has such a name.
const KEY_FIELD: &str = "/data-key";

/// Whose data it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// In which program.
    pub program_id: ProgramId,
    /// Who.
    pub member_id: MemberId,
}

/// A person's data key, to use.
pub struct DataKey {
    person: Person,
    cipher: Aes256Gcm,
}

/// A person's data key as it is stored: wrapped.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Under which master key.
    pub master_key_id: MasterKeyId,
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
}

impl DataKey {
    pub(super) fn create(master: &MasterKey, person: Person) -> (Self, SealedKey) {
        let key = random_key();
        let wrapped = seal(
            &wrapping_cipher(master, person),
            person,
            KEY_FIELD,
            key.as_slice(),
        );
        let stored = SealedKey {
            master_key_id: master.id().clone(),
            bytes: wrapped,
        };
        (Self::of(person, &key), stored)
    }

    pub(super) fn open(master: &MasterKey, person: Person, stored: &SealedKey) -> Result<Self, VaultError> {
        if stored.master_key_id != *master.id() {
            return Err(VaultError::OtherMasterKey {
                stored: stored.master_key_id.clone(),
                own: master.id().clone(),
            });
        }
        let opened = open(&wrapping_cipher(master, person), person, KEY_FIELD, &stored.bytes)?;
        let key: [u8; KEY_LENGTH_BYTES] = opened.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        Ok(Self::of(person, &Zeroizing::new(key)))
    }

    /// The same key, wrapped under another master key.
    pub(super) fn wrap_again(
        from: &MasterKey,
        to: &MasterKey,
        person: Person,
        stored: &SealedKey,
    ) -> Result<SealedKey, VaultError> {
        let key = open(&wrapping_cipher(from, person), person, KEY_FIELD, &stored.bytes)?;
        Ok(SealedKey {
            master_key_id: to.id().clone(),
            bytes: seal(&wrapping_cipher(to, person), person, KEY_FIELD, key.as_slice()),
        })
    }

    fn of(person: Person, key: &KeyBytes) -> Self {
        Self {
            person,
            cipher: cipher(key),
        }
    }

    /// Seals a value of the person's field.
    #[must_use]
    pub fn seal(&self, field: &str, value: &Personal) -> Vec<u8> {
        seal(&self.cipher, self.person, field, value.expose().as_bytes())
    }

    /// Opens what was sealed for this person and field.
    pub fn open_field(&self, field: &str, sealed: &[u8]) -> Result<Personal, VaultError> {
        let mut opened = open(&self.cipher, self.person, field, sealed)?;
        // Moved, not copied: what is wiped later is the only one there is.
        String::from_utf8(std::mem::take(&mut *opened))
            .map(Personal::new)
            .map_err(|_| VaultError::Damaged)
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataKey")
            .field("person", &self.person)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedKey")
            .field("master_key_id", &self.master_key_id)
            .finish_non_exhaustive()
    }
}

/// Each person's data key is wrapped under a key of its own, so that the number of people is not bounded by how many
/// random nonces one key may be given.
fn wrapping_cipher(master: &MasterKey, person: Person) -> Aes256Gcm {
    let wrapping = master.derive("wrapping");
    let (program, member) = (person.program_id.as_uuid(), person.member_id.as_uuid());
    cipher(&derive(&wrapping, &[program.as_bytes(), member.as_bytes()]))
}

fn cipher(key: &KeyBytes) -> Aes256Gcm {
    Aes256Gcm::new_from_slice(key.as_slice()).expect("AES-256 takes 32 bytes")
}

/// What a ciphertext is bound to. The ids have a fixed length, so the field cannot run into them.
fn binding(person: Person, field: &str) -> Vec<u8> {
    let mut binding = Vec::with_capacity(32 + field.len());
    binding.extend_from_slice(person.program_id.as_uuid().as_bytes());
    binding.extend_from_slice(person.member_id.as_uuid().as_bytes());
    binding.extend_from_slice(field.as_bytes());
    binding
}

/// Seals what is no person's, under a key and a name.
pub(super) fn seal_bytes(key: &KeyBytes, name: &str, plain: &[u8]) -> Vec<u8> {
    seal_bound(&cipher(key), name.as_bytes(), plain)
}

/// Opens what was sealed so.
pub(super) fn open_bytes(
    key: &KeyBytes,
    name: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    open_bound(&cipher(key), name.as_bytes(), sealed)
}

fn seal(cipher: &Aes256Gcm, person: Person, field: &str, plain: &[u8]) -> Vec<u8> {
    seal_bound(cipher, &binding(person, field), plain)
}

fn seal_bound(cipher: &Aes256Gcm, aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE_LENGTH_BYTES];
    rand::rng().fill_bytes(&mut nonce);
    let payload = Payload { msg: plain, aad };
    let ciphertext = cipher
        .encrypt(&nonce.into(), payload)
        .expect("GCM refuses only what is longer than 64 GiB");
    [nonce.as_slice(), &ciphertext].concat()
}

fn open(
    cipher: &Aes256Gcm,
    person: Person,
    field: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    open_bound(cipher, &binding(person, field), sealed)
}

fn open_bound(cipher: &Aes256Gcm, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    if sealed.len() < NONCE_LENGTH_BYTES + TAG_LENGTH_BYTES {
        return Err(VaultError::Damaged);
    }
    let (nonce, ciphertext) = sealed
        .split_first_chunk::<NONCE_LENGTH_BYTES>()
        .ok_or(VaultError::Damaged)?;
    let payload = Payload { msg: ciphertext, aad };
    cipher
        .decrypt(&(*nonce).into(), payload)
        .map(Zeroizing::new)
        .map_err(|_| VaultError::Damaged)
}
