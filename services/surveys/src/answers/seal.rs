//! Between what people wrote and what is stored of it.

use fealty_postgres::StorageError;
use fealty_postgres::requests::Request;
use fealty_types::{AnswerId, MemberId, ProgramId};
use fealty_vault::{DataKey, Person, Personal, SealedKey, Vault};

use super::SealedAnswer;
use super::domain::Answer;

/// An attempt as it may be remembered: what is kept of its command says nothing to whoever reads the table.
pub(super) fn keyed(vault: &Vault, program_id: ProgramId, request: &Request) -> Request {
    Request {
        command_hash: vault.command_hash(program_id, &request.command_hash),
        ..request.clone()
    }
}

/// A new key for a person.
pub(super) fn create_key(vault: &Vault, program_id: ProgramId, member_id: MemberId) -> (DataKey, SealedKey) {
    vault.create_key(Person {
        program_id,
        member_id,
    })
}

/// A person's key from how it is stored.
pub(super) fn open_key(
    vault: &Vault,
    program_id: ProgramId,
    member_id: MemberId,
    stored: &SealedKey,
) -> Result<DataKey, StorageError> {
    let person = Person {
        program_id,
        member_id,
    };
    vault
        .open_key(person, stored)
        .map_err(|error| StorageError::corrupt("person_key.data_key", error))
}

/// Seals what somebody wrote, for this answer alone.
pub(super) fn seal_text(key: &DataKey, answer_id: AnswerId, text: &Personal) -> Vec<u8> {
    key.seal(&field_of(answer_id), text)
}

/// Opens an answer. Words whose key is gone, because the person was forgotten, are gone.
pub(super) fn open(
    vault: &Vault,
    program_id: ProgramId,
    sealed: &SealedAnswer,
) -> Result<Answer, StorageError> {
    let answer = sealed.answer;
    let text = match (&sealed.text, &sealed.key) {
        (Some(text), Some(stored)) => {
            let key = open_key(vault, program_id, answer.member_id, stored)?;
            let opened = key.open_field(&field_of(answer.answer_id), text);
            Some(opened.map_err(|error| StorageError::corrupt("answer.follow_up_text", error))?)
        }
        (None, _) | (Some(_), None) => None,
    };
    Ok(Answer { answer, text })
}

/// What the words are bound to: their own row.
fn field_of(answer_id: AnswerId) -> String {
    format!("answer/{answer_id}/follow_up_text")
}
