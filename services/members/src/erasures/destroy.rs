//! What of a person is destroyed here, in one transaction.
//!
//! The key first: a new one that has sealed nothing takes its place, so that a record of the person can be read as that of
//! any other, and says nothing. Then every table that names people, as [`crate::personal`] says.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_postgres::events::{NewEvent, append_in_tx};
use fealty_proto::events::v1::MemberErased;
use fealty_proto::events::v1::event::Payload;
use fealty_service::events::new_event;
use fealty_service::personal;
use fealty_types::{MemberId, ProgramId};
use fealty_vault::{Person, Vault};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::Erasure;
use crate::personal::PERSONAL_TABLES;
use crate::refusal::MembersError;

/// Destroys all that there is of a person here, and tells the others of it. The caller holds the locks.
pub(super) async fn destroy_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    (erasure, now): (&Erasure, DateTime<Utc>),
) -> Result<(), MembersError> {
    for member_id in &erasure.member_ids {
        replace_key_in_tx(&mut *tx, vault, program_id, *member_id, now).await?;
    }
    end_cards_in_tx(&mut *tx, program_id, &erasure.member_ids, now).await?;
    personal::erase_in_tx(&mut *tx, PERSONAL_TABLES, program_id, &erasure.member_ids).await?;
    Ok(append_in_tx(tx, program_id, &[erased(erasure, now)]).await?)
}

async fn replace_key_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    member_id: MemberId,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let (_, key) = vault.create_key(Person {
        program_id,
        member_id,
    });
    sqlx::query!(
        "UPDATE member SET data_key = $3, master_key_id = $4, revision = revision + 1, \
                update_time = GREATEST(update_time, $5) \
         WHERE program = $1 AND member_id = $2",
        program_id.as_uuid(),
        member_id.as_uuid(),
        key.bytes.as_slice(),
        key.master_key_id.as_str(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A card's plastic stays in the world: its number finds nobody, and is given to nobody again.
async fn end_cards_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[MemberId],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let member_ids: Vec<Uuid> = member_ids.iter().map(MemberId::as_uuid).collect();
    sqlx::query!(
        "UPDATE card SET identifier_id = NULL, \
                status = CASE WHEN status = 'LINKED' THEN 'BLOCKED' ELSE status END, \
                end_reason = coalesce(end_reason, 'OTHER'), status_time = GREATEST(status_time, $3) \
         WHERE program = $1 AND identifier_id IN ( \
             SELECT identifier_id FROM identifier WHERE program = $1 AND member_id = ANY($2))",
        program_id.as_uuid(),
        &member_ids,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn erased(erasure: &Erasure, now: DateTime<Utc>) -> NewEvent {
    let payload = Payload::MemberErased(MemberErased {
        erasure_id: erasure.erasure_id.to_string(),
        member_ids: erasure.member_ids.iter().map(MemberId::to_string).collect(),
    });
    new_event(erasure.member_id.as_uuid(), payload, now, now)
}
