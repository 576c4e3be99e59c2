//! Days in the database.

mod due;
mod runs;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

use super::domain::{DayCode, MemberDay, MonthDay, ProgramDay};
use crate::display_name::DisplayName;

pub(super) use due::{DueDay, list_due_in_tx, list_greeted_in_tx};
pub(super) use runs::{
    Run, ZoneOfProgram, advance_run_in_tx, forget_in_tx, insert_runs_in_tx, insert_told_in_tx,
    list_open_runs_in_tx, list_zones_in_tx, lock_run_in_tx,
};

/// Keeps the program's days in the place of those before.
pub(super) async fn replace_program_days_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    days: &[ProgramDay],
) -> Result<(), StorageError> {
    sqlx::query!("DELETE FROM program_day WHERE program = $1", program_id.as_uuid())
        .execute(&mut *tx)
        .await?;
    let codes: Vec<String> = days.iter().map(|day| day.day_code.to_string()).collect();
    let names: Vec<String> = days
        .iter()
        .map(|day| day.display_name.as_str().to_owned())
        .collect();
    let numbers: Vec<i16> = days.iter().map(|day| day.month_day.as_number()).collect();
    let years: Vec<Option<i32>> = days.iter().map(|day| day.year).collect();
    sqlx::query!(
        "INSERT INTO program_day (program, day_code, display_name, month_day, year) \
         SELECT p.program, u.day_code, u.display_name, u.month_day, u.year \
         FROM program p, unnest($2::text[], $3::text[], $4::int2[], $5::int4[]) \
             AS u (day_code, display_name, month_day, year) WHERE p.program = $1",
        program_id.as_uuid(),
        &codes,
        &names,
        &numbers,
        &years as &[Option<i32>],
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The program's days, by their codes.
pub(super) async fn list_program_days_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<Vec<ProgramDay>, StorageError> {
    let rows = sqlx::query!(
        "SELECT day_code, display_name, month_day, year FROM program_day WHERE program = $1 ORDER BY day_code",
        program_id.as_uuid(),
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ProgramDay {
                day_code: parse_code(&row.day_code)?,
                display_name: DisplayName::try_new(&row.display_name)
                    .map_err(|error| StorageError::corrupt("program_day.display_name", error))?,
                month_day: parse_month_day(row.month_day)?,
                year: row.year.map(i32::from),
            })
        })
        .collect()
}

/// Keeps a member's own days in the place of those before.
pub(super) async fn replace_member_days_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    days: &[MemberDay],
) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM occasion_day WHERE program = $1 AND member_id = $2 AND kind = 'MEMBER_DAY'",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .execute(&mut *tx)
    .await?;
    let codes: Vec<String> = days.iter().map(|day| day.day_code.to_string()).collect();
    let numbers: Vec<i16> = days.iter().map(|day| day.month_day.as_number()).collect();
    sqlx::query!(
        "INSERT INTO occasion_day (program, member_id, kind, day_code, month_day) \
         SELECT p.program, $2, 'MEMBER_DAY', u.day_code, u.month_day \
         FROM program p, unnest($3::text[], $4::int2[]) AS u (day_code, month_day) WHERE p.program = $1",
        program_id.as_uuid(),
        member_id.as_uuid(),
        &codes,
        &numbers,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A member's own days, by their codes.
pub(super) async fn list_member_days_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Vec<MemberDay>, StorageError> {
    let rows = sqlx::query!(
        "SELECT day_code, month_day FROM occasion_day \
         WHERE program = $1 AND member_id = $2 AND kind = 'MEMBER_DAY' ORDER BY day_code",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(MemberDay {
                day_code: parse_code(&row.day_code)?,
                month_day: parse_month_day(row.month_day)?,
            })
        })
        .collect()
}

/// Keeps a birthday in the place of the one before.
pub(super) async fn replace_birthday_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    birthday: Option<MonthDay>,
) -> Result<(), StorageError> {
    let Some(birthday) = birthday else {
        sqlx::query!(
            "DELETE FROM occasion_day WHERE program = $1 AND member_id = $2 AND kind = 'BIRTHDAY'",
            program_id.as_uuid(),
            member_id.as_uuid(),
        )
        .execute(tx)
        .await?;
        return Ok(());
    };
    sqlx::query!(
        "INSERT INTO occasion_day (program, member_id, kind, day_code, month_day) \
         VALUES ($1, $2, 'BIRTHDAY', '', $3) \
         ON CONFLICT (program, member_id, kind, day_code) DO UPDATE SET month_day = excluded.month_day",
        program_id.as_uuid(),
        member_id.as_uuid(),
        birthday.as_number(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps the day on which a member joined.
pub(super) async fn insert_joining_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    create_time: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO occasion_day (program, member_id, kind, day_code, month_day, year) \
         SELECT p.program, $2, 'JOINING_ANNIVERSARY', '', \
                to_char($3::timestamptz AT TIME ZONE p.time_zone, 'MMDD')::int2, \
                to_char($3::timestamptz AT TIME ZONE p.time_zone, 'YYYY')::int2 \
         FROM program p WHERE p.program = $1 \
         ON CONFLICT (program, member_id, kind, day_code) DO NOTHING",
        program_id.as_uuid(),
        member_id.as_uuid(),
        create_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps a zone that a program's members live by.
pub(super) async fn note_zone_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    zone: Tz,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO occasion_zone (program, time_zone) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        program_id.as_uuid(),
        zone.name(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn parse_code(text: &str) -> Result<DayCode, StorageError> {
    text.parse()
        .map_err(|error| StorageError::corrupt("day_code", error))
}

fn parse_month_day(number: i16) -> Result<MonthDay, StorageError> {
    MonthDay::from_number(number).ok_or_else(|| StorageError::corrupt("month_day", number))
}

fn parse_zone(text: &str) -> Result<Tz, StorageError> {
    text.parse()
        .map_err(|error| StorageError::corrupt("time_zone", error))
}
