//! Policy versions in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{PolicyId, ProgramId};
use sqlx::PgConnection;

use super::domain::{Policy, PolicyHead, PolicyText, PolicyVersion, TextHash};
use crate::display_name::DisplayName;

struct PolicyHeadRow {
    policy_id: PolicyId,
    version: i64,
    title: String,
    text_sha256: Vec<u8>,
    effective_time: DateTime<Utc>,
    publish_time: DateTime<Utc>,
}

impl TryFrom<PolicyHeadRow> for PolicyHead {
    type Error = StorageError;

    fn try_from(row: PolicyHeadRow) -> Result<Self, StorageError> {
        Ok(Self {
            policy_id: row.policy_id,
            version: parse_version(row.version)?,
            title: DisplayName::try_new(&row.title)
                .map_err(|error| StorageError::corrupt("policy.title", error))?,
            text_hash: parse_text_hash(&row.text_sha256)?,
            effective_time: row.effective_time,
            publish_time: row.publish_time,
        })
    }
}

/// A stored version's number.
pub(crate) fn parse_version(number: i64) -> Result<PolicyVersion, StorageError> {
    PolicyVersion::try_new(number).map_err(|error| StorageError::corrupt("policy version", error))
}

/// A stored hash of a policy's text.
pub(crate) fn parse_text_hash(stored: &[u8]) -> Result<TextHash, StorageError> {
    stored
        .try_into()
        .map(TextHash::from_stored)
        .map_err(|error| StorageError::corrupt("policy text_sha256", error))
}

pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    policy: &Policy,
) -> Result<(), StorageError> {
    let head = &policy.head;
    sqlx::query!(
        "INSERT INTO policy \
         (program, policy_id, version, title, text, text_sha256, effective_time, publish_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        program_id.as_uuid(),
        head.policy_id.as_uuid(),
        head.version.get(),
        head.title.as_str(),
        policy.text.as_str(),
        head.text_hash.as_bytes().as_slice(),
        head.effective_time,
        head.publish_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The newest version, in force or not.
pub(super) async fn find_newest_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<Option<PolicyHead>, StorageError> {
    let newest = list_in_tx(tx, program_id, None, 1).await?;
    Ok(newest.into_iter().next())
}

/// The newest version whose time has come.
pub(super) async fn find_in_force_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    time: DateTime<Utc>,
) -> Result<Option<PolicyHead>, StorageError> {
    sqlx::query_as!(
        PolicyHeadRow,
        r#"SELECT policy_id AS "policy_id: PolicyId", version, title, text_sha256, effective_time, publish_time
           FROM policy WHERE program = $1 AND effective_time <= $2 ORDER BY version DESC LIMIT 1"#,
        program_id.as_uuid(),
        time,
    )
    .fetch_optional(tx)
    .await?
    .map(PolicyHead::try_from)
    .transpose()
}

/// The versions before one of them, newest first.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    before: Option<PolicyVersion>,
    count_max: i64,
) -> Result<Vec<PolicyHead>, StorageError> {
    sqlx::query_as!(
        PolicyHeadRow,
        r#"SELECT policy_id AS "policy_id: PolicyId", version, title, text_sha256, effective_time, publish_time
           FROM policy WHERE program = $1 AND version < $2 ORDER BY version DESC LIMIT $3"#,
        program_id.as_uuid(),
        before.map_or(i64::MAX, PolicyVersion::get),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(PolicyHead::try_from)
    .collect()
}

pub(super) async fn find_by_version_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    version: PolicyVersion,
) -> Result<Option<Policy>, StorageError> {
    let found = sqlx::query_as!(
        PolicyRow,
        r#"SELECT policy_id AS "policy_id: PolicyId", version, title, text, text_sha256, effective_time, publish_time
           FROM policy WHERE program = $1 AND version = $2"#,
        program_id.as_uuid(),
        version.get(),
    )
    .fetch_optional(tx)
    .await?;
    found.map(Policy::try_from).transpose()
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    policy_id: PolicyId,
) -> Result<Option<Policy>, StorageError> {
    let found = sqlx::query_as!(
        PolicyRow,
        r#"SELECT policy_id AS "policy_id: PolicyId", version, title, text, text_sha256, effective_time, publish_time
           FROM policy WHERE program = $1 AND policy_id = $2"#,
        program_id.as_uuid(),
        policy_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    found.map(Policy::try_from).transpose()
}

struct PolicyRow {
    policy_id: PolicyId,
    version: i64,
    title: String,
    text: String,
    text_sha256: Vec<u8>,
    effective_time: DateTime<Utc>,
    publish_time: DateTime<Utc>,
}

impl TryFrom<PolicyRow> for Policy {
    type Error = StorageError;

    fn try_from(row: PolicyRow) -> Result<Self, StorageError> {
        let text =
            PolicyText::try_new(row.text).map_err(|error| StorageError::corrupt("policy.text", error))?;
        let head = PolicyHeadRow {
            policy_id: row.policy_id,
            version: row.version,
            title: row.title,
            text_sha256: row.text_sha256,
            effective_time: row.effective_time,
            publish_time: row.publish_time,
        };
        Ok(Self {
            head: head.try_into()?,
            text,
        })
    }
}
