//! Batches of cards in the database.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{CardBatchId, CardId, IdentifierId, MemberId, ProgramId};
use fealty_vault::LookupHash;
use sqlx::PgConnection;
use uuid::Uuid;

use super::row::cards_by;
use super::{StoredCard, status_text};
use crate::cards::domain::CardStatus;
use crate::cards::{CardBatch, NumberedCard};
use crate::display_name::DisplayName;

/// Broken when a card has that number already.
pub(in crate::cards) const VALUE_CONSTRAINT: &str = "card_value";

/// Stores a batch and its cards.
pub(in crate::cards) async fn insert_batch_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    batch: &CardBatch,
    cards: &[NumberedCard],
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO card_batch (program, card_batch_id, display_name, card_count, actor, create_time) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        program_id.as_uuid(),
        batch.card_batch_id.as_uuid(),
        batch.display_name.as_str(),
        batch.card_count,
        batch.actor,
        batch.create_time,
    )
    .execute(&mut *tx)
    .await?;
    let ids: Vec<Uuid> = cards
        .iter()
        .map(|_| CardId::generate_at(batch.create_time).as_uuid())
        .collect();
    let hashes = bytes_of(cards.iter());
    let numbers: Vec<String> = cards.iter().map(|card| card.number.clone()).collect();
    // In the order of the index, so that two batches that claim the same numbers do not lock each other out; nor do the
    // rows lie in the order of their numbers.
    sqlx::query!(
        "INSERT INTO card (program, card_id, card_batch_id, value_hash, card_number, status, status_time, create_time) \
         SELECT p.program, u.card_id, $2, u.value_hash, u.card_number, 'ISSUED', $3, $3 \
         FROM program p, unnest($4::uuid[], $5::bytea[], $6::text[]) AS u (card_id, value_hash, card_number) \
         WHERE p.program = $1 ORDER BY u.value_hash",
        program_id.as_uuid(),
        batch.card_batch_id.as_uuid(),
        batch.create_time,
        &ids,
        &hashes,
        &numbers,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Which of these numbers are taken.
pub(in crate::cards) async fn find_taken_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    cards: impl Iterator<Item = &NumberedCard> + Send,
) -> Result<HashSet<LookupHash>, StorageError> {
    let hashes = bytes_of(cards);
    let taken = sqlx::query_scalar!(
        "SELECT value_hash FROM card WHERE program = $1 AND value_hash = ANY($2)",
        program_id.as_uuid(),
        &hashes,
    )
    .fetch_all(tx)
    .await?;
    Ok(taken
        .iter()
        .filter_map(|hash| LookupHash::from_stored(hash))
        .collect())
}

/// One batch.
pub(in crate::cards) async fn find_batch_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    card_batch_id: CardBatchId,
) -> Result<Option<CardBatch>, StorageError> {
    let row = sqlx::query_as!(
        BatchRow,
        r#"SELECT card_batch_id AS "card_batch_id: CardBatchId", display_name, card_count, actor, create_time
           FROM card_batch WHERE program = $1 AND card_batch_id = $2"#,
        program_id.as_uuid(),
        card_batch_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    row.map(CardBatch::try_from).transpose()
}

/// The batches after one of them, oldest first.
pub(in crate::cards) async fn list_batches_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    after: Option<CardBatchId>,
    count_max: i64,
) -> Result<Vec<CardBatch>, StorageError> {
    sqlx::query_as!(
        BatchRow,
        r#"SELECT card_batch_id AS "card_batch_id: CardBatchId", display_name, card_count, actor, create_time
           FROM card_batch WHERE program = $1 AND card_batch_id > $2 ORDER BY card_batch_id LIMIT $3"#,
        program_id.as_uuid(),
        // Nil lies before every id.
        after.map_or(Uuid::nil(), |id| id.as_uuid()),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(CardBatch::try_from)
    .collect()
}

/// The cards of a batch after a hash, in the order of their hashes.
pub(in crate::cards) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (card_batch_id, status): (CardBatchId, Option<CardStatus>),
    after: Option<LookupHash>,
    count_max: i64,
) -> Result<Vec<StoredCard>, StorageError> {
    let after = after.map_or_else(Vec::new, |hash| hash.as_bytes().to_vec());
    cards_by!(
        "c.program = $1 AND c.card_batch_id = $2 AND c.value_hash > $3 AND ($4::text IS NULL OR c.status = $4) \
         ORDER BY c.value_hash LIMIT $5",
        program_id.as_uuid(),
        card_batch_id.as_uuid(),
        after,
        status_text(status),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(StoredCard::try_from)
    .collect()
}

fn bytes_of<'a>(cards: impl Iterator<Item = &'a NumberedCard>) -> Vec<Vec<u8>> {
    cards.map(|card| card.value_hash.as_bytes().to_vec()).collect()
}

struct BatchRow {
    card_batch_id: CardBatchId,
    display_name: String,
    card_count: i32,
    actor: String,
    create_time: DateTime<Utc>,
}

impl TryFrom<BatchRow> for CardBatch {
    type Error = StorageError;

    fn try_from(row: BatchRow) -> Result<Self, StorageError> {
        Ok(Self {
            card_batch_id: row.card_batch_id,
            display_name: DisplayName::try_new(&row.display_name)
                .map_err(|error| StorageError::corrupt("card_batch.display_name", error))?,
            card_count: row.card_count,
            actor: row.actor,
            create_time: row.create_time,
        })
    }
}
