//! What counts towards tiers, by days.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ladders::parse_zone;
use crate::ladders::domain::{Book, Counted, LIFETIME_DAY, Source};

/// A transaction as the table has it.
struct SourceRow {
    transaction_id: Uuid,
    purchase_id: Option<Uuid>,
    day: NaiveDate,
    left_minor: Option<i64>,
    unit_codes: Vec<String>,
    left_values: Vec<i64>,
}

impl From<SourceRow> for Source {
    fn from(row: SourceRow) -> Self {
        Self {
            transaction_id: row.transaction_id,
            purchase_id: row.purchase_id,
            day: row.day,
            left_minor: row.left_minor,
            left_earned: row.unit_codes.into_iter().zip(row.left_values).collect(),
        }
    }
}

/// For whom counts what a member earns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ladders) struct Counting {
    /// Themselves, or who took over their record.
    pub(in crate::ladders) member_id: MemberId,
    /// By which clock the program's days go.
    pub(in crate::ladders) zone: Tz,
}

/// Keeps a member's tiers from being changed by anybody else until the end of the transaction, and says for whom what they
/// earn counts. None when there is no such member, or one who is closed for good.
pub(in crate::ladders) async fn lock_counting_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<Counting>, StorageError> {
    let mut counting = member_id;
    loop {
        let locked = sqlx::query!(
            r#"SELECT m.merged_into_member_id AS "merged_into_member_id: MemberId", p.time_zone
               FROM member m JOIN program p ON p.program = m.program
               WHERE m.program = $1 AND m.member_id = $2 AND m.status <> 'CLOSED'
               FOR NO KEY UPDATE OF m"#,
            program_id.as_uuid(),
            counting.as_uuid(),
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(locked) = locked else { return Ok(None) };
        match locked.merged_into_member_id {
            // Who has everything now is merged into nobody: this ends.
            Some(into) if into != counting => counting = into,
            _ => {
                return Ok(Some(Counting {
                    member_id: counting,
                    zone: parse_zone(&locked.time_zone)?,
                }));
            }
        }
    }
}

/// Notes that a transaction counts. False when it has been noted before.
pub(in crate::ladders) async fn insert_source_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    source: &Source,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let (unit_codes, left_values): (Vec<String>, Vec<i64>) = source.left_earned.iter().cloned().unzip();
    let inserted = sqlx::query!(
        "INSERT INTO qualification_source (program, transaction_id, purchase_id, day, left_minor, unit_codes, \
                                           left_values, record_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        program_id.as_uuid(),
        source.transaction_id,
        source.purchase_id,
        source.day,
        source.left_minor,
        &unit_codes,
        &left_values,
        now,
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// A purchase that counts.
pub(in crate::ladders) async fn find_purchase_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    purchase_id: Uuid,
) -> Result<Option<Source>, StorageError> {
    let row = sqlx::query_as!(
        SourceRow,
        "SELECT transaction_id, purchase_id, day, left_minor, unit_codes, left_values FROM qualification_source \
         WHERE program = $1 AND purchase_id = $2",
        program_id.as_uuid(),
        purchase_id,
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Source::from))
}

/// A transaction that counts.
pub(in crate::ladders) async fn find_transaction_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    transaction_id: Uuid,
) -> Result<Option<Source>, StorageError> {
    let row = sqlx::query_as!(
        SourceRow,
        "SELECT transaction_id, purchase_id, day, left_minor, unit_codes, left_values FROM qualification_source \
         WHERE program = $1 AND transaction_id = $2",
        program_id.as_uuid(),
        transaction_id,
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Source::from))
}

/// Notes what of a transaction was not taken back yet.
pub(in crate::ladders) async fn set_left_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    source: &Source,
) -> Result<(), StorageError> {
    let (unit_codes, left_values): (Vec<String>, Vec<i64>) = source.left_earned.iter().cloned().unzip();
    sqlx::query!(
        "UPDATE qualification_source SET left_minor = $3, unit_codes = $4, left_values = $5 \
         WHERE program = $1 AND transaction_id = $2",
        program_id.as_uuid(),
        source.transaction_id,
        source.left_minor,
        &unit_codes,
        &left_values,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Adds to the sums of a member's day.
pub(in crate::ladders) async fn add_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (member_id, day): (MemberId, NaiveDate),
    counted: &[Counted],
) -> Result<(), StorageError> {
    let measures: Vec<String> = counted.iter().map(|one| one.measure.clone()).collect();
    let values: Vec<i64> = counted.iter().map(|one| one.value).collect();
    // In numbers without bounds, and back within them: whatever is counted, no sum stops the feed.
    sqlx::query!(
        "INSERT INTO qualification_day AS q (program, member_id, measure, day, value) \
         SELECT $1, $2, u.measure, $3, u.value FROM unnest($4::text[], $5::bigint[]) AS u (measure, value) \
         ON CONFLICT (program, member_id, measure, day) DO UPDATE \
         SET value = LEAST(GREATEST(q.value::numeric + EXCLUDED.value, -9223372036854775807), \
                           9223372036854775807)::bigint",
        program_id.as_uuid(),
        member_id.as_uuid(),
        day,
        &measures,
        &values,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Everything that counts for these members together, and the oldest day that is kept by itself.
pub(in crate::ladders) async fn load_book_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[Uuid],
) -> Result<(Book, Option<NaiveDate>), StorageError> {
    let rows = sqlx::query!(
        "SELECT measure, day, value FROM qualification_day WHERE program = $1 AND member_id = ANY($2)",
        program_id.as_uuid(),
        member_ids,
    )
    .fetch_all(tx)
    .await?;
    let mut book = Book::default();
    for row in &rows {
        book.add(&row.measure, row.day, row.value);
    }
    let kept = rows.iter().map(|row| row.day).filter(|day| *day != LIFETIME_DAY);
    Ok((book, kept.min()))
}

/// Puts together the sums of all days before one.
pub(in crate::ladders) async fn put_together_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[Uuid],
    before: NaiveDate,
) -> Result<(), StorageError> {
    sqlx::query!(
        "WITH old AS ( \
             DELETE FROM qualification_day \
             WHERE program = $1 AND member_id = ANY($2) AND day < $3 AND day <> $4 \
             RETURNING member_id, measure, day, value), \
         sums AS ( \
             SELECT member_id, measure, sum(value) AS value FROM old GROUP BY member_id, measure \
             UNION ALL \
             SELECT member_id, 'visits', count(*) FROM old WHERE measure = 'purchases' AND value > 0 \
             GROUP BY member_id) \
         INSERT INTO qualification_day AS q (program, member_id, measure, day, value) \
         SELECT $1, member_id, measure, $4, \
                LEAST(GREATEST(value, -9223372036854775807), 9223372036854775807)::bigint FROM sums \
         ON CONFLICT (program, member_id, measure, day) DO UPDATE \
         SET value = LEAST(GREATEST(q.value::numeric + EXCLUDED.value, -9223372036854775807), \
                           9223372036854775807)::bigint",
        program_id.as_uuid(),
        member_ids,
        before,
        LIFETIME_DAY,
    )
    .execute(tx)
    .await?;
    Ok(())
}
