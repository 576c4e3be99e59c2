//! Transactions as the events that they are.

use std::collections::BTreeMap;

use fealty_postgres::StorageError;
use fealty_postgres::events::EventPosition;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{ExpiringPoints, TransactionPosted};
use fealty_proto::r#type::v1::{Amount, Money};
use fealty_rpc::present::timestamp;
use fealty_service::events::FeedEvent;
use fealty_types::EventId;
use sqlx::types::Json;

use super::storage::TransactionRow;
use crate::posting::EntryRow;
use crate::posting::domain::{Entry, EntryAccount};

/// The event that a transaction is.
pub(super) fn event(row: TransactionRow) -> Result<FeedEvent, StorageError> {
    let position = EventPosition {
        feed_xid: row.feed_xid,
        program: row.program,
        subject_id: row.owner_id,
        version: row.version,
    };
    // The transaction's own: the same event has the same id in every stream.
    let event_id = EventId::try_from(row.transaction_id)
        .map_err(|error| StorageError::corrupt("transaction.transaction_id", error))?;
    let (occur_time, record_time) = (row.occur_time, row.record_time);
    let trace_parent = row.trace_parent.clone();
    let payload = Payload::TransactionPosted(posted(row));
    Ok(FeedEvent::new(position, event_id, Some(payload), occur_time, record_time).traced(trace_parent))
}

fn posted(row: TransactionRow) -> TransactionPosted {
    let money = row.money_minor.zip(row.currency_code);
    TransactionPosted {
        transaction_id: row.transaction_id.to_string(),
        kind: row.kind,
        available_changes: available_changes(row.entries.0),
        source: row.source,
        receipt_id: row.receipt_id.unwrap_or_default(),
        purchase_id: row.purchase_id.map(|id| id.to_string()).unwrap_or_default(),
        reversed_transaction_id: row
            .reversed_transaction_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        money: money.map(|(amount_minor, currency_code)| Money {
            currency_code,
            amount_minor,
        }),
        owner_id: row.on_behalf_of.unwrap_or(row.owner_id).to_string(),
        counterpart_owner_id: row
            .counterpart_owner_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        expiring: row.expiring.map(|Json(expiring)| ExpiringPoints {
            amount: Some(Amount {
                unit_code: expiring.unit.to_string(),
                value: expiring.value.get(),
            }),
            expire_time: Some(timestamp(expiring.end)),
        }),
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
