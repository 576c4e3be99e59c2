//! A card's row.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{CardBatchId, CardId, IdentifierId, MemberId};
use fealty_vault::LookupHash;

use super::StoredCard;
use crate::cards::domain::{CardState, CardStatus, EndReason};

/// Cards with who has them, by a condition. Of a merged record's cards: who stays. Nobody whose enrolment is not finished.
macro_rules! cards_by {
    ($condition:literal, $($bound:expr),+ $(,)?) => {
        sqlx::query_as!(
            $crate::cards::storage::row::CardRow,
            r#"SELECT c.card_id AS "card_id: CardId", c.card_batch_id AS "card_batch_id: CardBatchId", c.value_hash,
                      c.card_number, c.status, c.end_reason, c.status_time,
                      c.identifier_id AS "identifier_id: IdentifierId", i.member_id AS "bearer_member_id?: MemberId",
                      CASE WHEN m.ledger_confirmed THEN coalesce(m.merged_into_member_id, m.member_id) END
                          AS "member_id?: MemberId",
                      c.replaced_by_identifier_id AS "replaced_by_identifier_id: IdentifierId", c.create_time
               FROM card c
               LEFT JOIN identifier i ON i.program = c.program AND i.identifier_id = c.identifier_id
               LEFT JOIN member m ON m.program = i.program AND m.member_id = i.member_id
               WHERE "# + $condition,
            $($bound),+
        )
    };
}
pub(super) use cards_by;

/// A card as the table has it, with who has it.
pub(super) struct CardRow {
    pub(super) card_id: CardId,
    pub(super) card_batch_id: Option<CardBatchId>,
    pub(super) value_hash: Vec<u8>,
    pub(super) card_number: Option<String>,
    pub(super) status: String,
    pub(super) end_reason: Option<String>,
    pub(super) status_time: DateTime<Utc>,
    pub(super) identifier_id: Option<IdentifierId>,
    pub(super) bearer_member_id: Option<MemberId>,
    pub(super) member_id: Option<MemberId>,
    pub(super) replaced_by_identifier_id: Option<IdentifierId>,
    pub(super) create_time: DateTime<Utc>,
}

impl TryFrom<CardRow> for StoredCard {
    type Error = StorageError;

    fn try_from(row: CardRow) -> Result<Self, StorageError> {
        Ok(Self {
            card_id: row.card_id,
            card_batch_id: row.card_batch_id,
            value_hash: LookupHash::from_stored(&row.value_hash)
                .ok_or_else(|| StorageError::corrupt("card.value_hash", "not of 32 bytes"))?,
            card_number: row.card_number,
            state: parse_state(
                &row.status,
                row.end_reason.as_deref(),
                row.replaced_by_identifier_id,
            )?,
            status_time: row.status_time,
            identifier_id: row.identifier_id,
            bearer_member_id: row.bearer_member_id,
            member_id: row.member_id,
            create_time: row.create_time,
        })
    }
}

/// Reads what the columns say of a card.
pub(crate) fn parse_state(
    status: &str,
    end_reason: Option<&str>,
    replaced_by_identifier_id: Option<IdentifierId>,
) -> Result<CardState, StorageError> {
    let reason = |text: &str| {
        EndReason::from_column(text).ok_or_else(|| StorageError::corrupt("card.end_reason", text))
    };
    Ok(CardState {
        status: CardStatus::from_column(status)
            .ok_or_else(|| StorageError::corrupt("card.status", status))?,
        end_reason: end_reason.map(reason).transpose()?,
        replaced_by_identifier_id,
    })
}
