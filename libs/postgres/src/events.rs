//! The event feed's tables: what a service did, written in the transaction that did it ([`append_in_tx`]) and read by
//! everybody in one order, without skipping ([`list_in_tx`]).
//!
//! The tables are those of `events/event_tables.sql`; a service copies that text into a migration of its own. The
//! ledger has none of them: its transaction row is itself the event, with the same columns for its place in the feed.
//!
//! # The order, and why nobody skips
//!
//! A reader's place is an [`EventPosition`]: (`feed_xid`, `program`, `subject_id`, `version`), and rows are read in that
//! order. A row may be read once its `feed_xid` lies below the [`horizon_in_tx`], the oldest transaction that is still
//! open. Two things have to hold.
//!
//! *No reader skips a row.* `feed_xid` is never below the id of the transaction that wrote the row. So when the horizon
//! has passed a number, everybody who could still write a row with that number or a smaller one is over, and their rows
//! are there to be read. A transaction that began early and commits late holds the readers up; it is not overtaken.
//!
//! *The events of a subject come in the order of their versions.* The transaction's own id would not do. A transaction
//! gets its id with its first write, which may well be before it waits for the subject's lock: 90 claims its request,
//! waits for the subject that 100 has locked, and then writes version 2, while 100 wrote version 1. By the writers' ids
//! version 2 would come first. Hence `feed_xid` = GREATEST(own id, `feed_xid` of the subject's event before), decided
//! under the subject's lock: version 2 gets 100 as well, and among equals the version decides.
//!
//! The program stands in the order because two programs may know the same subject.
//!
//! A dump that is restored into another cluster brings numbers of another count along. Its tokens are refused, since
//! the timeline is another; its events are readable again, and new ones of the same subjects, once the new cluster's
//! count has passed theirs: begin such a cluster above it (`pg_resetwal --epoch`). A physical restore needs nothing.

mod append;
mod position;
mod read;

pub use append::{NewEvent, append_in_tx};
pub use position::EventPosition;
pub use read::{EventFilter, EventQuery, StoredEvent, horizon_in_tx, list_in_tx};
