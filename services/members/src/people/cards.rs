//! Cards as members have them: linked, blocked, replaced.

use chrono::{DateTime, Utc};
use fealty_postgres::events::append_in_tx;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{IdentifierId, MemberId, ProgramId, uuid_v7};
use fealty_vault::LookupHash;
use sqlx::PgConnection;

use super::domain::{Identifier, IdentifierChange, IdentifierKind, IdentifierValue, check_counts};
use super::identifiers::{ATTEMPTS_MAX, Taken, find_taken};
use super::seal::SealedIdentifier;
use super::{People, events, lock_in_tx, seal, storage};
use crate::cards::StoredCard;
use crate::cards::domain::{CardState, CardStatus, EndReason};
use crate::cards::storage::{self as stored, Linking};
use crate::refusal::{MembersError, Refusal};

/// A card that ends.
#[derive(Debug, Clone)]
pub struct Block {
    /// Which.
    pub number: IdentifierValue,
    /// Why.
    pub reason: EndReason,
    /// A staff member or a key.
    pub actor: String,
}

/// A card that takes another's place.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// The one that ends.
    pub number: IdentifierValue,
    /// The other.
    pub new_number: IdentifierValue,
    /// Why.
    pub reason: EndReason,
    /// A staff member or a key.
    pub actor: String,
}

impl People {
    /// Ends a card, whoever has it. One that is blocked already stays so.
    pub async fn block_card(
        &self,
        program_id: ProgramId,
        request: &Request,
        block: &Block,
    ) -> Result<Made<StoredCard>, MembersError> {
        let now = self.clock.now();
        let request = &seal::keyed(&self.vault, program_id, request);
        let hash = seal::lookup_hash(&self.vault, program_id, &block.number);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.service, "block_card", scope, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, uuid_v7(now), now).await?;
                let card = lock_card_in_tx(&mut *tx, program_id, hash).await?;
                if claimed.is_some() {
                    return Ok(Made::before(card));
                }
                let Some(state) = card.state.blocked(block.reason) else {
                    return Ok(Made::now(card));
                };
                stored::update_state_in_tx(&mut *tx, program_id, card.card_id, state, now).await?;
                if let (Some(member_id), Some(identifier_id)) = (card.member_id, card.identifier_id) {
                    storage::touch_in_tx(&mut *tx, program_id, member_id, now).await?;
                    let change = IdentifierChange::Blocked(block.reason);
                    let ended = noted(identifier_id, change, (&block.actor, now));
                    note_in_tx(&mut *tx, program_id, member_id, ended).await?;
                }
                get_in_tx(tx, program_id, hash).await.map(Made::now)
            })
        })
        .await?;
        self.waker.wake();
        Ok(made)
    }

    /// Gives the member who has a card another one in its stead.
    pub async fn replace_card(
        &self,
        program_id: ProgramId,
        request: &Request,
        replacement: &Replacement,
    ) -> Result<Made<StoredCard>, MembersError> {
        let request = &seal::keyed(&self.vault, program_id, request);
        for _ in 0..ATTEMPTS_MAX {
            let replaced = self.try_replace(program_id, request, replacement).await;
            let values = std::slice::from_ref(&replacement.new_number);
            match find_taken(&self.service, &self.vault, program_id, values, replaced).await? {
                Taken::Not(replaced) => {
                    self.waker.wake();
                    return Ok(replaced);
                }
                Taken::By { identifier_id, .. } => {
                    return Err(Refusal::IdentifierTaken {
                        identifier_id,
                        kind: "new_card_number",
                        index: None,
                    }
                    .into());
                }
                Taken::NoLonger => {}
            }
        }
        Err(Refusal::Contended.into())
    }

    async fn try_replace(
        &self,
        program_id: ProgramId,
        request: &Request,
        replacement: &Replacement,
    ) -> Result<Made<StoredCard>, MembersError> {
        let now = self.clock.now();
        let hash = seal::lookup_hash(&self.vault, program_id, &replacement.number);
        let new_hash = seal::lookup_hash(&self.vault, program_id, &replacement.new_number);
        let identifier = &Identifier {
            identifier_id: IdentifierId::generate_at(now),
            value: replacement.new_number.clone(),
            create_time: now,
            verification: None,
            card: Some(CardState::LINKED),
        };
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "replace_card", scope, options, |tx| {
            in_tx(async move {
                let made = identifier.identifier_id.as_uuid();
                let claimed = claim_in_tx(&mut *tx, request, made, now).await?;
                let old = lock_card_in_tx(&mut *tx, program_id, hash).await?;
                if claimed.is_some() {
                    return get_in_tx(tx, program_id, new_hash).await.map(Made::before);
                }
                let (Some(member_id), Some(old_id)) = (old.member_id, old.identifier_id) else {
                    return Err(Refusal::CardNotLinked.into());
                };
                let state = old.state.replaced(replacement.reason, identifier.identifier_id)?;
                let (current, key) = lock_in_tx(&mut *tx, &self.vault, program_id, member_id).await?;
                current.check_changeable()?;
                let kinds = current.identifiers.iter().map(|one| one.value.kind());
                check_counts(kinds.chain([IdentifierKind::CardNumber]))?;
                let changed = current
                    .with_identifier(identifier.clone(), now)
                    .ok_or(Refusal::Contended)?;
                let sealed = [seal::seal_identifier(&self.vault, &key, program_id, identifier)];
                storage::insert_identifiers_in_tx(&mut *tx, program_id, member_id, &sealed).await?;
                link_in_tx(&mut *tx, program_id, &sealed, now).await?;
                stored::update_state_in_tx(&mut *tx, program_id, old.card_id, state, now).await?;
                storage::update_revision_in_tx(&mut *tx, program_id, &changed).await?;
                let by = (replacement.actor.as_str(), now);
                let change = IdentifierChange::Replaced(replacement.reason, identifier.identifier_id);
                note_in_tx(&mut *tx, program_id, member_id, noted(old_id, change, by)).await?;
                let added = noted(identifier.identifier_id, IdentifierChange::Added, by);
                note_in_tx(&mut *tx, program_id, member_id, added).await?;
                get_in_tx(tx, program_id, new_hash).await.map(Made::now)
            })
        })
        .await
    }
}

/// Gives the cards among identifiers that were stored just now to who has them.
pub(super) async fn link_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    identifiers: &[SealedIdentifier],
    now: DateTime<Utc>,
) -> Result<(), MembersError> {
    let is_card = |one: &&SealedIdentifier| one.kind == IdentifierKind::CardNumber;
    let linkings: Vec<Linking> = identifiers
        .iter()
        .filter(is_card)
        .map(|one| Linking {
            value_hash: one.value_hash,
            identifier_id: one.identifier_id,
        })
        .collect();
    match stored::link_in_tx(tx, program_id, &linkings, now).await? {
        None => Ok(()),
        Some((_, state)) => Err(Refusal::CardEnded(state).into()),
    }
}

/// Keeps the member who has a card and then the card itself from changes by anybody else: in this order, as whoever
/// gives somebody a card does.
async fn lock_card_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    hash: LookupHash,
) -> Result<StoredCard, MembersError> {
    let seen = get_in_tx(&mut *tx, program_id, hash).await?;
    if let Some(member_id) = seen.member_id {
        storage::lock_in_tx(&mut *tx, program_id, member_id).await?;
    }
    stored::lock_in_tx(&mut *tx, program_id, hash).await?;
    let card = get_in_tx(tx, program_id, hash).await?;
    if card.member_id == seen.member_id {
        Ok(card)
    } else {
        Err(Refusal::Contended.into())
    }
}

async fn get_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    hash: LookupHash,
) -> Result<StoredCard, MembersError> {
    let card = stored::find_in_tx(tx, program_id, hash).await?;
    Ok(card.ok_or(Refusal::NoSuchCard)?)
}

fn noted(
    identifier_id: IdentifierId,
    change: IdentifierChange,
    (actor, change_time): (&str, DateTime<Utc>),
) -> storage::Noted<'_> {
    storage::Noted {
        identifier_id,
        kind: IdentifierKind::CardNumber,
        change,
        actor,
        change_time,
    }
}

/// Keeps what became of an identifier, and tells others.
pub(super) async fn note_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    noted: storage::Noted<'_>,
) -> Result<(), StorageError> {
    storage::insert_history_in_tx(&mut *tx, program_id, member_id, &[noted]).await?;
    let event = events::identifier_changed(member_id, noted);
    append_in_tx(tx, program_id, &[event]).await
}

/// Refuses to find anybody by a card that has ended and that nobody has any more; else says why nobody is found.
pub(super) async fn nobody_by_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    kind: IdentifierKind,
    hash: LookupHash,
) -> Result<Refusal, StorageError> {
    let nobody = |card_status: Option<CardStatus>| Refusal::NobodyBears {
        kind: kind.field(),
        card_status: card_status.map(CardStatus::as_str),
    };
    if kind != IdentifierKind::CardNumber {
        return Ok(nobody(None));
    }
    let card = stored::find_in_tx(tx, program_id, hash).await?;
    Ok(match card {
        None => nobody(None),
        Some(card) if card.state.status == CardStatus::Issued => nobody(Some(CardStatus::Issued)),
        Some(card) => Refusal::CardEnded(card.state),
    })
}
