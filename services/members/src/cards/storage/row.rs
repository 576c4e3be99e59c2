//! A card's row.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{CardBatchId, CardId, IdentifierId, MemberId};

use super::StoredCard;
use crate::cards::domain::{CardState, CardStatus, EndReason};

/// A card as the table has it, with who has it.
pub(super) struct CardRow {
    pub(super) card_id: CardId,
    pub(super) card_batch_id: Option<CardBatchId>,
    pub(super) place: Option<i32>,
    pub(super) card_number: Option<String>,
    pub(super) status: String,
    pub(super) end_reason: Option<String>,
    pub(super) status_time: DateTime<Utc>,
    pub(super) identifier_id: Option<IdentifierId>,
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
            place: row.place,
            card_number: row.card_number,
            state: parse_state(
                &row.status,
                row.end_reason.as_deref(),
                row.replaced_by_identifier_id,
            )?,
            status_time: row.status_time,
            identifier_id: row.identifier_id,
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
