//! Access records in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_proto::access::v1::Scope;
use fealty_rpc::access::{KeyRecord, ProgramRecord, StaffState};
use fealty_types::{ApiKeyId, CurrencyCode, ProgramId, StaffId};
use sqlx::PgConnection;
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
    sqlx::query!(
        "INSERT INTO program AS t (program, time_zone, currency_code, active, sequence) \
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::bigint[]) \
         ON CONFLICT (program) DO UPDATE SET time_zone = EXCLUDED.time_zone, \
         currency_code = EXCLUDED.currency_code, active = EXCLUDED.active, sequence = EXCLUDED.sequence \
         WHERE t.sequence < EXCLUDED.sequence",
        &column(programs, |program| program.program_id.as_uuid()),
        &column(programs, |program| program.time_zone.name().to_owned()),
        &column(programs, |program| program.currency.to_string()),
        &column(programs, |program| program.active),
        &column(programs, |program| program.sequence),
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn upsert_staff_in_tx(tx: &mut PgConnection, staff: &[Staff]) -> Result<(), StorageError> {
    if staff.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO staff AS t (program, staff_id, active, sequence) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::bigint[]) \
         ON CONFLICT (program, staff_id) DO UPDATE SET active = EXCLUDED.active, sequence = EXCLUDED.sequence \
         WHERE t.sequence < EXCLUDED.sequence",
        &column(staff, |one| one.program_id.as_uuid()),
        &column(staff, |one| one.staff_id.as_uuid()),
        &column(staff, |one| one.active),
        &column(staff, |one| one.sequence),
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn upsert_keys_in_tx(tx: &mut PgConnection, keys: &[Key]) -> Result<(), StorageError> {
    if keys.is_empty() {
        return Ok(());
    }
    let staff_ids = column(keys, |key| key.staff_id.map(|staff_id| staff_id.as_uuid()));
    let revoke_times = column(keys, |key| key.revoke_time);
    let expire_times = column(keys, |key| key.expire_time);
    sqlx::query!(
        "INSERT INTO api_key AS t (program, api_key_id, short_id, secret_sha256, scopes, staff_id, revoke_time, \
         expire_time, sequence) \
         SELECT u.program, u.api_key_id, u.short_id, u.secret_sha256, u.scopes::integer[], u.staff_id, u.revoke_time, \
         u.expire_time, u.sequence \
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::uuid[], $7::timestamptz[], \
         $8::timestamptz[], $9::bigint[]) \
         AS u (program, api_key_id, short_id, secret_sha256, scopes, staff_id, revoke_time, expire_time, sequence) \
         ON CONFLICT (program, api_key_id) DO UPDATE SET short_id = EXCLUDED.short_id, \
         secret_sha256 = EXCLUDED.secret_sha256, scopes = EXCLUDED.scopes, staff_id = EXCLUDED.staff_id, \
         revoke_time = EXCLUDED.revoke_time, expire_time = EXCLUDED.expire_time, sequence = EXCLUDED.sequence \
         WHERE t.sequence < EXCLUDED.sequence",
        &column(keys, |key| program_column(key.program_id)),
        &column(keys, |key| key.api_key_id.as_uuid()),
        &column(keys, |key| key.short_id.clone()),
        &column(keys, |key| key.secret_sha256.to_vec()),
        &column(keys, |key| scopes_text(&key.scopes)),
        &staff_ids as &[Option<Uuid>],
        &revoke_times as &[Option<DateTime<Utc>>],
        &expire_times as &[Option<DateTime<Utc>>],
        &column(keys, |key| key.sequence),
    )
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
    sqlx::query!("UPDATE program SET sequence = -1")
        .execute(&mut *tx)
        .await?;
    sqlx::query!("UPDATE staff SET sequence = -1")
        .execute(&mut *tx)
        .await?;
    sqlx::query!("UPDATE api_key SET sequence = -1")
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn find_position_in_tx(
    tx: &mut PgConnection,
    feed: &str,
) -> Result<Option<String>, StorageError> {
    let token = sqlx::query_scalar!("SELECT resume_token FROM feed_position WHERE feed = $1", feed);
    Ok(token.fetch_optional(tx).await?)
}

/// Moves a feed's position, if it is where the caller read from. A feed that was never followed is at its beginning,
/// the empty token.
pub(super) async fn move_position_in_tx(
    tx: &mut PgConnection,
    feed: &str,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    if from.is_empty() {
        sqlx::query!(
            "INSERT INTO feed_position (feed, resume_token, update_time) VALUES ($1, '', $2) \
             ON CONFLICT (feed) DO NOTHING",
            feed,
            now,
        )
        .execute(&mut *tx)
        .await?;
    }
    let moved = sqlx::query!(
        "UPDATE feed_position SET resume_token = $3, update_time = $4 WHERE feed = $1 AND resume_token = $2",
        feed,
        from,
        to,
        now,
    )
    .execute(tx)
    .await?;
    Ok(moved.rows_affected() == 1)
}

pub(super) async fn find_key_in_tx(
    tx: &mut PgConnection,
    short_id: &str,
) -> Result<Option<KeyRecord>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT k.program, k.api_key_id AS "api_key_id: ApiKeyId", k.secret_sha256, k.scopes,
                  k.staff_id AS "staff_id: StaffId", s.active AS "staff_active?", k.revoke_time, k.expire_time
           FROM api_key AS k LEFT JOIN staff AS s ON s.program = k.program AND s.staff_id = k.staff_id
           WHERE k.short_id = $1"#,
        short_id,
    )
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let secret_sha256 = SecretHash::try_from(row.secret_sha256)
        .map_err(|_| StorageError::corrupt("api_key.secret_sha256", "has not 32 bytes"))?;
    Ok(Some(KeyRecord {
        api_key_id: row.api_key_id,
        // The nil UUID is no program's.
        program_id: ProgramId::try_from(row.program).ok(),
        staff: row.staff_id.map(|staff_id| StaffState {
            staff_id,
            // Somebody of whom nothing has been heard yet is let in by nobody.
            active: row.staff_active.unwrap_or(false),
        }),
        secret_sha256,
        // What this build does not know opens nothing in it.
        scopes: row
            .scopes
            .into_iter()
            .filter_map(|number| Scope::try_from(number).ok())
            .collect(),
        revoke_time: row.revoke_time,
        expire_time: row.expire_time,
    }))
}

pub(super) async fn find_program_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<Option<ProgramRecord>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT time_zone, currency_code AS "currency_code: CurrencyCode", active FROM program WHERE program = $1"#,
        program_id.as_uuid(),
    )
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
