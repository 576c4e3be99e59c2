//! Transactions: points that are given, taken and sent for other reasons than a purchase, and the record of everything
//! that ever happened to an owner.

mod activating;
pub mod domain;
pub mod grpc;
mod holders;
mod lot_life;
mod reversing;
mod room;
mod storage;
mod transferring;

use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{OwnerId, ProgramId, SharedClock, TransactionId, Version};
use sqlx::{PgConnection, PgPool};

use crate::posting::domain::Transaction;
use crate::posting::{Answer, Call, Group, Posting};
use crate::refusal::{LedgerError, Refusal, Resource};
pub use activating::{Activating, ActivatingWork};
use domain::{
    LOOKED_THROUGH_MAX, LotLife, LotLifeOf, PointsWork, Statement, StatementOf, StatementPosition,
    TransferWork,
};
pub use reversing::{Reversed, Reversing};
pub use room::Points;
pub use transferring::Transferring;

/// The use cases of transactions.
#[derive(Debug, Clone)]
pub struct Transactions {
    pool: PgPool,
    posting: Posting,
    clock: SharedClock,
}

impl Transactions {
    /// Over the service's own role; what changes balances goes through `posting`.
    #[must_use]
    pub const fn new(pool: PgPool, posting: Posting, clock: SharedClock) -> Self {
        Self { pool, posting, clock }
    }

    /// Credits or spends points, or corrects a balance.
    pub async fn post(&self, program: ProgramId, call: Call<PointsWork>) -> Result<Answer, LedgerError> {
        self.posting.post_one::<Points>(program, call).await
    }

    /// Sends points to another owner.
    pub async fn transfer(
        &self,
        program: ProgramId,
        call: Call<TransferWork>,
    ) -> Result<Answer, LedgerError> {
        self.posting.post_one::<Transferring>(program, call).await
    }

    /// Credits, spends and corrections, each as if it came alone.
    pub async fn post_many(
        &self,
        program: ProgramId,
        calls: Vec<Call<PointsWork>>,
    ) -> Vec<Result<Answer, LedgerError>> {
        self.posting.post_many::<Points>(program, calls).await
    }

    /// Credits, spends and corrections that take effect together or not at all.
    pub async fn post_group(
        &self,
        program: ProgramId,
        calls: Vec<Call<PointsWork>>,
    ) -> Result<Group, LedgerError> {
        self.posting.post_all_or_nothing::<Points>(program, calls).await
    }

    /// One transaction.
    pub async fn get(&self, program: ProgramId, id: TransactionId) -> Result<Transaction, LedgerError> {
        let options = TransactOptions::read_only();
        transact(
            &self.pool,
            "get_transaction",
            Scope::Program(program),
            options,
            |tx| {
                in_tx(async move {
                    let found = storage::find_in_tx(tx, program, id).await?;
                    found.ok_or_else(|| Refusal::not_found(Resource::Transaction, id).into())
                })
            },
        )
        .await
    }

    /// An owner's transactions, newest first.
    pub async fn list(&self, program: ProgramId, asked: &StatementOf) -> Result<Statement, LedgerError> {
        let options = TransactOptions::read_only();
        transact(
            &self.pool,
            "list_transactions",
            Scope::Program(program),
            options,
            |tx| in_tx(list_in_tx(tx, program, asked)),
        )
        .await
    }

    /// A part of a lot's life, oldest first.
    pub async fn list_lot_movements(
        &self,
        program: ProgramId,
        asked: &LotLifeOf,
    ) -> Result<LotLife, LedgerError> {
        let options = TransactOptions::read_only();
        transact(
            &self.pool,
            "list_lot_movements",
            Scope::Program(program),
            options,
            |tx| in_tx(lot_life::list_in_tx(tx, program, asked)),
        )
        .await
    }
}

async fn list_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    asked: &StatementOf,
) -> Result<Statement, LedgerError> {
    let before = if let Some(before) = asked.before {
        before
    } else {
        let (owner_id, newest) = get_account_in_tx(&mut *tx, program, asked.owner_id).await?;
        let version = newest.next().unwrap_or(newest);
        StatementPosition { owner_id, version }
    };
    let transactions = storage::list_in_tx(tx, program, before, asked).await?;
    let looked_to = before.version.get() - LOOKED_THROUGH_MAX;
    Ok(Statement {
        transactions,
        // The first transaction makes version 1.
        looked_to: Version::try_new(looked_to)
            .ok()
            .filter(|version| version.get() > 1)
            .map(|version| StatementPosition { version, ..before }),
    })
}

async fn get_account_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<(OwnerId, Version), LedgerError> {
    let found = storage::find_account_in_tx(tx, program, owner_id).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::Owner, owner_id).into())
}
