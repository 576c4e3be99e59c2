//! Holds: points that are set aside until somebody decides.
//!
//! A hold lies under its owner's lock like lots and accounts, so the posting room keeps it; this room asks for one, ends
//! it, and shows it. One that is left alone ends by itself: postings write that off before they decide anything, and
//! whoever reads counts it in by its time.

pub mod domain;
pub mod grpc;
mod room;
mod storage;

use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{HoldId, ProgramId, SharedClock};
use sqlx::{PgConnection, PgPool};

use crate::posting::{Answer, Call, Posting};
use crate::refusal::{LedgerError, Refusal, Resource};
use domain::{HoldWork, OwnersHold};
pub use room::Holding;

/// The use cases of holds.
#[derive(Debug, Clone)]
pub struct Holds {
    pool: PgPool,
    posting: Posting,
    clock: SharedClock,
}

impl Holds {
    /// Over the service's own role; what changes balances goes through `posting`.
    #[must_use]
    pub const fn new(pool: PgPool, posting: Posting, clock: SharedClock) -> Self {
        Self { pool, posting, clock }
    }

    /// Sets points aside, or ends a hold.
    pub async fn post(&self, program: ProgramId, call: Call<HoldWork>) -> Result<Answer, LedgerError> {
        self.posting.post_one::<Holding>(program, call).await
    }

    /// One hold, as it is now.
    pub async fn get(&self, program: ProgramId, hold_id: HoldId) -> Result<OwnersHold, LedgerError> {
        let options = TransactOptions::read_only();
        let found = transact(&self.pool, "get_hold", Scope::Program(program), options, |tx| {
            in_tx(async move { storage::find_many_in_tx(tx, program, &[hold_id]).await })
        });
        let found: Vec<OwnersHold> = found.await?;
        let found = found.into_iter().next();
        let found = found.ok_or_else(|| Refusal::not_found(Resource::Hold, hold_id))?;
        Ok(OwnersHold {
            hold: found.hold.as_of(self.clock.now()),
            ..found
        })
    }
}

/// Those that are there, in no order, read in the caller's transaction.
pub async fn find_many_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    hold_ids: &[HoldId],
) -> Result<Vec<OwnersHold>, StorageError> {
    if hold_ids.is_empty() {
        return Ok(Vec::new());
    }
    storage::find_many_in_tx(tx, program, hold_ids).await
}
