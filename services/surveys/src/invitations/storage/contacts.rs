//! The contacts that members reserved for invitations.

use fealty_postgres::StorageError;
use fealty_types::{ContactId, InvitationId, ProgramId};
use sqlx::PgConnection;

/// Keeps the contact of an invitation, in the place of one that it replaces.
pub(in crate::invitations) async fn keep_contact_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    invitation_id: InvitationId,
    contact_id: ContactId,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO invitation_contact (program, invitation_id, contact_id) VALUES ($1, $2, $3) \
         ON CONFLICT (program, invitation_id) DO UPDATE SET contact_id = excluded.contact_id",
        program.as_uuid(),
        invitation_id.as_uuid(),
        contact_id.as_uuid(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The contact of an invitation; None where it was not allowed, or allowed before contacts were reported on.
pub(in crate::invitations) async fn find_contact_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    invitation_id: InvitationId,
) -> Result<Option<ContactId>, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT contact_id AS "contact_id: ContactId" FROM invitation_contact WHERE program = $1 AND invitation_id = $2"#,
        program.as_uuid(),
        invitation_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?)
}
