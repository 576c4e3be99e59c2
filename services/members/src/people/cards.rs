//! Cards as members have them: linked, blocked, replaced.

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{IdentifierId, MemberId, ProgramId, uuid_v7};
use fealty_vault::LookupHash;
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Identifier, IdentifierChange, IdentifierKind, IdentifierValue, check_counts};
use super::identifiers::{ATTEMPTS_MAX, Taken, find_taken};
use super::noting::{Done, Noted, note_in_tx};
use super::seal::SealedIdentifier;
use super::{People, lock_in_tx, seal, storage};
use crate::cards::StoredCard;
use crate::cards::domain::{CardState, CardStatus, EndReason};
use crate::cards::storage::{self as stored, Linking};
use crate::refusal::{MembersError, Refusal, Resource};

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
        let request = &seal::keyed(&self.vault, program_id, request);
        let hash = seal::lookup_hash(&self.vault, program_id, &block.number);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.service, "block_card", scope, options, |tx| {
            in_tx(async move {
                let began = self.clock.now();
                if claim_in_tx(&mut *tx, request, uuid_v7(began), began)
                    .await?
                    .is_some()
                {
                    return get_in_tx(tx, program_id, hash).await.map(Made::before);
                }
                let card = lock_card_in_tx(&mut *tx, program_id, hash).await?;
                let now = self.clock.now();
                let Some(state) = card.state.blocked(block.reason) else {
                    return Ok(Made::now(card));
                };
                stored::update_state_in_tx(&mut *tx, program_id, card.card_id, state, now).await?;
                note_blocked_in_tx(&mut *tx, program_id, &card, block, now).await?;
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
                if let Some(made) = claimed {
                    return get_made_in_tx(tx, program_id, made).await.map(Made::before);
                }
                let old = lock_card_in_tx(&mut *tx, program_id, hash).await?;
                let held = Held::of(&old).ok_or(Refusal::CardNotLinked)?;
                // Of somebody whose enrolment is not finished nothing is told yet, and nothing changed.
                let member_id = old.member_id.ok_or(Refusal::Contended)?;
                let state = old.state.replaced(replacement.reason, identifier.identifier_id)?;
                let (current, key) = lock_in_tx(&mut *tx, &self.vault, program_id, member_id).await?;
                let now = self.clock.now();
                current.check_changeable()?;
                let kinds = current.identifiers.iter().map(|one| one.value.kind());
                check_counts(kinds.chain([IdentifierKind::CardNumber]))?;
                let changed = current
                    .with_identifier(identifier.clone(), now)
                    .ok_or(Refusal::Contended)?;
                let sealed = [seal::seal_identifier(&self.vault, &key, program_id, identifier)];
                storage::insert_identifiers_in_tx(&mut *tx, program_id, member_id, &sealed).await?;
                link_in_tx(
                    &mut *tx,
                    program_id,
                    (&sealed, Sent::AsOne("new_card_number")),
                    now,
                )
                .await?;
                stored::update_state_in_tx(&mut *tx, program_id, old.card_id, state, now).await?;
                storage::update_revision_in_tx(&mut *tx, program_id, &changed).await?;
                if held.bearer_member_id != member_id {
                    storage::touch_in_tx(&mut *tx, program_id, held.bearer_member_id, now).await?;
                }
                // Of a card that was blocked before: why it ended then.
                let reason = state.end_reason.unwrap_or(replacement.reason);
                let change = IdentifierChange::Replaced(reason, identifier.identifier_id);
                let noted = [
                    Noted::of_card(held.identifier_id, change),
                    Noted::of_card(identifier.identifier_id, IdentifierChange::Added),
                ];
                let done = Done {
                    actor: &replacement.actor,
                    time: now,
                };
                note_in_tx(&mut *tx, program_id, member_id, &noted, done).await?;
                get_in_tx(tx, program_id, new_hash).await.map(Made::now)
            })
        })
        .await
    }
}

/// How a caller sent the cards that somebody is to get.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sent {
    /// One, in that field.
    AsOne(&'static str),
    /// As some of several identifiers, in their order.
    Listed,
}

/// Gives the cards among identifiers that were stored just now to who has them.
pub(super) async fn link_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (identifiers, sent): (&[SealedIdentifier], Sent),
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
    let Some((refused, state)) = stored::link_in_tx(tx, program_id, &linkings, now).await? else {
        return Ok(());
    };
    let (kind, index) = match sent {
        Sent::AsOne(kind) => (kind, None),
        Sent::Listed => {
            let index = identifiers.iter().position(|one| one.identifier_id == refused);
            (IdentifierKind::CardNumber.field(), index)
        }
    };
    let status = state.status;
    Err(Refusal::CardNotGiven { status, kind, index }.into())
}

/// A card that lies in somebody's record.
#[derive(Debug, Clone, Copy)]
struct Held {
    identifier_id: IdentifierId,
    bearer_member_id: MemberId,
}

impl Held {
    fn of(card: &StoredCard) -> Option<Self> {
        Some(Self {
            identifier_id: card.identifier_id?,
            bearer_member_id: card.bearer_member_id?,
        })
    }
}

/// Keeps the member who has a card, and the record in which a merge has left it, and then the card itself from changes by
/// anybody else: in this order, as whoever gives somebody a card does.
async fn lock_card_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    hash: LookupHash,
) -> Result<StoredCard, MembersError> {
    let seen = get_in_tx(&mut *tx, program_id, hash).await?;
    let locked = holders(&seen);
    storage::lock_all_in_tx(&mut *tx, program_id, &locked).await?;
    stored::lock_in_tx(&mut *tx, program_id, hash).await?;
    let card = get_in_tx(tx, program_id, hash).await?;
    if holders(&card).iter().all(|member_id| locked.contains(member_id)) {
        Ok(card)
    } else {
        Err(Refusal::Contended.into())
    }
}

/// In whose record a card lies, and who has it.
fn holders(card: &StoredCard) -> Vec<MemberId> {
    card.bearer_member_id.into_iter().chain(card.member_id).collect()
}

/// Keeps that somebody's card was blocked, and tells others, unless the enrolment is not finished: then nobody is told of them.
async fn note_blocked_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    card: &StoredCard,
    block: &Block,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let Some(held) = Held::of(card) else {
        return Ok(());
    };
    storage::touch_in_tx(&mut *tx, program_id, held.bearer_member_id, now).await?;
    let noted = [Noted::of_card(
        held.identifier_id,
        IdentifierChange::Blocked(block.reason),
    )];
    let done = Done {
        actor: &block.actor,
        time: now,
    };
    match card.member_id {
        Some(member_id) => note_in_tx(tx, program_id, member_id, &noted, done).await,
        None => storage::insert_history_in_tx(tx, program_id, held.bearer_member_id, &noted, done).await,
    }
}

/// The card that an earlier attempt gave somebody, unless it was taken away since.
async fn get_made_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    made: Uuid,
) -> Result<StoredCard, MembersError> {
    let gone = || Refusal::not_found(Resource::Identifier, made);
    let identifier_id = IdentifierId::try_from(made).map_err(|_| gone())?;
    let card = stored::find_by_identifier_in_tx(tx, program_id, identifier_id).await?;
    Ok(card.ok_or_else(gone)?)
}

async fn get_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    hash: LookupHash,
) -> Result<StoredCard, MembersError> {
    let card = stored::find_in_tx(tx, program_id, hash).await?;
    Ok(card.ok_or(Refusal::NoSuchCard)?)
}

/// Refuses to find anybody by a card that has ended and that nobody has any more; else says why nobody is found. None where
/// somebody has got it since nobody was found.
pub(super) async fn nobody_by_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    kind: IdentifierKind,
    hash: LookupHash,
) -> Result<Option<Refusal>, StorageError> {
    let nobody = |card_status: Option<CardStatus>| Refusal::NobodyBears {
        kind: kind.field(),
        card_status: card_status.map(CardStatus::as_str),
    };
    if kind != IdentifierKind::CardNumber {
        return Ok(Some(nobody(None)));
    }
    let card = stored::find_in_tx(tx, program_id, hash).await?;
    Ok(match card {
        None => Some(nobody(None)),
        Some(card) if card.identifier_id.is_some() => None,
        Some(card) if card.state.status == CardStatus::Issued => Some(nobody(Some(CardStatus::Issued))),
        Some(card) => Some(Refusal::CardEnded(card.state)),
    })
}
