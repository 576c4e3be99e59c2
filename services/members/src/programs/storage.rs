//! Programs in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{CurrencyCode, ProgramId, Version};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::Program;
use crate::display_name::DisplayName;

struct ProgramRow {
    program_id: ProgramId,
    display_name: String,
    time_zone: String,
    currency_code: CurrencyCode,
    active: bool,
    revision: i64,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
    majority_age_years: i16,
}

impl TryFrom<ProgramRow> for Program {
    type Error = StorageError;

    fn try_from(row: ProgramRow) -> Result<Self, StorageError> {
        let corrupt_zone = |error| StorageError::corrupt("program.time_zone", error);
        Ok(Self {
            program_id: row.program_id,
            display_name: DisplayName::try_new(&row.display_name)
                .map_err(|error| StorageError::corrupt("program.display_name", error))?,
            time_zone: row.time_zone.parse().map_err(corrupt_zone)?,
            currency_code: row.currency_code,
            active: row.active,
            revision: Version::try_new(row.revision)
                .map_err(|error| StorageError::corrupt("program.revision", error))?,
            create_time: row.create_time,
            update_time: row.update_time,
            majority_age_years: row.majority_age_years.into(),
        })
    }
}

pub(super) async fn insert_in_tx(tx: &mut PgConnection, program: &Program) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO program \
         (program, display_name, time_zone, currency_code, active, revision, create_time, update_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        program.program_id.as_uuid(),
        program.display_name.as_str(),
        program.time_zone.name(),
        program.currency_code.as_str(),
        program.active,
        program.revision.get(),
        program.create_time,
        program.update_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn update_in_tx(tx: &mut PgConnection, program: &Program) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE program SET display_name = $2, time_zone = $3, active = $4, revision = $5, update_time = $6, \
             majority_age_years = $7 \
         WHERE program = $1",
        program.program_id.as_uuid(),
        program.display_name.as_str(),
        program.time_zone.name(),
        program.active,
        program.revision.get(),
        program.update_time,
        i16::try_from(program.majority_age_years)
            .map_err(|error| StorageError::corrupt("program.majority_age_years", error))?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The program, wherever another room asks for one.
pub(crate) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<Option<Program>, StorageError> {
    sqlx::query_as!(
        ProgramRow,
        r#"SELECT program AS "program_id: ProgramId", display_name, time_zone,
                  currency_code AS "currency_code: CurrencyCode", active, revision, create_time, update_time,
                  majority_age_years
           FROM program WHERE program = $1"#,
        program_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Program::try_from)
    .transpose()
}

/// Lets one change of what the whole program shares run at a time. Those who read the program, or refer to it, go on.
pub(crate) async fn lock_alone_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<(), StorageError> {
    sqlx::query!(
        "SELECT program FROM program WHERE program = $1 FOR NO KEY UPDATE",
        program_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    Ok(())
}

/// Keeps everybody else from changing it until the end of the transaction.
pub(super) async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<Option<Program>, StorageError> {
    sqlx::query_as!(
        ProgramRow,
        r#"SELECT program AS "program_id: ProgramId", display_name, time_zone,
                  currency_code AS "currency_code: CurrencyCode", active, revision, create_time, update_time,
                  majority_age_years
           FROM program WHERE program = $1 FOR NO KEY UPDATE"#,
        program_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Program::try_from)
    .transpose()
}

/// The programs after one, oldest first.
pub(crate) async fn list_in_tx(
    tx: &mut PgConnection,
    after: Option<ProgramId>,
    count_max: i64,
) -> Result<Vec<Program>, StorageError> {
    sqlx::query_as!(
        ProgramRow,
        r#"SELECT program AS "program_id: ProgramId", display_name, time_zone,
                  currency_code AS "currency_code: CurrencyCode", active, revision, create_time, update_time,
                  majority_age_years
           FROM program WHERE program > $1 ORDER BY program LIMIT $2"#,
        // Nil lies before every id.
        after.map_or(Uuid::nil(), |program_id| program_id.as_uuid()),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Program::try_from)
    .collect()
}

/// Programs by id, across programs: needs the jobs' role.
pub(crate) async fn list_by_id_in_tx(
    tx: &mut PgConnection,
    program_ids: &[Uuid],
) -> Result<Vec<Program>, StorageError> {
    sqlx::query_as!(
        ProgramRow,
        r#"SELECT program AS "program_id: ProgramId", display_name, time_zone,
                  currency_code AS "currency_code: CurrencyCode", active, revision, create_time, update_time,
                  majority_age_years
           FROM program WHERE program = ANY($1)"#,
        program_ids,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Program::try_from)
    .collect()
}
