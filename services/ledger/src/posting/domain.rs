//! The state machine of postings: what a command does to an owner's accounts, or why it is refused. Pure.
//!
//! The same function serves the write path, the property tests and whoever wants to know what would happen. Time comes
//! in from outside, ids too; arithmetic is checked.
//!
//! Rules that hold after every decision, and that the property tests hold it to:
//! - the entries of a change sum to zero in every unit;
//! - `available` and `debt` are never below zero, and an owner who owes has nothing available in that unit;
//! - `available` is the sum of what is left in the lots;
//! - each change makes the next version, without gaps.

mod account;
mod change;
mod command;
mod entries;
mod lots;
mod record;
mod state;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod history;
#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;

pub use account::{Account, Lot};
pub use change::{Change, Entry, EntryAccount, LotMovement, TakenBack, TransactionKind};
pub use command::{Command, Earned, Spent, TakeBack};
pub use lots::OPEN_LOTS_MAX;
pub use record::Transaction;
pub use state::OwnerState;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fealty_types::{LotId, Points, UnitCode};

use crate::refusal::Refusal;
use account::LotChange;
use entries::EntryBook;

/// Gives a new id to each lot that a decision opens.
pub type NewLotId<'a> = &'a mut dyn FnMut() -> LotId;

/// What a command did: the change, and the state that it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What happened.
    pub change: Change,
    /// The owner afterwards.
    pub state: OwnerState,
    /// The lots that it changed, as it left them; also those that are empty now and no longer in the state.
    pub lots: Vec<(UnitCode, Lot)>,
}

/// Decides a command at a time. Lots that have ended by then must have been swept before ([`sweep`]): what has ended
/// is nobody's to spend.
pub fn decide(
    state: &OwnerState,
    command: &Command,
    at: DateTime<Utc>,
    new_lot_id: NewLotId<'_>,
) -> Result<Decision, Refusal> {
    let mut after = state.clone();
    let mut draft = Draft::default();
    match command {
        Command::Credit(earned) => draft.credit(&mut after, earned, at, new_lot_id)?,
        Command::Spend(spent) => draft.spend(&mut after, spent)?,
        Command::Purchase(all) => {
            for earned in all {
                draft.credit(&mut after, earned, at, new_lot_id)?;
            }
        }
        Command::Refund(all) => {
            for take_back in all {
                draft.take_back(&mut after, take_back)?;
            }
        }
    }
    Ok(draft.finish(command.kind(), after))
}

/// Writes off the lots that have ended by `at`; `None` if there are none.
#[must_use]
pub fn sweep(state: &OwnerState, at: DateTime<Utc>) -> Option<Decision> {
    let mut after = state.clone();
    let mut draft = Draft::default();
    for (unit_code, account) in &mut after.accounts {
        let (value, lot_changes) = account.sweep(unit_code, at);
        draft.book.post(unit_code, EntryAccount::OwnerAvailable, -value);
        draft.book.post(unit_code, EntryAccount::ProgramExpired, value);
        draft.lot_changes.extend(lot_changes);
    }
    if draft.lot_changes.is_empty() {
        return None;
    }
    Some(draft.finish(TransactionKind::Expire, after))
}

/// A change in the making.
#[derive(Default)]
struct Draft {
    book: EntryBook,
    lot_changes: Vec<LotChange>,
    taken_back: Vec<TakenBack>,
}

impl Draft {
    /// Pays off debt first; the rest lies in a lot.
    fn credit(
        &mut self,
        state: &mut OwnerState,
        earned: &Earned,
        at: DateTime<Utc>,
        new_lot_id: NewLotId<'_>,
    ) -> Result<(), Refusal> {
        let unit = &earned.unit_code;
        if earned.value.is_zero() {
            return Ok(());
        }
        let account = state.account_mut(unit);
        let repaid = account.repay(earned.value);
        let added = earned.value.get() - repaid.get();
        if added > 0 {
            let opened = account.credit(unit, Points::new(added), earned.expire_time, (at, new_lot_id));
            self.lot_changes.extend(opened.ok_or_else(|| overflow(unit))?);
        }
        self.book.post(unit, EntryAccount::OwnerAvailable, added.into());
        self.book.post(unit, EntryAccount::OwnerDebt, repaid.get().into());
        self.book
            .post(unit, EntryAccount::ProgramIssued, -i128::from(earned.value.get()));
        Ok(())
    }

    fn spend(&mut self, state: &mut OwnerState, spent: &Spent) -> Result<(), Refusal> {
        let unit = &spent.unit_code;
        let available = state.available(unit);
        if available < spent.value {
            return Err(Refusal::InsufficientBalance {
                unit_code: unit.clone(),
                available,
                required: spent.value,
            });
        }
        self.lot_changes
            .extend(state.account_mut(unit).take(unit, spent.value, &[]));
        self.book
            .post(unit, EntryAccount::OwnerAvailable, -i128::from(spent.value.get()));
        self.book
            .post(unit, EntryAccount::ProgramRedeemed, spent.value.get().into());
        Ok(())
    }

    /// From what is available, then as debt up to the bound; the program bears the rest.
    fn take_back(&mut self, state: &mut OwnerState, take_back: &TakeBack) -> Result<(), Refusal> {
        let unit = &take_back.unit_code;
        let account = state.account_mut(unit);
        let from_available = take_back.value.min(account.available);
        let missing = take_back.value.get() - from_available.get();
        let room = (take_back.debt_max.get() - account.debt.get()).max(0);
        let as_debt = Points::new(missing.min(room));
        let waived = Points::new(missing - as_debt.get());

        self.lot_changes
            .extend(account.take(unit, from_available, &take_back.lots_first));
        account.debt = account.debt.checked_add(as_debt).ok_or_else(|| overflow(unit))?;
        self.book.post(
            unit,
            EntryAccount::OwnerAvailable,
            -i128::from(from_available.get()),
        );
        self.book
            .post(unit, EntryAccount::OwnerDebt, -i128::from(as_debt.get()));
        self.book
            .post(unit, EntryAccount::ProgramWaived, -i128::from(waived.get()));
        self.book
            .post(unit, EntryAccount::ProgramIssued, take_back.value.get().into());
        self.taken_back.push(TakenBack {
            unit_code: unit.clone(),
            from_available,
            as_debt,
            waived,
        });
        Ok(())
    }

    fn finish(self, kind: TransactionKind, mut state: OwnerState) -> Decision {
        // Each version takes a commit: at a million a second, 2^63 of them last 292,000 years.
        state.version = state
            .version
            .next()
            .expect("no owner lives through 2^63 versions");
        let change = Change {
            kind,
            version: state.version,
            entries: self.book.into_entries(&state),
            lot_movements: self.lot_changes.iter().map(LotChange::movement).collect(),
            taken_back: self.taken_back,
        };
        // Of a lot that was changed twice, the last form counts.
        let lots: BTreeMap<LotId, (UnitCode, Lot)> = self
            .lot_changes
            .into_iter()
            .map(|it| (it.lot.lot_id, (it.unit_code, it.lot)))
            .collect();
        Decision {
            change,
            state,
            lots: lots.into_values().collect(),
        }
    }
}

fn overflow(unit_code: &UnitCode) -> Refusal {
    Refusal::AmountOverflow(unit_code.clone())
}
