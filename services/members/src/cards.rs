//! Cards before anybody has them: issued in batches, listed for whoever prints them. How a card comes to a member and what
//! becomes of it then is told in [`crate::people`].

pub mod domain;
pub mod grpc;
pub(crate) mod storage;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{CardBatchId, ProgramId, SharedClock};
use fealty_vault::{LookupHash, Vault};
use rand::Rng;
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use crate::display_name::DisplayName;
use crate::people::domain::IdentifierValue;
use crate::people::lookup_hash;
use crate::refusal::{MembersError, Refusal, Resource};
use domain::{CardStatus, Numbering, RandomNumbers};
pub use storage::StoredCard;

/// Attempts to make numbers that nobody else makes at the same time.
const ATTEMPTS_MAX: u32 = 3;

/// Numbers by chance that are made for one card on the average, before so many are taken that a batch is refused: three of four
/// then. Looking for them takes some tenths of a second for the largest batch, of the two that its transaction has.
const DRAWS_PER_CARD_MAX: usize = 4;

/// Numbers that are made besides: a batch of a few cards finds the last ones of a small space.
const DRAWS_SPARE: usize = 200;

/// Bytes below this are digits by chance, each as likely as the others: 25 times each of the ten.
const FAIR_BYTES_END: u8 = 250;

/// What can be done with cards that nobody has.
#[derive(Debug, Clone)]
pub struct Cards {
    service: PgPool,
    vault: Vault,
    clock: SharedClock,
}

/// Cards that were made together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardBatch {
    /// Its id.
    pub card_batch_id: CardBatchId,
    /// What people call it.
    pub display_name: DisplayName,
    /// How many cards it has.
    pub card_count: i32,
    /// Who made it.
    pub actor: String,
    /// When.
    pub create_time: DateTime<Utc>,
}

/// Cards to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    /// What people call them.
    pub display_name: DisplayName,
    /// How many.
    pub card_count: i32,
    /// How they are numbered.
    pub numbering: Numbering,
    /// A staff member or a key.
    pub actor: String,
}

/// A number that was made.
#[derive(Debug, Clone)]
struct NumberedCard {
    number: String,
    value_hash: LookupHash,
}

impl Cards {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, vault: Vault, clock: SharedClock) -> Self {
        Self {
            service,
            vault,
            clock,
        }
    }

    /// Makes a batch.
    pub async fn issue(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &NewBatch,
    ) -> Result<Made<CardBatch>, MembersError> {
        let cards = self.number(program_id, new)?;
        for _ in 0..ATTEMPTS_MAX {
            match self.try_issue(program_id, request, new, &cards).await {
                // Somebody else took one of the numbers meanwhile: the next look sees which.
                Err(MembersError::Storage(error))
                    if error.unique_violation().as_deref() == Some(storage::VALUE_CONSTRAINT) => {}
                issued => return issued,
            }
        }
        Err(Refusal::Contended.into())
    }

    /// The batches after one of them, oldest first.
    pub async fn list_batches(
        &self,
        program_id: ProgramId,
        after: Option<CardBatchId>,
        count_max: i64,
    ) -> Result<Vec<CardBatch>, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "list_card_batches", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_batches_in_tx(tx, program_id, after, count_max).await?) })
        })
        .await
    }

    /// The cards of a batch after one of them, in an order that says nothing of their numbers.
    pub async fn list(
        &self,
        program_id: ProgramId,
        (card_batch_id, status): (CardBatchId, Option<CardStatus>),
        after: Option<LookupHash>,
        count_max: i64,
    ) -> Result<Vec<StoredCard>, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "list_cards", scope, options, |tx| {
            in_tx(async move {
                if storage::find_batch_in_tx(&mut *tx, program_id, card_batch_id)
                    .await?
                    .is_none()
                {
                    return Err(Refusal::not_found(Resource::CardBatch, card_batch_id).into());
                }
                let asked = (card_batch_id, status);
                Ok(storage::list_in_tx(tx, program_id, asked, after, count_max).await?)
            })
        })
        .await
    }

    /// A card by its number.
    pub async fn get(
        &self,
        program_id: ProgramId,
        number: &IdentifierValue,
    ) -> Result<StoredCard, MembersError> {
        let value_hash = lookup_hash(&self.vault, program_id, number);
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "get_card", scope, options, |tx| {
            in_tx(async move {
                let card = storage::find_in_tx(tx, program_id, value_hash).await?;
                Ok(card.ok_or(Refusal::NoSuchCard)?)
            })
        })
        .await
    }

    async fn try_issue(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &NewBatch,
        cards: &[NumberedCard],
    ) -> Result<Made<CardBatch>, MembersError> {
        let now = self.clock.now();
        let batch = &CardBatch {
            card_batch_id: CardBatchId::generate_at(now),
            display_name: new.display_name.clone(),
            card_count: new.card_count,
            actor: new.actor.clone(),
            create_time: now,
        };
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "issue_cards", scope, options, |tx| {
            in_tx(async move {
                let id = batch.card_batch_id.as_uuid();
                if let Some(made) = claim_in_tx(&mut *tx, request, id, now).await? {
                    return Ok(Made::before(get_made(tx, program_id, made).await?));
                }
                let cards = self.free_in_tx(&mut *tx, program_id, new, cards).await?;
                storage::insert_batch_in_tx(tx, program_id, batch, &cards).await?;
                Ok(Made::now(batch.clone()))
            })
        })
        .await
    }

    /// The cards, with other numbers by chance in the place of those that are taken.
    async fn free_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        new: &NewBatch,
        cards: &[NumberedCard],
    ) -> Result<Vec<NumberedCard>, MembersError> {
        let mut cards = cards.to_vec();
        let mut seen: HashSet<String> = cards.iter().map(|card| card.number.clone()).collect();
        let mut unsure: Vec<usize> = (0..cards.len()).collect();
        let mut draws_left = DRAWS_PER_CARD_MAX * cards.len() + DRAWS_SPARE;
        while unsure.len() <= draws_left {
            draws_left -= unsure.len();
            let looked_at = unsure.iter().map(|place| &cards[*place]);
            let taken = storage::find_taken_in_tx(&mut *tx, program_id, looked_at).await?;
            unsure.retain(|place| taken.contains(&cards[*place].value_hash));
            match (unsure.first(), &new.numbering) {
                (None, _) => return Ok(cards),
                (Some(place), Numbering::Range(_)) => {
                    return Err(Refusal::CardNumberTaken { place: place + 1 }.into());
                }
                (Some(_), Numbering::Random(random)) => {
                    for place in &unsure {
                        let number = random.another(&mut seen, digit_by_chance);
                        cards[*place] = self.numbered(program_id, number)?;
                    }
                }
            }
        }
        let count_max = match &new.numbering {
            Numbering::Random(random) => RandomNumbers::possible_count(random),
            Numbering::Range(_) => 0,
        };
        Err(Refusal::CardNumbersSpent { count_max }.into())
    }

    fn number(&self, program_id: ProgramId, new: &NewBatch) -> Result<Vec<NumberedCard>, MembersError> {
        let count = usize::try_from(new.card_count).unwrap_or(0);
        let numbers: Vec<String> = match &new.numbering {
            Numbering::Range(range) => range.numbers(count).collect(),
            Numbering::Random(random) => random.numbers(count, digit_by_chance),
        };
        let card = |number: String| self.numbered(program_id, number);
        numbers.into_iter().map(card).collect()
    }

    fn numbered(&self, program_id: ProgramId, number: String) -> Result<NumberedCard, MembersError> {
        let value = domain::as_identifier(&number);
        let value =
            value.ok_or_else(|| StorageError::corrupt("card.card_number", "was made, and is none"))?;
        let value_hash = lookup_hash(&self.vault, program_id, &value);
        Ok(NumberedCard { number, value_hash })
    }
}

async fn get_made(
    tx: &mut PgConnection,
    program_id: ProgramId,
    made: uuid::Uuid,
) -> Result<CardBatch, MembersError> {
    let corrupt = |reason: &str| StorageError::corrupt("request.resource_id", reason);
    let id = CardBatchId::try_from(made).map_err(|_| corrupt("is no batch's id"))?;
    let batch = storage::find_batch_in_tx(tx, program_id, id).await?;
    Ok(batch.ok_or_else(|| corrupt("names no batch"))?)
}

fn digit_by_chance() -> u8 {
    let mut rng = rand::rng();
    loop {
        let mut byte = [0];
        rng.fill_bytes(&mut byte);
        if byte[0] < FAIR_BYTES_END {
            return byte[0] % 10;
        }
    }
}
