//! What rooms that write to people ask of them.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use fealty_vault::{DataKey, Vault};
use sqlx::PgConnection;

use super::domain::{IdentifierValue, MemberStatus};
use super::{cards, find_in_tx, lookup_hash, storage};
use crate::refusal::{MembersError, Refusal};

/// What a member may do. None when the program has no such member, or none whose enrolment is finished.
pub(crate) async fn find_status_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<MemberStatus>, StorageError> {
    storage::find_status_in_tx(tx, program_id, member_id).await
}

/// Who answers for a member at a time. None for those who answer for themselves, or whom the program does not have.
pub(crate) async fn find_guardian_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    member_id: MemberId,
    time: DateTime<Utc>,
) -> Result<Option<MemberId>, MembersError> {
    let found = find_in_tx(tx, vault, program_id, member_id).await?;
    Ok(found.and_then(|(member, _)| member.guardian_at(time)))
}

/// The key under which words about a member are sealed. None when the program has no such member.
pub(crate) async fn find_key_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<DataKey>, MembersError> {
    let found = find_in_tx(tx, vault, program_id, member_id).await?;
    Ok(found.map(|(_, key)| key))
}

/// The member who has a card, where a till that reads it would find them.
pub(crate) async fn find_bearer_of_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    card: &IdentifierValue,
) -> Result<MemberId, MembersError> {
    let hash = lookup_hash(vault, program_id, card);
    let Some(bearer) = storage::find_bearer_in_tx(&mut *tx, program_id, hash).await? else {
        let why = cards::nobody_by_in_tx(tx, program_id, card.kind(), hash).await?;
        // Somebody may have got it since.
        return Err(why.unwrap_or(Refusal::Contended).into());
    };
    if let Some(card) = bearer.card {
        card.check_finds()?;
    }
    Ok(bearer.member_id)
}
