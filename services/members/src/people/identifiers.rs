//! Identifiers that members get and lose after their enrolment.

use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{IdentifierId, MemberId, ProgramId};
use fealty_vault::{LookupHash, Vault};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use super::cards::{Sent, link_in_tx};
use super::domain::{Identifier, IdentifierChange, IdentifierKind, IdentifierValue, Member, check_counts};
use super::noting::{Done, Noted, note_in_tx};
use super::traits::note_traits_in_tx;
use super::{People, find_in_tx, lock_in_tx, not_found, seal, storage};
use crate::cards::domain::CardState;
use crate::cards::storage::{Linking, unlink_in_tx};
use crate::refusal::{MembersError, Refusal, Resource};

/// Attempts to store a value that turns out to be taken and then is not: whoever loses three times against others who
/// come and go is better told so.
pub(super) const ATTEMPTS_MAX: u32 = 3;

/// Whether a write came to nothing because somebody has one of its values.
#[derive(Debug)]
pub(super) enum Taken<T> {
    /// Nobody has.
    Not(T),
    /// Somebody has the value at that place.
    By {
        /// Which identifier has it.
        identifier_id: IdentifierId,
        /// Which value.
        index: usize,
    },
    /// Somebody had, a moment ago.
    NoLonger,
}

impl People {
    /// Gives a member one more identifier.
    pub async fn add_identifier(
        &self,
        program_id: ProgramId,
        request: &Request,
        member_id: MemberId,
        (value, actor): (&IdentifierValue, &str),
    ) -> Result<Made<(Member, Identifier)>, MembersError> {
        let request = &seal::keyed(&self.vault, program_id, request);
        for _ in 0..ATTEMPTS_MAX {
            let added = self
                .try_add_identifier(program_id, request, member_id, (value, actor))
                .await;
            let values = std::slice::from_ref(value);
            match find_taken(&self.service, &self.vault, program_id, values, added).await? {
                Taken::Not(added) => {
                    self.waker.wake();
                    return Ok(added);
                }
                Taken::By { identifier_id, .. } => {
                    return Err(Refusal::IdentifierTaken {
                        identifier_id,
                        kind: value.kind().field(),
                        index: None,
                    }
                    .into());
                }
                Taken::NoLonger => {}
            }
        }
        Err(Refusal::Contended.into())
    }

    async fn try_add_identifier(
        &self,
        program_id: ProgramId,
        request: &Request,
        member_id: MemberId,
        (value, actor): (&IdentifierValue, &str),
    ) -> Result<Made<(Member, Identifier)>, MembersError> {
        let now = self.clock.now();
        let identifier = &Identifier {
            identifier_id: IdentifierId::generate_at(now),
            value: value.clone(),
            create_time: now,
            verification: None,
            card: CardState::of_new(value.kind()),
        };
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "add_identifier", scope, options, |tx| {
            in_tx(async move {
                let made = identifier.identifier_id.as_uuid();
                let claimed = claim_in_tx(&mut *tx, request, made, now).await?;
                let (current, key) = lock_in_tx(&mut *tx, &self.vault, program_id, member_id).await?;
                if let Some(made) = claimed {
                    let before = find_moved_in_tx(tx, &self.vault, program_id, current, made).await?;
                    return Ok(Made::before(before));
                }
                current.check_changeable()?;
                let kinds = current.identifiers.iter().map(|one| one.value.kind());
                check_counts(kinds.chain([value.kind()]))?;
                let sealed = [seal::seal_identifier(&self.vault, &key, program_id, identifier)];
                storage::insert_identifiers_in_tx(&mut *tx, program_id, member_id, &sealed).await?;
                link_in_tx(&mut *tx, program_id, (&sealed, Sent::AsOne("card_number")), now).await?;
                let changed = current
                    .with_identifier(identifier.clone(), now)
                    .ok_or(Refusal::Contended)?;
                storage::update_revision_in_tx(&mut *tx, program_id, &changed).await?;
                note_traits_in_tx(&mut *tx, &self.vault, program_id, Some(&current), &changed).await?;
                let noted = Noted::of(identifier, IdentifierChange::Added);
                let time = self.clock.now();
                note_in_tx(tx, program_id, member_id, &[noted], Done { actor, time }).await?;
                Ok(Made::now((changed, identifier.clone())))
            })
        })
        .await
    }

    /// Takes an identifier away from a member, whatever they may still do: a stolen card is no longer theirs. One that is
    /// not there stays away.
    pub async fn remove_identifier(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        (identifier_id, actor): (IdentifierId, &str),
    ) -> Result<Member, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let member = transact(&self.service, "remove_identifier", scope, options, |tx| {
            in_tx(async move {
                let (current, _) = lock_in_tx(&mut *tx, &self.vault, program_id, member_id).await?;
                let now = self.clock.now();
                let removed = current
                    .identifiers
                    .iter()
                    .find(|one| one.identifier_id == identifier_id);
                let Some((removed, changed)) = removed.zip(current.without_identifier(identifier_id, now))
                else {
                    return Ok(current);
                };
                let value = &removed.value;
                if value.kind() == IdentifierKind::CardNumber {
                    let linked = Linking {
                        value_hash: seal::lookup_hash(&self.vault, program_id, value),
                        identifier_id,
                    };
                    unlink_in_tx(&mut *tx, program_id, linked, now).await?;
                }
                storage::delete_identifiers_in_tx(&mut *tx, program_id, member_id, &[identifier_id]).await?;
                storage::update_revision_in_tx(&mut *tx, program_id, &changed).await?;
                note_traits_in_tx(&mut *tx, &self.vault, program_id, Some(&current), &changed).await?;
                let noted = Noted::of(removed, IdentifierChange::Removed);
                note_in_tx(tx, program_id, member_id, &[noted], Done { actor, time: now }).await?;
                Ok::<_, MembersError>(changed)
            })
        })
        .await?;
        self.waker.wake();
        Ok(member)
    }
}

/// What an earlier attempt added, unless it was taken away since.
pub(super) fn find_added(member: Member, made: Uuid) -> Result<(Member, Identifier), MembersError> {
    let identifier = member
        .identifiers
        .iter()
        .find(|identifier| identifier.identifier_id.as_uuid() == made)
        .cloned()
        .ok_or_else(|| Refusal::not_found(Resource::Identifier, made))?;
    Ok((member, identifier))
}

/// The same, also where a merge has moved it to the member who stays.
pub(super) async fn find_moved_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    member: Member,
    made: Uuid,
) -> Result<(Member, Identifier), MembersError> {
    let is_there = member
        .identifiers
        .iter()
        .any(|one| one.identifier_id.as_uuid() == made);
    match member.standing.merged_into_member_id {
        Some(into) if !is_there => {
            let stays = find_in_tx(tx, vault, program_id, into).await?;
            find_added(stays.ok_or_else(|| not_found(into))?.0, made)
        }
        _ => find_added(member, made),
    }
}

/// Says who has the value that a write broke on. Asked in a transaction of its own, since the one that broke is over.
pub(super) async fn find_taken<T>(
    service: &PgPool,
    vault: &Vault,
    program_id: ProgramId,
    values: &[IdentifierValue],
    written: Result<T, MembersError>,
) -> Result<Taken<T>, MembersError> {
    let error = match written {
        Ok(written) => return Ok(Taken::Not(written)),
        Err(MembersError::Storage(error)) => error,
        Err(error) => return Err(error),
    };
    if error.unique_violation().as_deref() != Some(storage::VALUE_CONSTRAINT) {
        return Err(error.into());
    }
    let hashes: Vec<LookupHash> = values
        .iter()
        .map(|value| seal::lookup_hash(vault, program_id, value))
        .collect();
    let hashes = hashes.as_slice();
    let scope = Scope::Program(program_id);
    let options = TransactOptions::read_only();
    let taken = transact(service, "find_taken_identifier", scope, options, |tx| {
        in_tx(async move { storage::find_taken_in_tx(tx, program_id, hashes).await })
    })
    .await?;
    Ok(taken.map_or(Taken::NoLonger, |(index, identifier_id)| Taken::By {
        identifier_id,
        index,
    }))
}
