//! What rooms that write to people ask of them.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use fealty_vault::{DataKey, Vault};
use sqlx::PgConnection;

use super::domain::MemberStatus;
use super::{find_in_tx, storage};
use crate::refusal::MembersError;

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
