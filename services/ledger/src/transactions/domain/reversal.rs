//! What the reversal of a transaction comes to. Pure.

use std::collections::HashMap;

use chrono_tz::Tz;
use fealty_types::{BudgetCode, LotId, OwnerId, Points, TransactionId, UnitCode};

use super::Waiting;
use crate::posting::domain::{
    Command, Entry, EntryAccount, GiveBack, Hold, Lot, LotMovement, Part, Portion, Reversal, Reversing,
    TakeBack, TransactionKind, portions,
};
use crate::posting::{Moment, Seen};
use crate::refusal::{Refusal, Resource};
use crate::units::domain::UnitTerms;

/// A transaction to take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversalWork {
    /// Which.
    pub transaction_id: TransactionId,
    /// How many of its points; all that is left of them if the caller does not say.
    pub value: Option<Points>,
    /// The program's days begin and end there.
    pub zone: Tz,
}

/// A transaction as reversals see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversible {
    /// Whose account it was.
    pub owner_id: OwnerId,
    /// What kind of thing happened.
    pub kind: TransactionKind,
    /// What can be taken back of it; nothing of kinds that cannot be reversed.
    pub done: Option<Done>,
    /// How much of it was taken back so far.
    pub reversed: Points,
}

/// What a transaction did that can be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What is counted.
    unit_code: UnitCode,
    /// How many points it gave or took. Above zero.
    value: Points,
    /// Which budget paid for what it gave; `None` for the program itself.
    budget_code: Option<BudgetCode>,
    lots: Lots,
}

/// What a transaction did to lots.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lots {
    /// It credited these.
    Credited(Vec<LotId>),
    /// It took from these, in that order.
    Taken(Vec<Portion>),
}

/// A decided reversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewReversal {
    /// What is taken back.
    pub transaction_id: TransactionId,
    /// How much of it had been taken back before.
    pub value_before: Points,
    /// How much more.
    pub value: Points,
    /// What is left of it afterwards.
    pub left: Points,
}

/// What reversals are judged by.
#[derive(Debug, Default)]
pub struct Ground {
    /// All units.
    pub units: Vec<UnitTerms>,
    /// What waits of the transactions that the works name.
    pub waiting: Waiting,
    /// Those that are there, as they are after the reversals that were decided before.
    pub transactions: HashMap<TransactionId, Reversible>,
    /// Whose account an owner uses, where it is another's.
    pub accounts: HashMap<OwnerId, OwnerId>,
    /// The lots from which they took, open or not, by whose they are; also those of the account that is used now.
    pub lots: HashMap<LotId, HashMap<OwnerId, Lot>>,
}

impl Reversible {
    /// A transaction of which nothing was taken back. `hold` is the one that it captured, as it ended.
    #[must_use]
    pub fn new(
        owner_id: OwnerId,
        kind: TransactionKind,
        (entries, movements): (&[Entry], &[LotMovement]),
        hold: Option<&Hold>,
    ) -> Self {
        let done = match kind {
            TransactionKind::Credit => done(entries, EntryAccount::ProgramIssued, -1, || {
                let came = movements.iter().filter(|moved| moved.value.is_positive());
                Lots::Credited(came.map(|moved| moved.lot_id).collect())
            }),
            TransactionKind::Spend => done(entries, EntryAccount::ProgramRedeemed, 1, || {
                let went = movements.iter().filter(|moved| moved.value.is_negative());
                let taken = went.map(|moved| Portion {
                    lot_id: moved.lot_id,
                    value: Points::new(-moved.value.get()),
                });
                Lots::Taken(taken.collect())
            }),
            TransactionKind::Capture => done(entries, EntryAccount::ProgramRedeemed, 1, || {
                let pins = hold.into_iter().flat_map(|hold| &hold.pins);
                let captured = pins.filter(|pin| pin.captured.is_positive()).map(|pin| Portion {
                    lot_id: pin.lot_id,
                    value: pin.captured,
                });
                Lots::Taken(captured.collect())
            }),
            _ => None,
        };
        Self {
            owner_id,
            kind,
            done: done.filter(Done::is_whole),
            reversed: Points::ZERO,
        }
    }

    /// The budget that has the points again if they are taken back.
    #[must_use]
    pub fn budget_code(&self) -> Option<&BudgetCode> {
        self.done.as_ref()?.budget_code.as_ref()
    }

    /// The lots from which it took.
    pub fn taken_from(&self) -> impl Iterator<Item = LotId> {
        let taken = match self.done.as_ref().map(|done| &done.lots) {
            Some(Lots::Taken(taken)) => taken.as_slice(),
            Some(Lots::Credited(_)) | None => &[],
        };
        taken.iter().map(|portion| portion.lot_id)
    }
}

fn done(entries: &[Entry], account: EntryAccount, sign: i128, lots: impl FnOnce() -> Lots) -> Option<Done> {
    let mut of_account = entries.iter().filter(|entry| entry.account == account).peekable();
    let first = of_account.peek()?;
    let (unit_code, budget_code) = (first.unit_code.clone(), first.budget_code.clone());
    let value: i128 = of_account.map(|entry| sign * i128::from(entry.value.get())).sum();
    let value = i64::try_from(value).ok().filter(|value| *value > 0)?;
    Some(Done {
        unit_code,
        value: Points::new(value),
        budget_code,
        lots: lots(),
    })
}

impl Done {
    /// Whether it is known of all that was taken from where. Of a hold that was captured before that was told, it is not.
    fn is_whole(&self) -> bool {
        match &self.lots {
            Lots::Credited(_) => true,
            Lots::Taken(taken) => {
                let sum: i128 = taken.iter().map(|portion| i128::from(portion.value.get())).sum();
                sum == i128::from(self.value.get())
            }
        }
    }
}

impl ReversalWork {
    /// What it asks of the owner's accounts, or why it is refused.
    pub fn plan(&self, ground: &Ground, moment: &Moment) -> Result<(Command, NewReversal), Refusal> {
        let transaction_id = self.transaction_id;
        let found = ground.transactions.get(&transaction_id);
        let found = found.filter(|found| found.owner_id == moment.owner_id);
        let found = found.ok_or_else(|| Refusal::not_found(Resource::Transaction, transaction_id))?;
        let done = found.done.as_ref().ok_or(Refusal::TransactionNotReversible {
            transaction_id,
            kind: found.kind,
        })?;
        let left = done.value.get() - found.reversed.get();
        let value = self.value.map_or(left, Points::get);
        if value > left || left == 0 {
            return Err(Refusal::ReversalExceedsTransaction {
                transaction_id,
                reversible: Points::new(left),
                // Whoever asks for all that is left asks for something.
                required: Points::new(value.max(1)),
            });
        }
        let new = NewReversal {
            transaction_id,
            value_before: found.reversed,
            value: Points::new(value),
            left: Points::new(left - value),
        };
        let terms = ground.units.iter().find(|unit| unit.code == done.unit_code);
        let terms = terms.ok_or_else(|| Refusal::not_found(Resource::Unit, &done.unit_code))?;
        let how = match &done.lots {
            Lots::Credited(lot_ids) => Reversing::TakeBack(TakeBack {
                unit_code: done.unit_code.clone(),
                value: new.value,
                lots_first: lot_ids.clone(),
                debt_max: terms.owed_max(),
                budget_code: done.budget_code.clone(),
            }),
            Lots::Taken(taken) => Reversing::GiveBack(GiveBack {
                unit_code: done.unit_code.clone(),
                parts: ground.parts(found.owner_id, &portions(taken, new.value_before, new.value)),
                ended: terms.ended_lots(moment.record_time, self.zone),
            }),
        };
        Ok((Command::Reverse(Reversal { transaction_id, how }), new))
    }
}

impl Ground {
    /// What comes back to which lot, as the lots of the account are now that the owner uses.
    fn parts(&self, owner_id: OwnerId, coming: &[Portion]) -> Vec<Part> {
        let account = self.accounts.get(&owner_id).copied().unwrap_or(owner_id);
        coming
            .iter()
            .map(|portion| {
                let of = |owner_id| self.lots.get(&portion.lot_id)?.get(&owner_id).cloned();
                let lot = of(account).unwrap_or_else(|| {
                    let theirs = of(owner_id).expect("what took from a lot was read with its row");
                    Lot {
                        // To this account nothing of it was ever credited.
                        value_credited: Points::ZERO,
                        ..theirs
                    }
                });
                Part {
                    lot,
                    value: portion.value,
                    is_own: account == owner_id,
                }
            })
            .collect()
    }

    /// Another call of the same batch was decided: what it did may be named, and lots are now as it left them.
    pub fn see(&mut self, seen: &Seen<'_>) {
        let (decision, owner_id) = (seen.decision, seen.owner_id);
        self.waiting.see(seen);
        let is_named = self.waiting.named.contains(&seen.transaction_id);
        if is_named {
            let change = &decision.change;
            let hold = decision
                .holds
                .iter()
                .find(|hold| Some(hold.hold_id) == change.hold_id);
            let done = (change.entries.as_slice(), change.lot_movements.as_slice());
            let made = Reversible::new(owner_id, change.kind, done, hold);
            self.transactions.insert(seen.transaction_id, made);
        }
        for (_, lot) in &decision.lots {
            // Also where it is in an account for the first time: what comes back to another's is told by its id.
            if is_named || self.lots.contains_key(&lot.lot_id) {
                let known = self.lots.entry(lot.lot_id).or_default();
                known.insert(owner_id, lot.clone());
            }
        }
    }

    /// A reversal was decided: there is less left of its transaction.
    pub fn settle(&mut self, new: &NewReversal) {
        if let Some(reversed) = self.transactions.get_mut(&new.transaction_id) {
            // A part of the transaction's value.
            reversed.reversed = Points::new(new.value_before.get() + new.value.get());
        }
    }
}

#[cfg(test)]
mod tests;
