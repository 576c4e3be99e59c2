//! The ledger's event feed: its transactions, as `fealty.events.v1.EventService` serves them.
//!
//! Nothing is written here. The row of a transaction is itself the event, and says with `feed_xid` where it stands; the
//! posting room writes both. The subject is the owner whose account it was, and the version the owner's.

mod present;
mod storage;

use fealty_postgres::StorageError;
use fealty_postgres::events::EventQuery;
use fealty_service::events::{EventRows, FeedEvent};
use sqlx::PgConnection;

/// The transactions with a version.
#[derive(Debug, Clone, Copy, Default)]
pub struct TransactionEvents;

impl EventRows for TransactionEvents {
    async fn list_in_tx(
        &self,
        tx: &mut PgConnection,
        page: EventQuery,
    ) -> Result<Vec<FeedEvent>, StorageError> {
        let rows = storage::list_in_tx(tx, page).await?;
        #[cfg(feature = "sabotage")]
        let rows = crate::sabotage::rows_of_feed(rows);
        rows.into_iter().map(present::event).collect()
    }
}
