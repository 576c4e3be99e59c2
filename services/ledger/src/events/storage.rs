//! Transactions as events.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_postgres::events::{EventFilter, EventPosition, EventQuery};
use fealty_proto::events::v1::TransactionPosted;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::r#type::v1::{Amount, Money};
use fealty_service::events::{EventRows, FeedEvent};
use fealty_types::EventId;
use sqlx::types::Json;
use sqlx::{PgConnection, query_as};
use uuid::Uuid;

use crate::posting::EntryRow;
use crate::posting::domain::{Entry, EntryAccount};

/// The transactions with a version.
#[derive(Debug, Clone, Copy, Default)]
pub struct TransactionEvents;

impl EventRows for TransactionEvents {
    async fn list_in_tx(
        &self,
        tx: &mut PgConnection,
        page: EventQuery,
    ) -> Result<Vec<FeedEvent>, StorageError> {
        let rows = match page.filter {
            EventFilter::All => all_in_tx(tx, page).await?,
            EventFilter::Program(_) => of_program_in_tx(tx, page).await?,
            EventFilter::Subject(_, owner_id) => of_owner_in_tx(tx, page, owner_id).await?,
        };
        rows.into_iter().map(Row::event).collect()
    }
}

async fn all_in_tx(tx: &mut PgConnection, page: EventQuery) -> Result<Vec<Row>, StorageError> {
    let after = page.place();
    let rows = query_as!(
        Row,
        r#"SELECT program, owner_id, version AS "version!", feed_xid::text::bigint AS "feed_xid!", transaction_id, kind,
                  source, receipt_id, purchase_id, money_minor, currency_code, on_behalf_of,
                  entries AS "entries: Json<Vec<EntryRow>>", occur_time, record_time
           FROM transaction
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

async fn of_program_in_tx(tx: &mut PgConnection, page: EventQuery) -> Result<Vec<Row>, StorageError> {
    let after = page.place();
    let rows = query_as!(
        Row,
        r#"SELECT program, owner_id, version AS "version!", feed_xid::text::bigint AS "feed_xid!", transaction_id, kind,
                  source, receipt_id, purchase_id, money_minor, currency_code, on_behalf_of,
                  entries AS "entries: Json<Vec<EntryRow>>", occur_time, record_time
           FROM transaction
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
) -> Result<Vec<Row>, StorageError> {
    let after = page.place();
    let rows = query_as!(
        Row,
        r#"SELECT program, owner_id, version AS "version!", feed_xid::text::bigint AS "feed_xid!", transaction_id, kind,
                  source, receipt_id, purchase_id, money_minor, currency_code, on_behalf_of,
                  entries AS "entries: Json<Vec<EntryRow>>", occur_time, record_time
           FROM transaction
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
struct Row {
    program: Uuid,
    owner_id: Uuid,
    version: i64,
    feed_xid: i64,
    transaction_id: Uuid,
    kind: String,
    source: String,
    receipt_id: Option<String>,
    purchase_id: Option<Uuid>,
    money_minor: Option<i64>,
    currency_code: Option<String>,
    on_behalf_of: Option<Uuid>,
    entries: Json<Vec<EntryRow>>,
    occur_time: DateTime<Utc>,
    record_time: DateTime<Utc>,
}

impl Row {
    fn event(self) -> Result<FeedEvent, StorageError> {
        let position = EventPosition {
            feed_xid: self.feed_xid,
            program: self.program,
            subject_id: self.owner_id,
            version: self.version,
        };
        // The transaction's own: the same event has the same id in every stream.
        let event_id = EventId::try_from(self.transaction_id)
            .map_err(|error| StorageError::corrupt("transaction.transaction_id", error))?;
        let (occur_time, record_time) = (self.occur_time, self.record_time);
        let payload = Payload::TransactionPosted(self.posted());
        Ok(FeedEvent::new(
            position,
            event_id,
            Some(payload),
            occur_time,
            record_time,
        ))
    }

    fn posted(self) -> TransactionPosted {
        let money = self.money_minor.zip(self.currency_code);
        TransactionPosted {
            transaction_id: self.transaction_id.to_string(),
            kind: self.kind,
            available_changes: available_changes(self.entries.0),
            source: self.source,
            receipt_id: self.receipt_id.unwrap_or_default(),
            purchase_id: self.purchase_id.map(|id| id.to_string()).unwrap_or_default(),
            money: money.map(|(amount_minor, currency_code)| Money {
                currency_code,
                amount_minor,
            }),
            owner_id: self.on_behalf_of.unwrap_or(self.owner_id).to_string(),
        }
    }
}

/// What came to the owner's available balance or left it, one per unit; nothing for a unit in which it stayed.
fn available_changes(entries: Vec<EntryRow>) -> Vec<Amount> {
    let mut changes: BTreeMap<String, i64> = BTreeMap::new();
    for entry in entries.into_iter().map(Entry::from) {
        if entry.account == EntryAccount::OwnerAvailable {
            // Values of one transaction and unit sum to zero, so a part of them cannot overflow.
            *changes.entry(entry.unit_code.to_string()).or_default() += entry.value.get();
        }
    }
    let changes = changes.into_iter().filter(|(_, value)| *value != 0);
    changes
        .map(|(unit_code, value)| Amount { unit_code, value })
        .collect()
}
