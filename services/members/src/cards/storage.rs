//! Cards in the database.

mod batches;
mod row;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{CardBatchId, CardId, IdentifierId, MemberId, ProgramId};
use fealty_vault::LookupHash;
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{CardState, CardStatus, EndReason};
pub(super) use batches::{
    VALUE_CONSTRAINT, find_batch_in_tx, find_taken_in_tx, insert_batch_in_tx, list_batches_in_tx, list_in_tx,
};
use row::cards_by;
pub(crate) use row::parse_state;

/// A card as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCard {
    /// Its id.
    pub card_id: CardId,
    /// The batch that it was issued in.
    pub card_batch_id: Option<CardBatchId>,
    /// By what it is known: where it lies in its batch.
    pub value_hash: LookupHash,
    /// Its number, until somebody has it.
    pub card_number: Option<String>,
    /// What has become of it.
    pub state: CardState,
    /// Since when.
    pub status_time: DateTime<Utc>,
    /// The identifier that it is.
    pub identifier_id: Option<IdentifierId>,
    /// Whose record it lies in, whether their enrolment is finished or not.
    pub bearer_member_id: Option<MemberId>,
    /// Who has it: the member who stays, where its bearer was merged. Nobody until the enrolment is finished.
    pub member_id: Option<MemberId>,
    /// When it was first known.
    pub create_time: DateTime<Utc>,
}

/// A card as somebody has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linking {
    /// By what it is known.
    pub value_hash: LookupHash,
    /// The identifier that it becomes.
    pub identifier_id: IdentifierId,
}

/// Gives cards to somebody: those that nobody has, and those that were never heard of. Answers the first that may not be
/// given to anybody. The caller has stored the identifiers, so nobody else has them.
pub(crate) async fn link_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    linkings: &[Linking],
    now: DateTime<Utc>,
) -> Result<Option<(IdentifierId, CardState)>, StorageError> {
    if linkings.is_empty() {
        return Ok(None);
    }
    let mut sorted: Vec<&Linking> = linkings.iter().collect();
    sorted.sort_by_key(|linking| linking.value_hash);
    let card_ids: Vec<Uuid> = sorted
        .iter()
        .map(|_| CardId::generate_at(now).as_uuid())
        .collect();
    let hashes: Vec<Vec<u8>> = sorted
        .iter()
        .map(|one| one.value_hash.as_bytes().to_vec())
        .collect();
    let identifier_ids: Vec<Uuid> = sorted.iter().map(|one| one.identifier_id.as_uuid()).collect();
    let linked = sqlx::query_scalar!(
        r#"INSERT INTO card AS c (program, card_id, value_hash, status, status_time, identifier_id, create_time)
           SELECT p.program, u.card_id, u.value_hash, 'LINKED', $5, u.identifier_id, $5
           FROM program p, unnest($2::uuid[], $3::bytea[], $4::uuid[]) AS u (card_id, value_hash, identifier_id)
           WHERE p.program = $1 ORDER BY u.value_hash
           ON CONFLICT (program, value_hash) DO UPDATE
           SET status = 'LINKED', status_time = EXCLUDED.status_time, identifier_id = EXCLUDED.identifier_id,
               card_number = NULL
           WHERE c.status = 'ISSUED'
           RETURNING c.identifier_id AS "identifier_id!: IdentifierId""#,
        program_id.as_uuid(),
        &card_ids,
        &hashes,
        &identifier_ids,
        now,
    )
    .fetch_all(&mut *tx)
    .await?;
    let Some(refused) = linkings.iter().find(|one| !linked.contains(&one.identifier_id)) else {
        return Ok(None);
    };
    let card = find_in_tx(tx, program_id, refused.value_hash).await?;
    let card = card.ok_or_else(|| StorageError::corrupt("card.value_hash", "was there, and is gone"))?;
    Ok(Some((refused.identifier_id, card.state)))
}

/// Takes a card away from somebody: it can be given to another, if it has not ended.
pub(crate) async fn unlink_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    linked: Linking,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let hash = linked.value_hash.as_bytes().as_slice();
    sqlx::query!(
        "DELETE FROM card WHERE program = $1 AND value_hash = $2 AND identifier_id = $3 AND status = 'LINKED' \
           AND card_batch_id IS NULL",
        program_id.as_uuid(),
        hash,
        linked.identifier_id.as_uuid(),
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE card SET identifier_id = NULL, \
             status_time = CASE WHEN status = 'LINKED' THEN $4 ELSE status_time END, \
             status = CASE WHEN status = 'LINKED' THEN 'ISSUED' ELSE status END \
         WHERE program = $1 AND value_hash = $2 AND identifier_id = $3",
        program_id.as_uuid(),
        hash,
        linked.identifier_id.as_uuid(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A card by its number.
pub(crate) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    value_hash: LookupHash,
) -> Result<Option<StoredCard>, StorageError> {
    cards_by!(
        "c.program = $1 AND c.value_hash = $2",
        program_id.as_uuid(),
        value_hash.as_bytes().as_slice(),
    )
    .fetch_optional(tx)
    .await?
    .map(StoredCard::try_from)
    .transpose()
}

/// A card by the identifier that it is. The identifier is looked for first: it has an index.
pub(crate) async fn find_by_identifier_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    identifier_id: IdentifierId,
) -> Result<Option<StoredCard>, StorageError> {
    let hash = sqlx::query_scalar!(
        "SELECT value_hash FROM identifier WHERE program = $1 AND identifier_id = $2",
        program_id.as_uuid(),
        identifier_id.as_uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    match hash.as_deref().and_then(LookupHash::from_stored) {
        Some(hash) => find_in_tx(tx, program_id, hash).await,
        None => Ok(None),
    }
}

/// Keeps everybody else from changing a card until the end of the transaction.
pub(crate) async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    value_hash: LookupHash,
) -> Result<(), StorageError> {
    sqlx::query_scalar!(
        "SELECT card_id FROM card WHERE program = $1 AND value_hash = $2 FOR NO KEY UPDATE",
        program_id.as_uuid(),
        value_hash.as_bytes().as_slice(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(())
}

/// Writes what has become of a card. Since when it has its status stays, where it has it already.
pub(crate) async fn update_state_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    card_id: CardId,
    state: CardState,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE card SET status = $3, end_reason = $4, replaced_by_identifier_id = $5, \
                status_time = CASE WHEN status = $3 THEN status_time ELSE $6 END \
         WHERE program = $1 AND card_id = $2",
        program_id.as_uuid(),
        card_id.as_uuid(),
        state.status.as_str(),
        state.end_reason.map(EndReason::as_str),
        state.replaced_by_identifier_id.map(|id| id.as_uuid()),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The word of a filter.
pub(super) fn status_text(status: Option<CardStatus>) -> Option<&'static str> {
    status.map(CardStatus::as_str)
}
