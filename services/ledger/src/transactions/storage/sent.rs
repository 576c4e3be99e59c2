//! What owners have sent on the last day on which they sent any. Under the locks of those whose accounts they use.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::{OwnerId, Points, ProgramId, UnitCode};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::units::domain::SentOnDay;

/// Whose accounts owners use, by who is named.
pub(in crate::transactions) async fn find_accounts_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    named: &[OwnerId],
) -> Result<HashMap<OwnerId, OwnerId>, StorageError> {
    let named: Vec<Uuid> = named.iter().map(OwnerId::as_uuid).collect();
    let rows = sqlx::query!(
        r#"SELECT owner_id AS "owner_id: OwnerId", account_owner_id AS "account_owner_id: OwnerId"
           FROM owner WHERE program = $1 AND owner_id = ANY($2)"#,
        program.as_uuid(),
        &named,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.owner_id, row.account_owner_id.unwrap_or(row.owner_id)))
        .collect())
}

/// By account and unit.
pub(in crate::transactions) async fn find_sent_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    senders: &[OwnerId],
) -> Result<HashMap<(OwnerId, UnitCode), SentOnDay>, StorageError> {
    let senders: Vec<Uuid> = senders.iter().map(OwnerId::as_uuid).collect();
    let rows = sqlx::query!(
        r#"SELECT owner_id AS "owner_id: OwnerId", unit_code AS "unit_code: UnitCode", day,
                  sent_value AS "sent_value: Points", sent_count, time_zone
           FROM transfer_day WHERE program = $1 AND owner_id = ANY($2)"#,
        program.as_uuid(),
        &senders,
    )
    .fetch_all(tx)
    .await?;
    let mut sent = HashMap::with_capacity(rows.len());
    for row in rows {
        let zone = row.time_zone.as_deref().map(str::parse::<Tz>).transpose();
        let on_day = SentOnDay {
            day: row.day,
            value: row.sent_value,
            count: row.sent_count,
            zone: zone.map_err(|error| StorageError::corrupt("transfer_day.time_zone", error))?,
        };
        sent.insert((row.owner_id, row.unit_code), on_day);
    }
    Ok(sent)
}

/// Writes what was sent, in place of what was sent before.
pub(in crate::transactions) async fn upsert_sent_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    days: &BTreeMap<(OwnerId, UnitCode), SentOnDay>,
) -> Result<(), StorageError> {
    let owner_ids: Vec<Uuid> = days.keys().map(|(owner_id, _)| owner_id.as_uuid()).collect();
    let units: Vec<String> = days.keys().map(|(_, unit)| unit.to_string()).collect();
    let dates: Vec<NaiveDate> = days.values().map(|sent| sent.day).collect();
    let values: Vec<i64> = days.values().map(|sent| sent.value.get()).collect();
    let counts: Vec<i64> = days.values().map(|sent| sent.count).collect();
    let zones: Vec<Option<String>> = days
        .values()
        .map(|sent| sent.zone.map(|zone| zone.name().to_owned()))
        .collect();
    let written = sqlx::query!(
        r#"INSERT INTO transfer_day AS d (program, owner_id, unit_code, day, sent_value, sent_count, time_zone)
           SELECT p.program, u.owner_id, u.unit_code, u.day, u.sent_value, u.sent_count, u.time_zone
           FROM program p, unnest($2::uuid[], $3::text[], $4::date[], $5::bigint[], $6::bigint[], $7::text[])
                AS u (owner_id, unit_code, day, sent_value, sent_count, time_zone)
           WHERE p.program = $1 ORDER BY u.owner_id, u.unit_code
           ON CONFLICT (program, owner_id, unit_code)
           DO UPDATE SET day = EXCLUDED.day, sent_value = EXCLUDED.sent_value, sent_count = EXCLUDED.sent_count,
                         time_zone = EXCLUDED.time_zone"#,
        program.as_uuid(),
        &owner_ids,
        &units,
        &dates,
        &values,
        &counts,
        &zones as &[Option<String>],
    )
    .execute(tx)
    .await?;
    if u64::try_from(days.len()).is_ok_and(|rows| rows == written.rows_affected()) {
        Ok(())
    } else {
        let (written, rows) = (written.rows_affected(), days.len());
        Err(StorageError::corrupt(
            "transfer_day",
            format!("{written} of {rows} rows were written"),
        ))
    }
}
