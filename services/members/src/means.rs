//! What those rooms are built on that tell the ledger first.

use fealty_service::events::FeedWaker;
use fealty_types::SharedClock;
use fealty_vault::Vault;
use sqlx::postgres::PgPool;

use crate::ledger::LedgerDoor;

/// What a room needs that stores an intention, tells the ledger, and confirms it with an event.
#[derive(Debug, Clone)]
pub struct Means {
    /// The pool of the service's role: one program at a time.
    pub service: PgPool,
    /// The pool of the jobs' role: what was left half-made, in all programs.
    pub jobs: PgPool,
    /// What personal data is sealed with.
    pub vault: Vault,
    /// The way to the ledger.
    pub ledger: LedgerDoor,
    /// The time.
    pub clock: SharedClock,
    /// Tells the feed of new events.
    pub waker: FeedWaker,
}
