//! What becomes of identifiers is kept, and told to others.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_postgres::events::{NewEvent, append_in_tx};
use fealty_types::{IdentifierId, MemberId, ProgramId};
use sqlx::PgConnection;

use super::domain::{Identifier, IdentifierChange, IdentifierKind};
use super::{events, storage};

/// What became of an identifier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted {
    pub identifier_id: IdentifierId,
    pub kind: IdentifierKind,
    pub change: IdentifierChange,
}

/// Who did something, and when: after they held the lock that puts it into its place among all that was done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done<'a> {
    /// A staff member or a key.
    pub actor: &'a str,
    pub time: DateTime<Utc>,
}

impl Noted {
    /// What became of an identifier.
    pub(super) const fn of(identifier: &Identifier, change: IdentifierChange) -> Self {
        Self {
            identifier_id: identifier.identifier_id,
            kind: identifier.value.kind(),
            change,
        }
    }

    /// What became of a card.
    pub(super) const fn of_card(identifier_id: IdentifierId, change: IdentifierChange) -> Self {
        Self {
            identifier_id,
            kind: IdentifierKind::CardNumber,
            change,
        }
    }
}

/// Keeps what became of a member's identifiers, and tells others. The caller holds the member's lock.
pub(super) async fn note_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    noted: &[Noted],
    done: Done<'_>,
) -> Result<(), StorageError> {
    storage::insert_history_in_tx(&mut *tx, program_id, member_id, noted, done).await?;
    let event = |one: &Noted| events::identifier_changed(member_id, *one, done.time);
    let happened: Vec<NewEvent> = noted.iter().map(event).collect();
    append_in_tx(tx, program_id, &happened).await
}
