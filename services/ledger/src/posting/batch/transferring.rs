//! A call that names two owners.

use fealty_types::{LotId, OwnerId};

use super::{Batch, Call, Posted, Refusal, Room, Seen, Sides, Transaction, domain};
use crate::balances::domain::OwnerBalance;
use crate::posting::domain::{Counterpart, Moved, Spent};

impl<R: Room> Batch<R> {
    /// Refuses a receiver who is the sender by another name, and one who may not receive.
    pub(super) fn require_counterpart(&self, call: &Call<R::Work>, sides: Sides) -> Result<(), Refusal> {
        let Some((named, account)) = call.counterpart_id.zip(sides.counterpart) else {
            return Ok(());
        };
        if account == sides.account {
            return Err(Refusal::TransferToSelf(account));
        }
        self.require_standing(call.kind, named, account)
    }

    /// Decides a transfer of the sender in `posted`, and keeps the receiver's side of it.
    pub(super) fn transfer(
        &mut self,
        call: &Call<R::Work>,
        posted: &mut Posted,
        spent: &Spent,
        counterpart: OwnerId,
    ) -> Result<(), Refusal> {
        let (account, at) = (posted.transaction.owner_id, posted.transaction.record_time);
        let mut new_lot_id = || LotId::generate_at(at);
        let (from, into) = (self.owner(account), self.owner(counterpart));
        let Moved { from, into } = domain::transfer(from, into, spent, at, &mut new_lot_id)?;
        let named = call.counterpart_id.filter(|named| *named != counterpart);
        let mut received = Transaction {
            on_behalf_of: named,
            source: call.source.clone(),
            actor: call.actor.clone(),
            reason: call.reason.clone(),
            occur_time: posted.transaction.occur_time,
            counterpart: Some(Counterpart {
                transaction_id: posted.transaction.transaction_id,
                owner_id: account,
            }),
            ..Transaction::by_ledger(counterpart, at)
        };
        posted.transaction.counterpart = Some(Counterpart {
            transaction_id: received.transaction_id,
            owner_id: counterpart,
        });
        posted.balance = OwnerBalance::of(account, &from.state, at);
        for (transaction, decision) in [(&posted.transaction, &from), (&received, &into)] {
            let seen = Seen {
                transaction_id: transaction.transaction_id,
                owner_id: transaction.owner_id,
                decision,
            };
            R::see(&mut self.room, &seen);
        }
        self.books.apply(&mut posted.transaction, from);
        self.books.apply(&mut received, into);
        self.books.push_by_ledger(received.clone());
        posted.received = Some(received);
        Ok(())
    }
}
