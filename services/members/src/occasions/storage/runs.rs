//! How far a day is told of, and what was.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::ProgramId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::parse_zone;
use crate::occasions::domain::{Occasion, Place};

/// A clock by which members of a program live.
pub(in crate::occasions) struct ZoneOfProgram {
    pub program_id: ProgramId,
    pub zone: Tz,
    /// The last day that was begun by it.
    pub last: Option<NaiveDate>,
}

/// A day that is told of to those who live by a clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::occasions) struct Run {
    pub program_id: ProgramId,
    pub zone: Tz,
    pub program_zone: Tz,
    /// The program's day; empty for members' own occasions.
    pub day_code: String,
    pub due_date: NaiveDate,
}

/// Clocks after one, with the last day of each. Across programs: needs the jobs' role.
pub(in crate::occasions) async fn list_zones_in_tx(
    tx: &mut PgConnection,
    after: &(Uuid, String),
    count_max: i64,
) -> Result<Vec<ZoneOfProgram>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT z.program AS "program_id!: ProgramId", z.time_zone AS "time_zone!",
                  (SELECT max(r.due_date) FROM occasion_run r
                   WHERE r.program = z.program AND r.time_zone = z.time_zone AND r.day_code = '') AS last
           FROM (SELECT program, time_zone COLLATE "C" AS time_zone FROM program WHERE active
                 UNION
                 SELECT o.program, o.time_zone FROM occasion_zone o
                 JOIN program p ON p.program = o.program WHERE p.active) AS z
           WHERE (z.program, z.time_zone) > ($1, $2) ORDER BY z.program, z.time_zone LIMIT $3"#,
        after.0,
        after.1,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ZoneOfProgram {
                program_id: row.program_id,
                zone: parse_zone(&row.time_zone)?,
                last: row.last,
            })
        })
        .collect()
}

/// Begins days by a clock, each for members' own occasions or for a day of the program; what is begun already goes on.
pub(in crate::occasions) async fn insert_runs_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    zone: Tz,
    days: &[(NaiveDate, String)],
) -> Result<(), StorageError> {
    let (dates, codes): (Vec<NaiveDate>, Vec<String>) = days.iter().cloned().unzip();
    sqlx::query!(
        "INSERT INTO occasion_run (program, time_zone, day_code, due_date) \
         SELECT p.program, $2, u.day_code, u.due_date \
         FROM program p, unnest($3::date[], $4::text[]) AS u (due_date, day_code) WHERE p.program = $1 \
         ON CONFLICT DO NOTHING",
        program_id.as_uuid(),
        zone.name(),
        &dates,
        &codes,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets how days before one were told of, and what was told in years before one.
pub(in crate::occasions) async fn forget_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (before, year): (NaiveDate, i32),
    count_max: i64,
) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM occasion_run WHERE program = $1 AND due_date < $2 AND done",
        program_id.as_uuid(),
        before,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "DELETE FROM occasion_told t USING ( \
             SELECT program, year, member_id, kind, day_code FROM occasion_told \
             WHERE program = $1 AND year < $2::int4 LIMIT $3) AS old \
         WHERE t.program = old.program AND t.year = old.year AND t.member_id = old.member_id \
           AND t.kind = old.kind AND t.day_code = old.day_code",
        program_id.as_uuid(),
        year,
        count_max,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Days that are not told of to the end, the oldest first. Across programs: needs the jobs' role.
pub(in crate::occasions) async fn list_open_runs_in_tx(
    tx: &mut PgConnection,
    count_max: i64,
) -> Result<Vec<Run>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT r.program AS "program_id: ProgramId", r.time_zone, r.day_code, r.due_date,
                  p.time_zone AS program_zone
           FROM occasion_run r JOIN program p ON p.program = r.program
           WHERE NOT r.done ORDER BY r.due_date, r.program LIMIT $1"#,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Run {
                program_id: row.program_id,
                zone: parse_zone(&row.time_zone)?,
                program_zone: parse_zone(&row.program_zone)?,
                day_code: row.day_code,
                due_date: row.due_date,
            })
        })
        .collect()
}

/// Takes a step of a day: from where it goes on. None when another replica is at it, or it has come to its end.
pub(in crate::occasions) async fn lock_run_in_tx(
    tx: &mut PgConnection,
    run: &Run,
) -> Result<Option<Place>, StorageError> {
    let found = sqlx::query!(
        "SELECT after_member_id, after_kind, after_code FROM occasion_run \
         WHERE program = $1 AND time_zone = $2 AND day_code = $3 AND due_date = $4 AND NOT done \
         FOR NO KEY UPDATE SKIP LOCKED",
        run.program_id.as_uuid(),
        run.zone.name(),
        run.day_code,
        run.due_date,
    )
    .fetch_optional(tx)
    .await?;
    Ok(found.map(|row| Place {
        date: run.due_date,
        member_id: row.after_member_id.unwrap_or(Uuid::nil()),
        kind: row.after_kind.unwrap_or_default(),
        day_code: row.after_code.unwrap_or_default(),
    }))
}

/// Writes down how far a day is told of; without a place, that it is to the end.
pub(in crate::occasions) async fn advance_run_in_tx(
    tx: &mut PgConnection,
    run: &Run,
    last: Option<&Place>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE occasion_run SET after_member_id = $5, after_kind = $6, after_code = $7, done = $8 \
         WHERE program = $1 AND time_zone = $2 AND day_code = $3 AND due_date = $4",
        run.program_id.as_uuid(),
        run.zone.name(),
        run.day_code,
        run.due_date,
        last.map(|last| last.member_id),
        last.map(|last| last.kind.as_str()),
        last.map(|last| last.day_code.as_str()),
        last.is_none(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps what is told in a year. Answers what was not told in it before.
pub(in crate::occasions) async fn insert_told_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    year: i32,
    occasions: Vec<Occasion>,
) -> Result<Vec<Occasion>, StorageError> {
    let places: Vec<Place> = occasions.iter().map(Occasion::place).collect();
    let members: Vec<Uuid> = places.iter().map(|place| place.member_id).collect();
    let kinds: Vec<String> = places.iter().map(|place| place.kind.clone()).collect();
    let codes: Vec<String> = places.iter().map(|place| place.day_code.clone()).collect();
    let new = sqlx::query!(
        r#"INSERT INTO occasion_told AS t (program, year, member_id, kind, day_code)
           SELECT p.program, $2::int4, u.member_id, u.kind, u.day_code
           FROM program p, unnest($3::uuid[], $4::text[], $5::text[]) AS u (member_id, kind, day_code)
           WHERE p.program = $1 ORDER BY u.member_id, u.kind, u.day_code
           ON CONFLICT DO NOTHING RETURNING t.member_id, t.kind, t.day_code"#,
        program_id.as_uuid(),
        year,
        &members,
        &kinds,
        &codes,
    )
    .fetch_all(tx)
    .await?;
    let new: BTreeSet<(Uuid, String, String)> = new
        .into_iter()
        .map(|row| (row.member_id, row.kind, row.day_code))
        .collect();
    let is_new = |place: Place| new.contains(&(place.member_id, place.kind, place.day_code));
    Ok(occasions
        .into_iter()
        .filter(|occasion| is_new(occasion.place()))
        .collect())
}
