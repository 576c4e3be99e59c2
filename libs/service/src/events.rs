//! The event feed: serves what a service did to whoever follows it (`fealty.events.v1.EventService`).
//!
//! Rooms append events in the transaction that makes them true ([`new_event`], [`append_in_tx`]) and call
//! [`FeedWaker::wake`] after the commit. One tailer per process ([`EventFeed::keep_tailing`]) reads what has become
//! readable, at once when it is woken and every 100 ms for what other replicas wrote, and keeps the newest few thousand
//! events in memory. Streams pull from there; one that is behind, or was too slow, reads from Postgres until it has
//! caught up. So nobody holds up anybody, and memory does not grow with those who follow.
//!
//! In which order events come, and why none is skipped, is told in [`fealty_postgres::events`].
//!
//! ```no_run
//! # use fealty_runtime::Tasks;
//! # use fealty_service::ground::Ground;
//! use fealty_service::events::{EventFeed, EventTable, FeedWaker};
//! # fn serve(ground: &Ground, tasks: &Tasks) {
//! let waker = FeedWaker::default();
//! let feed = EventFeed::new(EventTable, ground, waker.clone());
//! let events = feed.grpc(tasks.soft_shutdown());
//! // server: .add_service(limited!(config, EventServiceServer::new(events)))
//! // jobs: feed.keep_tailing()
//! # }
//! ```
//!
//! [`append_in_tx`]: fealty_postgres::events::append_in_tx

mod feed;
mod grpc;
mod metrics;
mod rows;
mod stream;
mod tail;
mod waker;

pub use feed::EventFeed;
pub use grpc::EventGrpc;
pub use rows::{EventRows, EventTable, FeedEvent, event_type_of, new_event};
pub use waker::FeedWaker;
