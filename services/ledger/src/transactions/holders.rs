//! Calls about what waits of a credit: they have to find out who has it by now.
//!
//! That is looked up before anything is locked, so that the call knows whose locks it needs. It may be somebody else's when
//! the locks are there: then nothing is decided, and it is looked up again.

use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{ProgramId, TransactionId};

use super::domain::{Holder, ReversalWork};
use super::{Activating, ActivatingWork, Reversing, Transactions, storage};
use crate::posting::domain::Transaction;
use crate::posting::{Answer, Call};
use crate::refusal::{LedgerError, Refusal, Resource};

/// Looks for who has it. Each more needs another move of the same points in between, which happens to an owner a few times
/// in their life.
const LOOKS_MAX: u32 = 5;

impl Transactions {
    /// Lets begin what waits of a credit. The call is about whom it is given.
    pub async fn activate(
        &self,
        program: ProgramId,
        credited_by: TransactionId,
        call: impl Fn(Holder) -> Call<ActivatingWork> + Send,
    ) -> Result<Answer, LedgerError> {
        let mut looks = 1;
        loop {
            let holder = self.find_holder(program, credited_by).await?;
            let answered = self.posting.post_one::<Activating>(program, call(holder)).await;
            if !is_elsewhere(&answered) || looks == LOOKS_MAX {
                return answered;
            }
            looks += 1;
        }
    }

    /// Takes back a transaction. The call is about its owner, and about whoever has what waits of it.
    pub async fn reverse(
        &self,
        program: ProgramId,
        reversed: &Transaction,
        call: Call<ReversalWork>,
    ) -> Result<Answer, LedgerError> {
        let mut looks = 1;
        loop {
            let holder = self.find_holder(program, reversed.transaction_id).await?;
            let call = Call {
                counterpart_id: Some(holder.owner_id).filter(|holder| *holder != reversed.owner_id),
                ..call.clone()
            };
            let answered = self.posting.post_one::<Reversing>(program, call).await;
            if !is_elsewhere(&answered) || looks == LOOKS_MAX {
                return answered;
            }
            looks += 1;
        }
    }

    /// Who has what waits of the points that a transaction gave, else whose they were when it gave them.
    async fn find_holder(&self, program: ProgramId, id: TransactionId) -> Result<Holder, LedgerError> {
        let options = TransactOptions::read_only();
        transact(
            &self.pool,
            "find_pending_owner",
            Scope::Program(program),
            options,
            |tx| {
                in_tx(async move {
                    let found = storage::find_holder_in_tx(tx, program, id).await?;
                    found.ok_or_else(|| Refusal::not_found(Resource::Transaction, id).into())
                })
            },
        )
        .await
    }
}

fn is_elsewhere(answered: &Result<Answer, LedgerError>) -> bool {
    matches!(answered, Err(LedgerError::Refused(Refusal::HeldElsewhere(_))))
}
