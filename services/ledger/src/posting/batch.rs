//! Decides a batch: call by call in order, each accepted or refused on its own. Pure but for the ids that it draws.

mod sides;
#[cfg(test)]
mod tests;
mod transferring;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use fealty_types::{LotId, OwnerId, ProgramId};

use super::books::{Books, Closed};
use super::call::{Answer, Call};
use super::domain::{self, Barred, Command, OwnerState, Transaction, TransactionKind};
use super::room::{Moment, Plan, Posted, Room, Seen, is_remembered};
use super::storage::{Earlier, EarlierRequest, NewTransaction, Outcome, OwnerChange};
use crate::balances::domain::OwnerBalance;
use crate::budgets::Funds;
use crate::refusal::Refusal;
use crate::spending::domain::{Spender, Spending};
use sides::Sides;

/// What was read under the owners' locks.
pub(super) struct Ground<R: Room> {
    /// Of all calls.
    pub(super) program: ProgramId,
    /// Later than the locks.
    pub(super) now: DateTime<Utc>,
    /// The owners that were named, and those to whom they are led. Others do not exist.
    pub(super) owners: HashMap<OwnerId, OwnerState>,
    /// Who bore these request ids and receipts before.
    pub(super) earlier: Earlier,
    /// The budgets that pay, or get something back.
    pub(super) funds: Funds,
    /// What was spent of the accounts by whoever has limits.
    pub(super) spending: Spending,
    /// What the room read.
    pub(super) room: R::Loaded,
    /// How a refusal is stored and sent.
    pub(super) encode_refusal: fn(&Refusal) -> Vec<u8>,
}

/// What is to be written, and what each call is answered.
pub(super) struct Decided<R: Room> {
    /// One per call, in their order.
    pub(super) answers: Vec<Result<Answer, Refusal>>,
    /// To record or remember, in the order of decision.
    pub(super) transactions: Vec<NewTransaction>,
    /// Owners that changed, by id.
    pub(super) owners: Vec<OwnerChange>,
    /// Of the calls' room.
    pub(super) rows: Vec<R::Row>,
    /// The newest balances of the owners that changed.
    pub(super) balances: Vec<OwnerBalance>,
    /// All owners as they are then.
    pub(super) states: HashMap<OwnerId, OwnerState>,
    /// The budgets as they are then.
    pub(super) funds: Funds,
    /// What was spent, as it is then.
    pub(super) spending: Spending,
}

/// Decides the calls of a batch in their order. What one does, the next ones see: also its request id and its receipt.
pub(super) fn decide<'a, R: Room>(
    ground: Ground<R>,
    calls: impl IntoIterator<Item = &'a Call<R::Work>>,
) -> Decided<R>
where
    R::Work: 'a,
{
    let mut batch = Batch::<R>::new(ground);
    let answers = calls.into_iter().map(|call| batch.answer(call)).collect();
    batch.finish(answers)
}

struct Batch<R: Room> {
    now: DateTime<Utc>,
    earlier: Earlier,
    funds: Funds,
    spending: Spending,
    room: R::Loaded,
    encode_refusal: fn(&Refusal) -> Vec<u8>,
    books: Books,
    rows: Vec<R::Row>,
}

impl<R: Room> Batch<R> {
    fn new(ground: Ground<R>) -> Self {
        Self {
            now: ground.now,
            earlier: ground.earlier,
            funds: ground.funds,
            spending: ground.spending,
            room: ground.room,
            encode_refusal: ground.encode_refusal,
            books: Books::open(ground.program, ground.owners),
            rows: Vec::new(),
        }
    }

    fn answer(&mut self, call: &Call<R::Work>) -> Result<Answer, Refusal> {
        self.books.trace_as(call.trace_parent.as_deref());
        if let Some(earlier) = self.earlier.requests.get(&call.request_id) {
            if earlier.command_hash != call.command_hash {
                return Err(Refusal::RequestIdReused(call.request_id));
            }
            return Ok(Answer {
                accepted: earlier.accepted,
                replayed: true,
                message: earlier.answer.clone(),
            });
        }
        let sides = self.sides_of(call)?;
        let record_time = sides
            .accounts()
            .map(|account| self.owner(account).last_time)
            .fold(self.now, DateTime::max);
        let moment = Moment {
            owner_id: call.owner_id,
            account_owner_id: sides.account,
            transaction_id: call.transaction_id(),
            // A clock that runs ahead of ours: it has happened by now, since we know of it.
            occur_time: call.occur_time.map_or(record_time, |time| time.min(record_time)),
            record_time,
        };
        let (accepted, message) = match self.decide(call, &moment, sides) {
            Ok(message) => (true, message),
            Err(refusal) if is_remembered(&refusal) => (
                false,
                self.remember(call, call.transaction(&moment, sides.account), &refusal),
            ),
            Err(refusal) => return Err(refusal),
        };
        Ok(Answer {
            accepted,
            replayed: false,
            message,
        })
    }

    /// An owner that was read.
    fn owner(&self, owner_id: OwnerId) -> &OwnerState {
        let owner = self.books.find(owner_id);
        owner.expect("whoever was named was read with those to whom they are led")
    }

    fn remember(&mut self, call: &Call<R::Work>, asked: Transaction, refusal: &Refusal) -> Vec<u8> {
        let message = (self.encode_refusal)(refusal);
        self.record(NewTransaction {
            transaction: asked,
            outcome: Outcome::Refused,
            command_hash: Some(call.command_hash),
            answer: Some(message.clone()),
            trace_parent: None,
            chain_hash: None,
        });
        message
    }

    fn decide(&mut self, call: &Call<R::Work>, moment: &Moment, sides: Sides) -> Result<Vec<u8>, Refusal> {
        let account = sides.account;
        self.require_new_receipt(call)?;
        self.require_standing(call.kind, call.owner_id, account)?;
        self.require_counterpart(call, sides)?;
        // What has ended is written off whether the command is accepted or not, and known to who plans it.
        for account in sides.accounts() {
            let (books, room) = (&mut self.books, &mut self.room);
            books.sweep_each(account, moment.record_time, |seen| R::see(room, seen));
        }
        let Plan {
            command,
            slides,
            purchase_id,
            draft,
        } = R::plan(&self.room, &call.work, moment)?;
        let state = self.owner(account);
        let spender = self.spender(call, account);
        let counted = match &command {
            Some(command) => self.spending.plan(spender, state, command, moment.record_time)?,
            None => None,
        };
        let mut posted = Posted {
            transaction: Transaction {
                purchase_id,
                ..call.transaction(moment, account)
            },
            received: None,
            taken_back: Vec::new(),
            given_back: None,
            holds: Vec::new(),
            balance: OwnerBalance::of(account, state, moment.record_time),
        };
        let mut outcome = Outcome::Unchanged;
        if let (Some(Command::Send(spent)), Some(counterpart)) = (&command, sides.counterpart) {
            self.transfer(call, &mut posted, spent, counterpart)?;
            outcome = Outcome::Posted;
        } else if let Some(command) = command {
            let (at, mut opened) = (moment.record_time, Vec::new());
            let decision = domain::decide(state, &command, &slides, at, &mut new_lot_ids(at, &mut opened))?;
            self.funds.settle(&decision.change, at)?;
            posted.taken_back.clone_from(&decision.change.taken_back);
            posted.given_back.clone_from(&decision.change.given_back);
            posted.holds.clone_from(&decision.holds);
            posted.balance = OwnerBalance::of(account, &decision.state, at);
            let seen = Seen {
                transaction_id: moment.transaction_id,
                owner_id: account,
                decision: &decision,
            };
            R::see(&mut self.room, &seen);
            self.books.opened(opened);
            self.books.apply(&mut posted.transaction, decision);
            outcome = Outcome::Posted;
        }
        if let Some(counted) = counted {
            self.spending.count(counted);
        }
        let row = R::settle(&mut self.room, &call.work, draft, &posted);
        let message = R::present(&call.work, &posted, &row);
        self.rows.push(row);
        self.record(NewTransaction {
            transaction: posted.transaction,
            outcome,
            command_hash: Some(call.command_hash),
            answer: Some(message.clone()),
            trace_parent: None,
            chain_hash: None,
        });
        Ok(message)
    }

    /// Refuses a receipt that something else was recorded by.
    fn require_new_receipt(&self, call: &Call<R::Work>) -> Result<(), Refusal> {
        let Some(receipt) = call.receipt() else {
            return Ok(());
        };
        let Some(transaction_id) = self.earlier.receipts.get(&receipt).copied() else {
            return Ok(());
        };
        let (source, receipt_id) = receipt;
        Err(Refusal::ReceiptAlreadyUsed {
            source,
            receipt_id,
            transaction_id,
        })
    }

    /// Refuses what is not for an owner of that status: neither of whom was named nor of whose account it is.
    fn require_standing(
        &self,
        kind: TransactionKind,
        named: OwnerId,
        account: OwnerId,
    ) -> Result<(), Refusal> {
        let meant = self.owner(named).standing.merged_into_owner_id;
        for owner_id in [named, meant.unwrap_or(account), account] {
            let status = self.owner(owner_id).standing.status;
            if let Some(barred) = domain::barred(status, kind) {
                return Err(refusal_of(barred, owner_id));
            }
        }
        Ok(())
    }

    /// Keeps what was decided for the writes, and for the calls after it.
    fn record(&mut self, new: NewTransaction) {
        let it = &new.transaction;
        let earlier = &mut self.earlier;
        if let (Some(receipt_id), Outcome::Posted) = (&it.receipt_id, new.outcome) {
            let receipt = (it.source.clone(), receipt_id.clone());
            earlier.receipts.insert(receipt, it.transaction_id);
        }
        if let (Some(request_id), Some(command_hash), Some(answer)) =
            (it.request_id, new.command_hash, &new.answer)
        {
            let request = EarlierRequest {
                command_hash: command_hash.to_vec(),
                accepted: new.outcome != Outcome::Refused,
                answer: answer.clone(),
            };
            earlier.requests.insert(request_id, request);
        }
        self.books.push(new);
    }

    fn finish(self, answers: Vec<Result<Answer, Refusal>>) -> Decided<R> {
        let Closed {
            transactions,
            owners,
            balances,
            states,
        } = self.books.close();
        Decided {
            answers,
            transactions,
            owners,
            rows: self.rows,
            balances,
            states,
            funds: self.funds,
            spending: self.spending,
        }
    }
}

/// Draws ids of lots, and keeps what it drew.
fn new_lot_ids(at: DateTime<Utc>, drawn: &mut Vec<LotId>) -> impl FnMut() -> LotId {
    move || {
        let lot_id = LotId::generate_at(at);
        drawn.push(lot_id);
        lot_id
    }
}

fn refusal_of(barred: Barred, owner_id: OwnerId) -> Refusal {
    match barred {
        Barred::Suspended => Refusal::OwnerSuspended(owner_id),
        Barred::Closed => Refusal::OwnerClosed(owner_id),
    }
}
