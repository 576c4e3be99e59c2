//! Access records in the service's database. The tables are in the service's own migrations, so these statements are
//! held by tests on a real database instead of being checked against one when they are compiled.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_proto::access::v1::Scope;
use fealty_rpc::access::{KeyRecord, ProgramRecord, StaffState, TokenPublicKey};
use fealty_types::{ApiKeyId, CurrencyCode, ProgramId, StaffId};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::domain::{Key, Program, SecretHash, Staff};

/// Keys of the whole suite are bound to none.
fn program_column(program_id: Option<ProgramId>) -> Uuid {
    program_id.map_or_else(Uuid::nil, |program_id| program_id.as_uuid())
}

fn column<T, V>(rows: &[T], value: impl Fn(&T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

pub(super) async fn upsert_programs_in_tx(
    tx: &mut PgConnection,
    programs: &[Program],
) -> Result<(), StorageError> {
    if programs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO program AS t (program, time_zone, currency_code, active, sequence) \
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::bigint[]) \
         ON CONFLICT (program) DO UPDATE SET time_zone = EXCLUDED.time_zone, \
         currency_code = EXCLUDED.currency_code, active = EXCLUDED.active, sequence = EXCLUDED.sequence \
         WHERE t.sequence < EXCLUDED.sequence",
    )
    .bind(column(programs, |program| program.program_id.as_uuid()))
    .bind(column(programs, |program| program.time_zone.name()))
    .bind(column(programs, |program| program.currency.to_string()))
    .bind(column(programs, |program| program.active))
    .bind(column(programs, |program| program.sequence))
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn upsert_staff_in_tx(tx: &mut PgConnection, staff: &[Staff]) -> Result<(), StorageError> {
    if staff.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO staff AS t (program, staff_id, active, sequence) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::bigint[]) \
         ON CONFLICT (program, staff_id) DO UPDATE SET active = EXCLUDED.active, sequence = EXCLUDED.sequence \
         WHERE t.sequence < EXCLUDED.sequence",
    )
    .bind(column(staff, |one| one.program_id.as_uuid()))
    .bind(column(staff, |one| one.staff_id.as_uuid()))
    .bind(column(staff, |one| one.active))
    .bind(column(staff, |one| one.sequence))
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn upsert_keys_in_tx(tx: &mut PgConnection, keys: &[Key]) -> Result<(), StorageError> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO api_key AS t (program, api_key_id, short_id, secret_sha256, scopes, staff_id, revoke_time, \
         expire_time, sequence, token_public_key) \
         SELECT u.program, u.api_key_id, u.short_id, u.secret_sha256, u.scopes::integer[], u.staff_id, u.revoke_time, \
         u.expire_time, u.sequence, u.token_public_key \
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::uuid[], $7::timestamptz[], \
         $8::timestamptz[], $9::bigint[], $10::bytea[]) \
         AS u (program, api_key_id, short_id, secret_sha256, scopes, staff_id, revoke_time, expire_time, sequence, \
         token_public_key) \
         ON CONFLICT (program, api_key_id) DO UPDATE SET short_id = EXCLUDED.short_id, \
         secret_sha256 = EXCLUDED.secret_sha256, scopes = EXCLUDED.scopes, staff_id = EXCLUDED.staff_id, \
         token_public_key = EXCLUDED.token_public_key, revoke_time = EXCLUDED.revoke_time, expire_time = EXCLUDED.expire_time, sequence = EXCLUDED.sequence \
         WHERE t.sequence < EXCLUDED.sequence",
    )
    .bind(column(keys, |key| program_column(key.program_id)))
    .bind(column(keys, |key| key.api_key_id.as_uuid()))
    .bind(column(keys, |key| key.short_id.clone()))
    .bind(column(keys, |key| key.secret_sha256.to_vec()))
    .bind(column(keys, |key| scopes_text(&key.scopes)))
    .bind(column(keys, |key| key.staff_id.map(|staff_id| staff_id.as_uuid())))
    .bind(column(keys, |key| key.revoke_time))
    .bind(column(keys, |key| key.expire_time))
    .bind(column(keys, |key| key.sequence))
    .bind(column(keys, |key| key.token_public_key.map(|bytes| bytes.to_vec())))
    .execute(tx)
    .await?;
    Ok(())
}

/// An array as Postgres writes one: arrays of arrays must all be of one length, so each travels as text.
fn scopes_text(scopes: &[i32]) -> String {
    let numbers: Vec<String> = scopes.iter().map(ToString::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}

/// Makes every record older than whatever the feed says next.
pub(super) async fn forget_sequences_in_tx(tx: &mut PgConnection) -> Result<(), StorageError> {
    for statement in [
        "UPDATE program SET sequence = -1",
        "UPDATE staff SET sequence = -1",
        "UPDATE api_key SET sequence = -1",
    ] {
        sqlx::query(statement).execute(&mut *tx).await?;
    }
    Ok(())
}

#[derive(FromRow)]
struct KeyRow {
    program: Uuid,
    api_key_id: ApiKeyId,
    secret_sha256: Vec<u8>,
    token_public_key: Option<Vec<u8>>,
    scopes: Vec<i32>,
    staff_id: Option<StaffId>,
    staff_active: Option<bool>,
    revoke_time: Option<DateTime<Utc>>,
    expire_time: Option<DateTime<Utc>>,
}

impl TryFrom<KeyRow> for KeyRecord {
    type Error = StorageError;

    fn try_from(row: KeyRow) -> Result<Self, StorageError> {
        let secret_sha256 = SecretHash::try_from(row.secret_sha256)
            .map_err(|_| StorageError::corrupt("api_key.secret_sha256", "has not 32 bytes"))?;
        let token_public_key = row.token_public_key.map(TokenPublicKey::try_from).transpose();
        let token_public_key = token_public_key
            .map_err(|_| StorageError::corrupt("api_key.token_public_key", "has not 32 bytes"))?;
        Ok(Self {
            api_key_id: row.api_key_id,
            // The nil UUID is no program's.
            program_id: ProgramId::try_from(row.program).ok(),
            staff: row.staff_id.map(|staff_id| StaffState {
                staff_id,
                // Somebody of whom nothing has been heard yet is let in by nobody.
                active: row.staff_active.unwrap_or(false),
            }),
            secret_sha256,
            token_public_key,
            // What this build does not know opens nothing in it.
            scopes: row
                .scopes
                .into_iter()
                .filter_map(|number| Scope::try_from(number).ok())
                .collect(),
            revoke_time: row.revoke_time,
            expire_time: row.expire_time,
        })
    }
}

pub(super) async fn find_key_in_tx(
    tx: &mut PgConnection,
    short_id: &str,
) -> Result<Option<KeyRecord>, StorageError> {
    let row: Option<KeyRow> = sqlx::query_as(
        "SELECT k.program, k.api_key_id, k.secret_sha256, k.token_public_key, k.scopes, k.staff_id, \
         s.active AS staff_active, k.revoke_time, k.expire_time \
         FROM api_key AS k LEFT JOIN staff AS s ON s.program = k.program AND s.staff_id = k.staff_id \
         WHERE k.short_id = $1",
    )
    .bind(short_id)
    .fetch_optional(tx)
    .await?;
    row.map(KeyRecord::try_from).transpose()
}

#[derive(FromRow)]
struct ProgramRow {
    time_zone: String,
    currency_code: CurrencyCode,
    active: bool,
}

pub(super) async fn find_program_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<Option<ProgramRecord>, StorageError> {
    let row: Option<ProgramRow> =
        sqlx::query_as("SELECT time_zone, currency_code, active FROM program WHERE program = $1")
            .bind(program_id.as_uuid())
            .fetch_optional(tx)
            .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    Ok(Some(ProgramRecord {
        program_id,
        time_zone: row
            .time_zone
            .parse()
            .map_err(|error| StorageError::corrupt("program.time_zone", error))?,
        currency: row.currency_code,
        active: row.active,
    }))
}
