//! Whose occasion is on a day. Only who is active is greeted.

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::parse_zone;
use crate::occasions::domain::{MonthDay, Occasion, OccasionKind, Place};

/// A day, and what of it is asked for.
pub(in crate::occasions) struct DueDay<'a> {
    pub date: NaiveDate,
    pub kinds: &'a [OccasionKind],
    /// By which clock those live who have named no other.
    pub program_zone: Tz,
    /// Only those who live by this clock; None for all.
    pub of_zone: Option<Tz>,
}

/// Members' own occasions of a day after a place, by member.
pub(in crate::occasions) async fn list_due_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    day: &DueDay<'_>,
    after: &Place,
    count_max: i64,
) -> Result<Vec<Occasion>, StorageError> {
    let numbers: Vec<i16> = MonthDay::on(day.date)
        .iter()
        .map(|month_day| month_day.as_number())
        .collect();
    let kinds: Vec<String> = day.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        r#"SELECT d.member_id AS "member_id: MemberId", d.kind, d.day_code, d.year,
                  coalesce(c.time_zone, $5) AS "time_zone!"
           FROM occasion_day d
           JOIN member m ON m.program = d.program AND m.member_id = d.member_id
           LEFT JOIN contact_preference c ON c.program = d.program AND c.member_id = d.member_id
           WHERE d.program = $1 AND d.month_day = ANY($2) AND d.kind = ANY($3)
             AND (d.year IS NULL OR d.year < $4::int4) AND ($6::text IS NULL OR coalesce(c.time_zone, $5) = $6)
             AND (d.member_id, d.kind, d.day_code) > ($7, $8, $9)
             AND m.status = 'ACTIVE' AND m.ledger_confirmed
           ORDER BY d.member_id, d.kind, d.day_code LIMIT $10"#,
        program_id.as_uuid(),
        &numbers,
        &kinds,
        day.date.year(),
        day.program_zone.name(),
        day.of_zone.map(Tz::name),
        after.member_id,
        after.kind,
        after.day_code,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Occasion {
                kind: OccasionKind::from_column(&row.kind)
                    .ok_or_else(|| StorageError::corrupt("occasion_day.kind", &row.kind))?,
                day_code: row.day_code,
                date: day.date,
                member_id: Some(row.member_id),
                number: row.year.map_or(0, |year| day.date.year() - i32::from(year)),
                zone: parse_zone(&row.time_zone)?,
            })
        })
        .collect()
}

/// Those after one who live by a clock: everybody's day is theirs.
pub(in crate::occasions) async fn list_greeted_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (zone, program_zone): (Tz, Tz),
    after: Uuid,
    count_max: i64,
) -> Result<Vec<MemberId>, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT m.member_id AS "member_id: MemberId" FROM member m
           LEFT JOIN contact_preference c ON c.program = m.program AND c.member_id = m.member_id
           WHERE m.program = $1 AND coalesce(c.time_zone, $3) = $2 AND m.member_id > $4
             AND m.status = 'ACTIVE' AND m.ledger_confirmed
           ORDER BY m.member_id LIMIT $5"#,
        program_id.as_uuid(),
        zone.name(),
        program_zone.name(),
        after,
        count_max,
    )
    .fetch_all(tx)
    .await?)
}
