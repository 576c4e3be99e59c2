//! The ledger's event feed: its transactions, as `fealty.events.v1.EventService` serves them.
//!
//! Nothing is written here. The row of a transaction is itself the event, and says with `feed_xid` where it stands; the
//! posting room writes both. The subject is the owner whose account it was, and the version the owner's.

mod storage;

pub use storage::TransactionEvents;
