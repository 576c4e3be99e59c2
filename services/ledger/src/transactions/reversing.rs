//! How reversals take part in postings.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{BudgetCode, OwnerId, ProgramId, TransactionId};
use sqlx::PgConnection;

use super::domain::{Ground, NewReversal, ReversalWork};
use super::{grpc, storage};
use crate::posting::{Moment, Plan, Posted, Room, Seen};
use crate::refusal::Refusal;
use crate::units;

/// The room of reversals. It keeps how much of a transaction was taken back.
#[derive(Debug)]
pub struct Reversing;

/// A reversal to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reversed {
    /// The transaction that did it.
    pub reversal_id: TransactionId,
    /// What it took back.
    pub new: NewReversal,
}

impl Room for Reversing {
    type Work = ReversalWork;
    type Loaded = Ground;
    type Draft = NewReversal;
    type Row = Reversed;

    async fn load_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        works: &[&ReversalWork],
    ) -> Result<Ground, StorageError> {
        let named: HashSet<TransactionId> = works.iter().map(|work| work.transaction_id).collect();
        let ground = Ground {
            units: units::terms_in_tx(&mut *tx, program).await?,
            // Where it is with somebody who is not locked, that is found out, and the call comes again.
            waiting: storage::find_waiting_in_tx(&mut *tx, program, named).await?,
            ..Ground::default()
        };
        // Their owners are locked, so what is read of them stays.
        storage::load_reversed_in_tx(tx, program, ground).await
    }

    fn budget_code<'a>(ground: &'a Ground, work: &'a ReversalWork) -> Option<&'a BudgetCode> {
        ground.transactions.get(&work.transaction_id)?.budget_code()
    }

    /// What waits of a credit is taken back from whoever has it: that is always as much as is left to take back.
    fn holder(ground: &Ground, work: &ReversalWork, at: DateTime<Utc>) -> Option<OwnerId> {
        ground.waiting.holder(work.transaction_id, at)
    }

    fn plan(ground: &Ground, work: &ReversalWork, moment: &Moment) -> Result<Plan<NewReversal>, Refusal> {
        let (command, new) = work.plan(ground, moment)?;
        Ok(Plan {
            command: Some(command),
            // Nobody is active because something is taken back.
            slides: Vec::new(),
            purchase_id: None,
            draft: new,
        })
    }

    fn see(ground: &mut Ground, seen: &Seen<'_>) {
        ground.see(seen);
    }

    fn settle(ground: &mut Ground, _work: &ReversalWork, new: NewReversal, posted: &Posted) -> Reversed {
        ground.settle(&new);
        Reversed {
            reversal_id: posted.transaction.transaction_id,
            new,
        }
    }

    async fn write_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        rows: Vec<Reversed>,
    ) -> Result<(), StorageError> {
        storage::insert_reversals_in_tx(tx, program, &rows).await
    }

    fn present(_work: &ReversalWork, posted: &Posted, row: &Reversed) -> Vec<u8> {
        grpc::encode_reversed(posted, row.new.left)
    }
}
