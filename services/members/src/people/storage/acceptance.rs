//! Policies that members accept after their enrolment.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

use crate::people::domain::Acceptance;

/// Notes the newest policy that a member has accepted, and who did so in their stead. One that is heard of after a newer
/// one changes nothing. The caller holds the member's lock, and has kept the proof.
pub(crate) async fn accept_policy_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    (acceptance, accepted_by): (&Acceptance, Option<MemberId>),
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE member SET policy_id = $3, policy_version = $4, policy_text_sha256 = $5, accept_channel = $6, \
         accept_time = $7, accepted_by_member_id = $9, revision = revision + 1, update_time = greatest(update_time, $8) \
         WHERE program = $1 AND member_id = $2 AND policy_version <= $4",
        program_id.as_uuid(),
        member_id.as_uuid(),
        acceptance.policy_id.as_uuid(),
        acceptance.version.get(),
        acceptance.text_hash.as_bytes().as_slice(),
        acceptance.channel,
        acceptance.accept_time,
        now,
        accepted_by.map(|member_id| member_id.as_uuid()),
    )
    .execute(tx)
    .await?;
    Ok(())
}
