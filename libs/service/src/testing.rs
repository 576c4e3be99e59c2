//! Access records that no feed brought: what a test plants into a service's copy.

use fealty_postgres::StorageError;
use fealty_proto::access::v1::Scope;
use fealty_rpc::access::ApiKeySecret;
use fealty_types::{ApiKeyId, ProgramId, SystemClock};
use sqlx::PgPool;

/// An active program, by the role of jobs.
pub async fn plant_program(
    jobs: &PgPool,
    time_zone: &str,
    currency_code: &str,
) -> Result<ProgramId, StorageError> {
    let program = ProgramId::generate(&SystemClock);
    sqlx::query(
        "INSERT INTO program (program, time_zone, currency_code, active, sequence) VALUES ($1, $2, $3, true, 1)",
    )
    .bind(program.as_uuid())
    .bind(time_zone)
    .bind(currency_code)
    .execute(jobs)
    .await?;
    Ok(program)
}

/// One more key of a program, by the role of jobs: the text that callers send.
pub async fn plant_key(jobs: &PgPool, program: ProgramId, scopes: &[Scope]) -> Result<String, StorageError> {
    let key = ApiKeySecret::generate(&mut rand::rng());
    let scopes: Vec<i32> = scopes.iter().map(|scope| i32::from(*scope)).collect();
    sqlx::query(
        "INSERT INTO api_key (program, api_key_id, short_id, secret_sha256, scopes, sequence) \
         VALUES ($1, $2, $3, $4, $5, 1)",
    )
    .bind(program.as_uuid())
    .bind(ApiKeyId::generate(&SystemClock).as_uuid())
    .bind(key.short_id())
    .bind(key.secret_sha256().to_vec())
    .bind(scopes)
    .execute(jobs)
    .await?;
    Ok(key.expose().to_owned())
}
