//! Between what the domain knows of a person and what is stored of them.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_postgres::requests::Request;
use fealty_types::{IdentifierId, MemberId, ProgramId, Version};
use fealty_vault::{DataKey, LookupHash, Person, Personal, SealedKey, Vault, VaultError};

use crate::cards::domain::CardState;

use super::domain::{
    Acceptance, BirthDate, Guardian, Identifier, IdentifierKind, IdentifierValue, LanguageTag, Member,
    PartyKind, Profile, RegistrationNumber, Standing, Verification,
};

/// A member as stored: nothing of it says who they are.
#[derive(Debug, Clone)]
pub(super) struct SealedMember {
    pub member_id: MemberId,
    pub key: SealedKey,
    pub profile: SealedProfile,
    /// Oldest first.
    pub identifiers: Vec<SealedIdentifier>,
    pub acceptance: Acceptance,
    pub accepted_by: Option<MemberId>,
    pub guardian: Option<SealedGuardian>,
    /// Whether the ledger has opened their owner.
    pub ledger_confirmed: bool,
    pub standing: Standing,
    pub revision: Version,
    pub create_time: DateTime<Utc>,
    pub update_time: DateTime<Utc>,
}

/// Who answers for a minor, and until when: that is a ciphertext.
#[derive(Debug, Clone)]
pub(super) struct SealedGuardian {
    pub member_id: MemberId,
    pub until: Vec<u8>,
}

/// A profile's fields, each a ciphertext but for the kind of party.
#[derive(Debug, Clone, Default)]
pub(super) struct SealedProfile {
    /// Plain.
    pub party_kind: PartyKind,
    pub registration_number: Option<Vec<u8>>,
    pub given_name: Option<Vec<u8>>,
    pub family_name: Option<Vec<u8>>,
    pub display_name: Option<Vec<u8>>,
    pub birth_date: Option<Vec<u8>>,
    pub language_code: Option<Vec<u8>>,
    pub place: Option<Vec<u8>>,
}

/// An identifier as stored.
#[derive(Debug, Clone)]
pub(super) struct SealedIdentifier {
    pub identifier_id: IdentifierId,
    pub kind: IdentifierKind,
    /// By what it is found: the same for the same value, so it is stored once.
    pub value_hash: LookupHash,
    pub value: Vec<u8>,
    pub create_time: DateTime<Utc>,
    pub verification: Option<Verification>,
    /// Written by the room of the cards.
    pub card: Option<CardState>,
}

/// An attempt as it may be remembered: what is kept of its command says nothing to whoever reads the table.
pub(crate) fn keyed(vault: &Vault, program_id: ProgramId, request: &Request) -> Request {
    Request {
        command_hash: vault.command_hash(program_id, &request.command_hash),
        ..request.clone()
    }
}

/// Seals a member who is new, under a key that is new.
pub(super) fn seal_new(vault: &Vault, program_id: ProgramId, member: &Member) -> SealedMember {
    let person = Person {
        program_id,
        member_id: member.member_id,
    };
    let (key, sealed_key) = vault.create_key(person);
    SealedMember {
        member_id: member.member_id,
        key: sealed_key,
        profile: seal_profile(&key, &member.profile),
        identifiers: member
            .identifiers
            .iter()
            .map(|identifier| seal_identifier(vault, &key, program_id, identifier))
            .collect(),
        acceptance: member.acceptance.clone(),
        accepted_by: member.accepted_by,
        guardian: seal_guardian(&key, member.guardian),
        ledger_confirmed: false,
        standing: member.standing.clone(),
        revision: member.revision,
        create_time: member.create_time,
        update_time: member.update_time,
    }
}

/// Opens a member, and the key under which changes are sealed.
pub(super) fn open(
    vault: &Vault,
    program_id: ProgramId,
    sealed: SealedMember,
) -> Result<(Member, DataKey), StorageError> {
    let person = Person {
        program_id,
        member_id: sealed.member_id,
    };
    let key = vault
        .open_key(person, &sealed.key)
        .map_err(|error| StorageError::corrupt("member.data_key", error))?;
    let member = Member {
        member_id: sealed.member_id,
        profile: open_profile(&key, &sealed.profile)?,
        identifiers: sealed
            .identifiers
            .iter()
            .map(|identifier| open_identifier(&key, identifier))
            .collect::<Result<_, _>>()?,
        acceptance: sealed.acceptance,
        accepted_by: sealed.accepted_by,
        guardian: sealed
            .guardian
            .map(|guardian| open_guardian(&key, &guardian))
            .transpose()?,
        standing: sealed.standing,
        revision: sealed.revision,
        create_time: sealed.create_time,
        update_time: sealed.update_time,
    };
    Ok((member, key))
}

/// By what a value is found.
pub(crate) fn lookup_hash(vault: &Vault, program_id: ProgramId, value: &IdentifierValue) -> LookupHash {
    vault.lookup_hash(program_id, value.kind().as_str(), value.text())
}

pub(super) fn seal_profile(key: &DataKey, profile: &Profile) -> SealedProfile {
    let seal = |field, value: Option<&Personal>| value.map(|value| key.seal(field, value));
    let birth_date = profile.birth_date.map(|birth_date| birth_date.to_personal());
    let language = profile.language.as_ref().map(LanguageTag::as_personal);
    let registration_number = profile.registration_number.as_ref();
    SealedProfile {
        party_kind: profile.party_kind,
        registration_number: seal(
            "registration_number",
            registration_number.map(RegistrationNumber::as_personal),
        ),
        given_name: seal("given_name", profile.given_name.as_ref()),
        family_name: seal("family_name", profile.family_name.as_ref()),
        display_name: seal("display_name", profile.display_name.as_ref()),
        birth_date: seal("birth_date", birth_date.as_ref()),
        language_code: seal("language_code", language),
        place: seal("place", profile.place.as_ref()),
    }
}

pub(super) fn seal_guardian(key: &DataKey, guardian: Option<Guardian>) -> Option<SealedGuardian> {
    guardian.map(|guardian| SealedGuardian {
        member_id: guardian.member_id,
        until: key.seal("guardian_until", &guardian.until_as_personal()),
    })
}

fn open_guardian(key: &DataKey, sealed: &SealedGuardian) -> Result<Guardian, StorageError> {
    let until = key
        .open_field("guardian_until", &sealed.until)
        .map_err(|error| damaged("member.guardian_until", &error))?;
    Guardian::from_stored(sealed.member_id, &until).ok_or_else(|| unreadable("member.guardian_until"))
}

fn open_profile(key: &DataKey, sealed: &SealedProfile) -> Result<Profile, StorageError> {
    let open = |field, sealed: Option<&Vec<u8>>| {
        sealed
            .map(|sealed| key.open_field(field, sealed))
            .transpose()
            .map_err(|error| damaged(field, &error))
    };
    let birth_date = open("birth_date", sealed.birth_date.as_ref())?
        .map(|text| BirthDate::from_personal(&text).ok_or_else(|| unreadable("member.birth_date")))
        .transpose()?;
    let language = open("language_code", sealed.language_code.as_ref())?
        .map(|text| {
            text.expose()
                .parse()
                .map_err(|_| unreadable("member.language_code"))
        })
        .transpose()?;
    let registration_number = open("registration_number", sealed.registration_number.as_ref())?
        .map(|text| {
            text.expose()
                .parse()
                .map_err(|_| unreadable("member.registration_number"))
        })
        .transpose()?;
    Ok(Profile {
        party_kind: sealed.party_kind,
        registration_number,
        given_name: open("given_name", sealed.given_name.as_ref())?,
        family_name: open("family_name", sealed.family_name.as_ref())?,
        display_name: open("display_name", sealed.display_name.as_ref())?,
        birth_date,
        language,
        place: open("place", sealed.place.as_ref())?,
    })
}

pub(super) fn seal_identifier(
    vault: &Vault,
    key: &DataKey,
    program_id: ProgramId,
    identifier: &Identifier,
) -> SealedIdentifier {
    let value = &identifier.value;
    SealedIdentifier {
        identifier_id: identifier.identifier_id,
        kind: value.kind(),
        value_hash: lookup_hash(vault, program_id, value),
        value: key.seal(&field_of(identifier.identifier_id, value.kind()), value.text()),
        create_time: identifier.create_time,
        verification: identifier.verification.clone(),
        card: identifier.card,
    }
}

fn open_identifier(key: &DataKey, sealed: &SealedIdentifier) -> Result<Identifier, StorageError> {
    let text = key
        .open_field(&field_of(sealed.identifier_id, sealed.kind), &sealed.value)
        .map_err(|error| damaged("identifier.value", &error))?;
    Ok(Identifier {
        identifier_id: sealed.identifier_id,
        value: IdentifierValue::from_stored(sealed.kind, text),
        create_time: sealed.create_time,
        verification: sealed.verification.clone(),
        card: sealed.card,
    })
}

/// What an identifier's value is bound to: its own row, and what it says it is.
fn field_of(identifier_id: IdentifierId, kind: IdentifierKind) -> String {
    format!("identifier/{identifier_id}/{}", kind.as_str())
}

fn damaged(field: &'static str, error: &VaultError) -> StorageError {
    StorageError::corrupt(field, error)
}

fn unreadable(field: &'static str) -> StorageError {
    StorageError::corrupt(field, "what was sealed is not of this field's form")
}
