//! A program's numbers in the database. None is stored until one is set.

use fealty_postgres::StorageError;
use fealty_types::{ProgramId, Version};
use sqlx::PgConnection;

use crate::contacts::domain::{Quiet, Settings};

/// The numbers as they hold.
pub(in crate::contacts) async fn find_settings_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<Settings, StorageError> {
    let row = sqlx::query!(
        "SELECT commercial_count_max, commercial_window_days, service_quality_count_max, \
                service_quality_window_days, commercial_run_max, commercial_run_window_days, quiet_begin_minute, \
                quiet_end_minute, reservation_minutes, revision \
         FROM contact_settings WHERE program = $1",
        program_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else {
        return Ok(Settings::DEFAULT);
    };
    Ok(Settings {
        commercial_count_max: row.commercial_count_max,
        commercial_window_days: row.commercial_window_days,
        service_quality_count_max: row.service_quality_count_max,
        service_quality_window_days: row.service_quality_window_days,
        commercial_run_max: row.commercial_run_max,
        commercial_run_window_days: row.commercial_run_window_days,
        quiet: Quiet {
            begin_minute: row.quiet_begin_minute,
            end_minute: row.quiet_end_minute,
        },
        reservation_minutes: row.reservation_minutes,
        revision: Version::try_new(row.revision)
            .map_err(|error| StorageError::corrupt("contact_settings.revision", error))?,
    })
}

/// Keeps the numbers.
pub(in crate::contacts) async fn upsert_settings_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    settings: &Settings,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO contact_settings \
         (program, commercial_count_max, commercial_window_days, service_quality_count_max, \
          service_quality_window_days, commercial_run_max, commercial_run_window_days, quiet_begin_minute, \
          quiet_end_minute, reservation_minutes, revision) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (program) DO UPDATE SET \
             commercial_count_max = excluded.commercial_count_max, \
             commercial_window_days = excluded.commercial_window_days, \
             service_quality_count_max = excluded.service_quality_count_max, \
             service_quality_window_days = excluded.service_quality_window_days, \
             commercial_run_max = excluded.commercial_run_max, \
             commercial_run_window_days = excluded.commercial_run_window_days, \
             quiet_begin_minute = excluded.quiet_begin_minute, quiet_end_minute = excluded.quiet_end_minute, \
             reservation_minutes = excluded.reservation_minutes, revision = excluded.revision",
        program_id.as_uuid(),
        settings.commercial_count_max,
        settings.commercial_window_days,
        settings.service_quality_count_max,
        settings.service_quality_window_days,
        settings.commercial_run_max,
        settings.commercial_run_window_days,
        settings.quiet.begin_minute,
        settings.quiet.end_minute,
        settings.reservation_minutes,
        settings.revision.get(),
    )
    .execute(tx)
    .await?;
    Ok(())
}
