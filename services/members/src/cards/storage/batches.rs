//! Batches of cards in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{CardBatchId, CardId, IdentifierId, MemberId, ProgramId};
use fealty_vault::LookupHash;
use sqlx::PgConnection;
use uuid::Uuid;

use super::row::CardRow;
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
    let places: Vec<i32> = (1..=batch.card_count).collect();
    let hashes = bytes_of(cards);
    let numbers: Vec<String> = cards.iter().map(|card| card.number.clone()).collect();
    // In the order of the index, so that two batches that claim the same numbers do not lock each other out.
    sqlx::query!(
        "INSERT INTO card (program, card_id, card_batch_id, place, value_hash, card_number, status, status_time, \
                           create_time) \
         SELECT p.program, u.card_id, $2, u.place, u.value_hash, u.card_number, 'ISSUED', $3, $3 \
         FROM program p, \
              unnest($4::uuid[], $5::int4[], $6::bytea[], $7::text[]) \
              AS u (card_id, place, value_hash, card_number) \
         WHERE p.program = $1 ORDER BY u.value_hash",
        program_id.as_uuid(),
        batch.card_batch_id.as_uuid(),
        batch.create_time,
        &ids,
        &places,
        &hashes,
        &numbers,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Which of these numbers are taken: their places, the first of them first.
pub(in crate::cards) async fn find_taken_places_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    cards: &[NumberedCard],
) -> Result<Vec<usize>, StorageError> {
    let hashes = bytes_of(cards);
    let taken = sqlx::query_scalar!(
        "SELECT value_hash FROM card WHERE program = $1 AND value_hash = ANY($2)",
        program_id.as_uuid(),
        &hashes,
    )
    .fetch_all(tx)
    .await?;
    let taken: std::collections::HashSet<LookupHash> = taken
        .iter()
        .filter_map(|hash| LookupHash::from_stored(hash))
        .collect();
    let is_taken = |(_, card): &(usize, &NumberedCard)| taken.contains(&card.value_hash);
    let places = cards.iter().enumerate().filter(is_taken).map(|(place, _)| place);
    Ok(places.collect())
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

/// The cards of a batch after a place.
pub(in crate::cards) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (card_batch_id, status): (CardBatchId, Option<CardStatus>),
    after: i32,
    count_max: i64,
) -> Result<Vec<StoredCard>, StorageError> {
    sqlx::query_as!(
        CardRow,
        r#"SELECT c.card_id AS "card_id: CardId", c.card_batch_id AS "card_batch_id: CardBatchId", c.place,
                  c.card_number, c.status, c.end_reason, c.status_time,
                  c.identifier_id AS "identifier_id: IdentifierId", i.member_id AS "member_id?: MemberId",
                  c.replaced_by_identifier_id AS "replaced_by_identifier_id: IdentifierId", c.create_time
           FROM card c LEFT JOIN identifier i ON i.program = c.program AND i.identifier_id = c.identifier_id
           WHERE c.program = $1 AND c.card_batch_id = $2 AND c.place > $3 AND ($4::text IS NULL OR c.status = $4)
           ORDER BY c.place LIMIT $5"#,
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

fn bytes_of(cards: &[NumberedCard]) -> Vec<Vec<u8>> {
    cards
        .iter()
        .map(|card| card.value_hash.as_bytes().to_vec())
        .collect()
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
