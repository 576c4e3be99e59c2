//! Purchases and refunds: what a till sends.
//!
//! A purchase and its points are recorded together or not at all: this room takes part in postings through its two
//! doors ([`Recording`], [`Refunding`]) and keeps, beside the transactions, which rule gave what and what refunds took
//! back of it.

pub mod domain;
pub mod grpc;
mod recording;
mod refunding;
mod storage;

use std::cmp::Reverse;
use std::time::Duration;

use fealty_postgres::transact::Isolation;
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{OwnerId, ProgramId, PurchaseId, SharedClock};
use sqlx::{PgConnection, PgPool};

use crate::posting::Posting;
use crate::refusal::{LedgerError, Refusal, Resource};
use crate::{owners, rules, units};
use domain::{Purchase, PurchasePosition, Sums, SumsFilter, Terms};
pub use recording::{NewPurchase, Recording};
pub use refunding::{Ground, NewRefund, Refunded, Refunding};

/// Longest sum. A million purchases and what they earned take about 1.5 s on two cores; the transaction reads only, so
/// no reader of an event feed waits for it. Within the ten seconds that a call may take unless its caller says more.
const SUMMARIZE_DURATION_MAX: Duration = Duration::from_secs(8);

/// The use cases of purchases.
#[derive(Debug, Clone)]
pub struct Purchases {
    pool: PgPool,
    posting: Posting,
    clock: SharedClock,
}

impl Purchases {
    /// Over the service's own role; purchases and refunds are posted through `posting`.
    #[must_use]
    pub const fn new(pool: PgPool, posting: Posting, clock: SharedClock) -> Self {
        Self { pool, posting, clock }
    }

    /// One purchase.
    pub async fn get(&self, program: ProgramId, purchase_id: PurchaseId) -> Result<Purchase, LedgerError> {
        let options = TransactOptions::read_only();
        let found = transact(
            &self.pool,
            "get_purchase",
            Scope::Program(program),
            options,
            |tx| in_tx(async move { storage::find_many_in_tx(tx, program, &[purchase_id]).await }),
        );
        let found: Vec<Purchase> = found.await?;
        let purchase = found.into_iter().next();
        purchase.ok_or_else(|| Refusal::not_found(Resource::Purchase, purchase_id).into())
    }

    /// An owner's purchases before a position, and those of everybody who was merged into them, the latest recorded first.
    pub async fn list(
        &self,
        program: ProgramId,
        owner_id: OwnerId,
        before: Option<PurchasePosition>,
        count_max: i64,
    ) -> Result<Vec<Purchase>, LedgerError> {
        let options = TransactOptions::read_only();
        transact(
            &self.pool,
            "list_purchases",
            Scope::Program(program),
            options,
            |tx| {
                in_tx(async move {
                    let owner_ids = owners::one_person_in_tx(&mut *tx, program, owner_id).await?;
                    let mut found = Vec::new();
                    for owner_id in owner_ids {
                        let theirs = storage::list_in_tx(&mut *tx, program, owner_id, before, count_max);
                        found.extend(theirs.await?);
                    }
                    found.sort_unstable_by_key(|purchase| Reverse(PurchasePosition::from(purchase)));
                    found.truncate(usize::try_from(count_max).unwrap_or_default());
                    Ok(found)
                })
            },
        )
        .await
    }

    /// What a source has sent, all of one instant.
    pub async fn summarize(&self, program: ProgramId, filter: &SumsFilter) -> Result<Sums, LedgerError> {
        let options = TransactOptions::read_only()
            .isolation(Isolation::RepeatableRead)
            .duration_max(SUMMARIZE_DURATION_MAX);
        transact(
            &self.pool,
            "summarize_purchases",
            Scope::Program(program),
            options,
            |tx| in_tx(async move { Ok(storage::summarize_in_tx(tx, program, filter).await?) }),
        )
        .await
    }
}

/// What purchases of a program are judged by, read in the caller's transaction.
async fn terms_in_tx(tx: &mut PgConnection, program: ProgramId) -> Result<Terms, StorageError> {
    Ok(Terms {
        rules: rules::all_in_tx(&mut *tx, program).await?,
        units: units::terms_in_tx(tx, program).await?,
    })
}
