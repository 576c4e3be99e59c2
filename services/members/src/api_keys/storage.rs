//! Keys in the database. A key of the whole suite lies under the nil program, which only the jobs' role sees.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_proto::access::v1::Scope;
use fealty_types::{ApiKeyId, ProgramId, StaffId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::ApiKey;
use crate::display_name::DisplayName;

struct ApiKeyRow {
    program: Uuid,
    api_key_id: ApiKeyId,
    display_name: String,
    short_id: String,
    secret_sha256: Vec<u8>,
    token_public_key: Option<Vec<u8>>,
    scopes: Vec<String>,
    staff_id: Option<StaffId>,
    expire_time: Option<DateTime<Utc>>,
    revoke_time: Option<DateTime<Utc>>,
    create_time: DateTime<Utc>,
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = StorageError;

    fn try_from(row: ApiKeyRow) -> Result<Self, StorageError> {
        Ok(Self {
            api_key_id: row.api_key_id,
            // Nil, which is no program's id, stands for the whole suite.
            program_id: ProgramId::try_from(row.program).ok(),
            display_name: DisplayName::try_new(&row.display_name)
                .map_err(|error| StorageError::corrupt("api_key.display_name", error))?,
            short_id: row.short_id,
            secret_sha256: parse_hash(&row.secret_sha256)?,
            token_public_key: row.token_public_key.as_deref().map(parse_token_key).transpose()?,
            scopes: parse_scopes(&row.scopes)?,
            staff_id: row.staff_id,
            expire_time: row.expire_time,
            revoke_time: row.revoke_time,
            create_time: row.create_time,
        })
    }
}

/// The column `secret_sha256`.
pub(crate) fn parse_hash(stored: &[u8]) -> Result<[u8; 32], StorageError> {
    stored
        .try_into()
        .map_err(|error| StorageError::corrupt("api_key.secret_sha256", error))
}

/// The column `token_public_key`.
pub(crate) fn parse_token_key(stored: &[u8]) -> Result<[u8; 32], StorageError> {
    stored
        .try_into()
        .map_err(|error| StorageError::corrupt("api_key.token_public_key", error))
}

/// The column `scopes`.
pub(crate) fn parse_scopes(stored: &[String]) -> Result<Vec<Scope>, StorageError> {
    stored
        .iter()
        .map(|name| {
            Scope::from_str_name(name)
                .ok_or_else(|| StorageError::corrupt("api_key.scopes", format!("{name} is no scope")))
        })
        .collect()
}

/// The value of the column `program`.
pub(super) fn program_column(program_id: Option<ProgramId>) -> Uuid {
    program_id.map_or(Uuid::nil(), |program_id| program_id.as_uuid())
}

pub(super) async fn insert_in_tx(tx: &mut PgConnection, key: &ApiKey) -> Result<(), StorageError> {
    let scopes: Vec<String> = key
        .scopes
        .iter()
        .map(|scope| scope.as_str_name().to_owned())
        .collect();
    sqlx::query!(
        "INSERT INTO api_key \
         (program, api_key_id, display_name, short_id, secret_sha256, scopes, staff_id, expire_time, create_time, \
          token_public_key) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        program_column(key.program_id),
        key.api_key_id.as_uuid(),
        key.display_name.as_str(),
        key.short_id,
        key.secret_sha256.as_slice(),
        &scopes,
        key.staff_id.map(|staff_id| staff_id.as_uuid()),
        key.expire_time,
        key.create_time,
        key.token_public_key.as_ref().map(<[u8; 32]>::as_slice),
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(crate) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: Option<ProgramId>,
    api_key_id: ApiKeyId,
) -> Result<Option<ApiKey>, StorageError> {
    sqlx::query_as!(
        ApiKeyRow,
        r#"SELECT program, api_key_id AS "api_key_id: ApiKeyId", display_name, short_id, secret_sha256,
                  token_public_key, scopes, staff_id AS "staff_id: StaffId", expire_time, revoke_time, create_time
           FROM api_key WHERE program = $1 AND api_key_id = $2"#,
        program_column(program_id),
        api_key_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(ApiKey::try_from)
    .transpose()
}

/// Revokes the key if it is still valid. False when it was revoked before, or is not there.
pub(super) async fn revoke_in_tx(
    tx: &mut PgConnection,
    program_id: Option<ProgramId>,
    api_key_id: ApiKeyId,
    revoke_time: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let revoked = sqlx::query!(
        "UPDATE api_key SET revoke_time = $3 \
         WHERE program = $1 AND api_key_id = $2 AND revoke_time IS NULL",
        program_column(program_id),
        api_key_id.as_uuid(),
        revoke_time,
    )
    .execute(tx)
    .await?;
    Ok(revoked.rows_affected() == 1)
}

/// The keys of a program (or of the suite) after one of them, oldest first.
pub(crate) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: Option<ProgramId>,
    after: Option<ApiKeyId>,
    count_max: i64,
) -> Result<Vec<ApiKey>, StorageError> {
    sqlx::query_as!(
        ApiKeyRow,
        r#"SELECT program, api_key_id AS "api_key_id: ApiKeyId", display_name, short_id, secret_sha256,
                  token_public_key, scopes, staff_id AS "staff_id: StaffId", expire_time, revoke_time, create_time
           FROM api_key WHERE program = $1 AND api_key_id > $2 ORDER BY api_key_id LIMIT $3"#,
        program_column(program_id),
        // Nil lies before every id.
        after.map_or(Uuid::nil(), |api_key_id| api_key_id.as_uuid()),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(ApiKey::try_from)
    .collect()
}

/// Keys by id, across programs: needs the jobs' role.
pub(crate) async fn list_by_id_in_tx(
    tx: &mut PgConnection,
    api_key_ids: &[Uuid],
) -> Result<Vec<ApiKey>, StorageError> {
    sqlx::query_as!(
        ApiKeyRow,
        r#"SELECT program, api_key_id AS "api_key_id: ApiKeyId", display_name, short_id, secret_sha256,
                  token_public_key, scopes, staff_id AS "staff_id: StaffId", expire_time, revoke_time, create_time
           FROM api_key WHERE api_key_id = ANY($1)"#,
        api_key_ids,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(ApiKey::try_from)
    .collect()
}

/// The key with that public part, across programs: needs the jobs' role.
pub(crate) async fn find_by_short_id_in_tx(
    tx: &mut PgConnection,
    short_id: &str,
) -> Result<Option<ApiKey>, StorageError> {
    sqlx::query_as!(
        ApiKeyRow,
        r#"SELECT program, api_key_id AS "api_key_id: ApiKeyId", display_name, short_id, secret_sha256,
                  token_public_key, scopes, staff_id AS "staff_id: StaffId", expire_time, revoke_time, create_time
           FROM api_key WHERE short_id = $1"#,
        short_id,
    )
    .fetch_optional(tx)
    .await?
    .map(ApiKey::try_from)
    .transpose()
}
