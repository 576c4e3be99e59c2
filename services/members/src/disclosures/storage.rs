//! Disclosures in the database: written once.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Basis, Disclosure};

/// A disclosure as stored.
#[derive(Debug, Clone)]
pub(super) struct SealedDisclosure {
    pub disclosure_id: Uuid,
    pub member_id: MemberId,
    pub basis: String,
    pub recipient: Option<Vec<u8>>,
    pub content: Option<Vec<u8>>,
    pub disclose_time: DateTime<Utc>,
    pub actor: String,
    pub create_time: DateTime<Utc>,
}

pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    disclosure: &Disclosure,
    (recipient, content): (&[u8], &[u8]),
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO disclosure \
         (program, disclosure_id, member_id, basis, recipient, content, disclose_time, actor, create_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        program_id.as_uuid(),
        disclosure.disclosure_id,
        disclosure.member_id.as_uuid(),
        disclosure.basis.as_str(),
        recipient,
        content,
        disclosure.disclose_time,
        disclosure.actor,
        disclosure.create_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// About a member, newest first; only the one of an id where that is given.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    only: Option<Uuid>,
    (before, count_max): (Option<(DateTime<Utc>, Uuid)>, i64),
) -> Result<Vec<SealedDisclosure>, StorageError> {
    let (before_time, before_id) = before.unwrap_or((DateTime::<Utc>::MAX_UTC, Uuid::max()));
    Ok(sqlx::query_as!(
        SealedDisclosure,
        r#"SELECT disclosure_id, member_id AS "member_id: MemberId", basis, recipient, content, disclose_time, actor,
                  create_time
           FROM disclosure
           WHERE program = $1 AND member_id = $2 AND ($3::uuid IS NULL OR disclosure_id = $3)
             AND (create_time, disclosure_id) < ($4, $5)
           ORDER BY create_time DESC, disclosure_id DESC LIMIT $6"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        only,
        before_time,
        before_id,
        count_max,
    )
    .fetch_all(tx)
    .await?)
}

/// The basis as it is stored.
pub(super) fn parse_basis(text: &str) -> Result<Basis, StorageError> {
    Basis::from_column(text).ok_or_else(|| StorageError::corrupt("disclosure.basis", text))
}
