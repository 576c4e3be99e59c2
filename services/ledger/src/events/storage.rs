//! Transactions as rows that tell of events.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_postgres::events::{EventFilter, EventQuery};
use fealty_types::{Points, UnitCode};
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{PgConnection, query_as};
use uuid::Uuid;

use crate::posting::EntryRow;

/// The transactions with a version.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    page: EventQuery,
) -> Result<Vec<TransactionRow>, StorageError> {
    match page.filter {
        EventFilter::All => all_in_tx(tx, page).await,
        EventFilter::Program(_) => of_program_in_tx(tx, page).await,
        EventFilter::Subject(_, owner_id) => of_owner_in_tx(tx, page, owner_id).await,
    }
}

async fn all_in_tx(tx: &mut PgConnection, page: EventQuery) -> Result<Vec<TransactionRow>, StorageError> {
    let after = page.place();
    let rows = query_as!(
        TransactionRow,
        r#"SELECT program, owner_id, version AS "version!", feed_xid::text::bigint AS "feed_xid!", transaction_id, kind,
                  source, receipt_id, purchase_id, money_minor, currency_code, on_behalf_of, counterpart_owner_id,
                  reversed_transaction_id,
                  entries AS "entries: Json<Vec<EntryRow>>", occur_time, record_time, trace_parent,
                  CASE WHEN kind = 'notice' THEN
                      (SELECT jsonb_build_object('unit', n.unit_code, 'value', n.value, 'end', n.expire_time)
                       FROM expiry_notice n WHERE n.program = t.program AND n.transaction_id = t.transaction_id)
                  END AS "expiring: Json<ExpiringRow>"
           FROM transaction t
           WHERE version IS NOT NULL
             AND (feed_xid, program, owner_id, version) > ($1::bigint::text::xid8, $2::uuid, $3::uuid, $4::bigint)
             AND feed_xid < $5::bigint::text::xid8
           ORDER BY feed_xid, program, owner_id, version LIMIT $6"#,
        after.feed_xid,
        after.program,
        after.subject_id,
        after.version,
        page.horizon,
        page.limit(),
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

async fn of_program_in_tx(
    tx: &mut PgConnection,
    page: EventQuery,
) -> Result<Vec<TransactionRow>, StorageError> {
    let after = page.place();
    let rows = query_as!(
        TransactionRow,
        r#"SELECT program, owner_id, version AS "version!", feed_xid::text::bigint AS "feed_xid!", transaction_id, kind,
                  source, receipt_id, purchase_id, money_minor, currency_code, on_behalf_of, counterpart_owner_id,
                  reversed_transaction_id,
                  entries AS "entries: Json<Vec<EntryRow>>", occur_time, record_time, trace_parent,
                  CASE WHEN kind = 'notice' THEN
                      (SELECT jsonb_build_object('unit', n.unit_code, 'value', n.value, 'end', n.expire_time)
                       FROM expiry_notice n WHERE n.program = t.program AND n.transaction_id = t.transaction_id)
                  END AS "expiring: Json<ExpiringRow>"
           FROM transaction t
           WHERE program = $2 AND version IS NOT NULL
             AND (feed_xid, owner_id, version) > ($1::bigint::text::xid8, $3::uuid, $4::bigint)
             AND feed_xid < $5::bigint::text::xid8
           ORDER BY feed_xid, owner_id, version LIMIT $6"#,
        after.feed_xid,
        after.program,
        after.subject_id,
        after.version,
        page.horizon,
        page.limit(),
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// By the version, which is the same order for one owner and leads to the rows by an index of few.
async fn of_owner_in_tx(
    tx: &mut PgConnection,
    page: EventQuery,
    owner_id: Uuid,
) -> Result<Vec<TransactionRow>, StorageError> {
    let after = page.place();
    let rows = query_as!(
        TransactionRow,
        r#"SELECT program, owner_id, version AS "version!", feed_xid::text::bigint AS "feed_xid!", transaction_id, kind,
                  source, receipt_id, purchase_id, money_minor, currency_code, on_behalf_of, counterpart_owner_id,
                  reversed_transaction_id,
                  entries AS "entries: Json<Vec<EntryRow>>", occur_time, record_time, trace_parent,
                  CASE WHEN kind = 'notice' THEN
                      (SELECT jsonb_build_object('unit', n.unit_code, 'value', n.value, 'end', n.expire_time)
                       FROM expiry_notice n WHERE n.program = t.program AND n.transaction_id = t.transaction_id)
                  END AS "expiring: Json<ExpiringRow>"
           FROM transaction t
           WHERE program = $2 AND owner_id = $7 AND version IS NOT NULL
             AND (feed_xid, owner_id, version) > ($1::bigint::text::xid8, $3::uuid, $4::bigint)
             AND feed_xid < $5::bigint::text::xid8
           ORDER BY version LIMIT $6"#,
        after.feed_xid,
        after.program,
        after.subject_id,
        after.version,
        page.horizon,
        page.limit(),
        owner_id,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// What of a transaction an event tells.
pub(super) struct TransactionRow {
    pub(super) program: Uuid,
    pub(super) owner_id: Uuid,
    pub(super) version: i64,
    pub(super) feed_xid: i64,
    pub(super) transaction_id: Uuid,
    pub(super) kind: String,
    pub(super) source: String,
    pub(super) receipt_id: Option<String>,
    pub(super) purchase_id: Option<Uuid>,
    pub(super) money_minor: Option<i64>,
    pub(super) currency_code: Option<String>,
    pub(super) on_behalf_of: Option<Uuid>,
    pub(super) counterpart_owner_id: Option<Uuid>,
    pub(super) reversed_transaction_id: Option<Uuid>,
    pub(super) entries: Json<Vec<EntryRow>>,
    pub(super) occur_time: DateTime<Utc>,
    pub(super) record_time: DateTime<Utc>,
    pub(super) trace_parent: Option<String>,
    pub(super) expiring: Option<Json<ExpiringRow>>,
}

/// What a notice tells of.
#[derive(Debug, Deserialize)]
pub(super) struct ExpiringRow {
    pub(super) unit: UnitCode,
    pub(super) value: Points,
    pub(super) end: DateTime<Utc>,
}
