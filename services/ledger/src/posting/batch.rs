//! Decides a batch: call by call in order, each accepted or refused on its own. Pure but for the ids that it draws.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use fealty_types::{HoldId, LotId, OwnerId, TransactionId, UnitCode, Version};

use super::domain::{self, Change, Decision, Hold, Lot, OwnerState, Transaction, TransactionKind};
use super::post::{Answer, Call};
use super::room::{Moment, Plan, Posted, Room, is_remembered};
use super::storage::{Earlier, EarlierRequest, NewTransaction, Outcome, OwnerChange};
use crate::balances::domain::OwnerBalance;
use crate::refusal::{Refusal, Resource};

/// Who acts when time does.
const ACTOR_LEDGER: &str = "ledger";

/// What was read under the owners' locks.
pub(super) struct Ground<R: Room> {
    /// Later than the locks.
    pub(super) now: DateTime<Utc>,
    /// Owners that are not here do not exist.
    pub(super) owners: HashMap<OwnerId, OwnerState>,
    /// Who bore these request ids and receipts before.
    pub(super) earlier: Earlier,
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
}

/// Decides the calls of a batch in their order. What one does, the next ones see: also its request id and its receipt.
pub(super) fn decide<R: Room>(ground: Ground<R>, calls: &[Call<R::Work>]) -> Decided<R> {
    let mut batch = Batch::<R>::new(ground);
    let answers = calls.iter().map(|call| batch.answer(call)).collect();
    batch.finish(answers)
}

struct Batch<R: Room> {
    ground: Ground<R>,
    transactions: Vec<NewTransaction>,
    rows: Vec<R::Row>,
    touched: BTreeMap<OwnerId, Touched>,
}

/// What a batch has done to an owner so far.
struct Touched {
    before: OwnerState,
    lots: BTreeMap<LotId, (UnitCode, Lot)>,
    holds: BTreeMap<HoldId, Hold>,
}

impl<R: Room> Batch<R> {
    const fn new(ground: Ground<R>) -> Self {
        Self {
            ground,
            transactions: Vec::new(),
            rows: Vec::new(),
            touched: BTreeMap::new(),
        }
    }

    fn answer(&mut self, call: &Call<R::Work>) -> Result<Answer, Refusal> {
        if let Some(earlier) = self.ground.earlier.requests.get(&call.request_id) {
            if earlier.command_hash != call.command_hash {
                return Err(Refusal::RequestIdReused(call.request_id));
            }
            return Ok(Answer {
                accepted: earlier.accepted,
                replayed: true,
                message: earlier.answer.clone(),
            });
        }
        let owner = self.ground.owners.get(&call.owner_id);
        let owner = owner.ok_or_else(|| Refusal::not_found(Resource::Owner, call.owner_id))?;
        let record_time = self.ground.now.max(owner.last_time);
        let moment = Moment {
            owner_id: call.owner_id,
            transaction_id: TransactionId::generate_at(record_time),
            // A clock that runs ahead of ours: it has happened by now, since we know of it.
            occur_time: call.occur_time.map_or(record_time, |time| time.min(record_time)),
            record_time,
        };
        let (accepted, message) = match self.decide(call, &moment) {
            Ok(message) => (true, message),
            Err(refusal) if is_remembered(&refusal) => (false, self.remember(call, &moment, &refusal)),
            Err(refusal) => return Err(refusal),
        };
        Ok(Answer {
            accepted,
            replayed: false,
            message,
        })
    }

    fn remember(&mut self, call: &Call<R::Work>, moment: &Moment, refusal: &Refusal) -> Vec<u8> {
        let message = (self.ground.encode_refusal)(refusal);
        self.record(NewTransaction {
            transaction: call.transaction(moment),
            outcome: Outcome::Refused,
            command_hash: Some(call.command_hash),
            answer: Some(message.clone()),
        });
        message
    }

    fn decide(&mut self, call: &Call<R::Work>, moment: &Moment) -> Result<Vec<u8>, Refusal> {
        if let Some(receipt) = call.receipt()
            && let Some(transaction_id) = self.ground.earlier.receipts.get(&receipt)
        {
            let (source, receipt_id) = receipt;
            return Err(Refusal::ReceiptAlreadyUsed {
                source,
                receipt_id,
                transaction_id: *transaction_id,
            });
        }
        let Plan {
            command,
            purchase_id,
            draft,
        } = R::plan(&self.ground.room, &call.work, moment)?;
        // What has ended is written off whether the command is accepted or not.
        self.sweep(moment);
        let state = &self.ground.owners[&moment.owner_id];
        let mut posted = Posted {
            transaction: Transaction {
                purchase_id,
                ..call.transaction(moment)
            },
            taken_back: Vec::new(),
            holds: Vec::new(),
            balance: OwnerBalance::of(moment.owner_id, state, moment.record_time),
        };
        let mut outcome = Outcome::Unchanged;
        if let Some(command) = command {
            let mut new_lot_id = || LotId::generate_at(moment.record_time);
            let decision = domain::decide(state, &command, moment.record_time, &mut new_lot_id)?;
            posted.taken_back.clone_from(&decision.change.taken_back);
            posted.holds.clone_from(&decision.holds);
            posted.balance = OwnerBalance::of(moment.owner_id, &decision.state, moment.record_time);
            self.apply(&mut posted.transaction, decision);
            outcome = Outcome::Posted;
        }
        let row = R::settle(&mut self.ground.room, &call.work, draft, &posted);
        let message = R::present(&call.work, &posted, &row);
        self.rows.push(row);
        self.record(NewTransaction {
            transaction: posted.transaction,
            outcome,
            command_hash: Some(call.command_hash),
            answer: Some(message.clone()),
        });
        Ok(message)
    }

    /// Writes off what has ended, in transactions of their own.
    fn sweep(&mut self, moment: &Moment) {
        while let Some(decision) = domain::sweep(&self.ground.owners[&moment.owner_id], moment.record_time) {
            self.record_swept(moment, decision);
        }
    }

    fn record_swept(&mut self, moment: &Moment, decision: Decision) {
        let mut transaction = Transaction {
            transaction_id: TransactionId::generate_at(moment.record_time),
            kind: decision.change.kind,
            source: String::new(),
            receipt_id: None,
            purchase_id: None,
            money: None,
            actor: ACTOR_LEDGER.to_owned(),
            reason: String::new(),
            request_id: None,
            occur_time: swept_time(&decision.change, &decision.holds).unwrap_or(moment.record_time),
            owner_id: moment.owner_id,
            version: Version::ZERO,
            entries: Vec::new(),
            lot_movements: Vec::new(),
            record_time: moment.record_time,
        };
        self.apply(&mut transaction, decision);
        self.record(NewTransaction {
            transaction,
            outcome: Outcome::Posted,
            command_hash: None,
            answer: None,
        });
    }

    /// Takes a decision over into the owner's state, and into its transaction.
    fn apply(&mut self, transaction: &mut Transaction, decision: Decision) {
        let Decision {
            change,
            mut state,
            lots,
            holds,
        } = decision;
        state.last_time = transaction.record_time;
        transaction.version = change.version;
        transaction.kind = change.kind;
        transaction.entries = change.entries;
        transaction.lot_movements = change.lot_movements;
        let before = self.ground.owners.insert(transaction.owner_id, state);
        let before = before.expect("a decision is about an owner that was read");
        let touched = self.touched.entry(transaction.owner_id);
        let touched = touched.or_insert_with(|| Touched {
            before,
            lots: BTreeMap::new(),
            holds: BTreeMap::new(),
        });
        touched
            .holds
            .extend(holds.into_iter().map(|hold| (hold.hold_id, hold)));
        touched
            .lots
            .extend(lots.into_iter().map(|(unit, lot)| (lot.lot_id, (unit, lot))));
    }

    /// Keeps what was decided for the writes, and for the calls after it.
    fn record(&mut self, new: NewTransaction) {
        let it = &new.transaction;
        let earlier = &mut self.ground.earlier;
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
        self.transactions.push(new);
    }

    fn finish(self, answers: Vec<Result<Answer, Refusal>>) -> Decided<R> {
        let mut owners = Vec::with_capacity(self.touched.len());
        let mut balances = Vec::with_capacity(self.touched.len());
        for (owner_id, Touched { before, lots, holds }) in self.touched {
            let after = &self.ground.owners[&owner_id];
            balances.push(OwnerBalance::of(owner_id, after, after.last_time));
            let changed = after
                .accounts
                .iter()
                .filter(|(unit, account)| before.accounts.get(*unit) != Some(account));
            owners.push(OwnerChange {
                owner_id,
                version_before: before.version,
                version: after.version,
                last_time: after.last_time,
                accounts: changed
                    .map(|(unit, account)| (unit.clone(), account.clone()))
                    .collect(),
                lots: lots.into_values().collect(),
                holds: holds.into_values().collect(),
            });
        }
        Decided {
            answers,
            transactions: self.transactions,
            owners,
            rows: self.rows,
            balances,
        }
    }
}

/// When what time did by itself happened. The ends of lots may differ: each movement names its own, and the transaction
/// the last.
fn swept_time(change: &Change, holds: &[Hold]) -> Option<DateTime<Utc>> {
    if change.kind == TransactionKind::Release {
        return holds.first().map(|hold| hold.expire_time);
    }
    let movements = change.lot_movements.iter();
    movements.filter_map(|movement| movement.expire_time).max()
}
