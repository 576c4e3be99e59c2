//! What moves from one owner to another when a household is joined or owners are merged: everything.
//!
//! Each of the two has a change of their own. Between them the points lie in the program's account
//! [`EntryAccount::ProgramMoved`]: what the one change puts there, the other takes, so that it is empty after both.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use fealty_types::{LotId, Points, UnitCode};

use super::pending::emptied;
use super::{Account, Decision, Draft, EntryAccount, Lot, NewLotId, OwnerState, TransactionKind, overflow};
use crate::refusal::Refusal;

/// What a move did to both owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// To whom had it.
    pub from: Decision,
    /// To whom has it now.
    pub into: Decision,
}

/// Moves all that an owner has and owes to another. Lots keep their ends, their age and their ids, unless the other has
/// one of the same end already: then they become one. What both had and owed together pays itself off.
///
/// What slides goes on sliding, with what slides at the other's: at the later of both ends.
///
/// A lot may come a second time: its owner left, something was given back to it, and the owner joined again. What was ever
/// credited to it by then is told by `closed`, the other's lots of these ids that are not open. Where the first is still
/// open, on other terms than the second has by now, or both together are more than a number holds, the second is called
/// otherwise: an account has each id once.
///
/// What has ended must have been swept before, on both sides, and nothing of the owner's may be held
/// ([`OwnerState::has_open_holds`]).
pub fn move_all(
    from: &OwnerState,
    into: &OwnerState,
    closed: &BTreeMap<LotId, Points>,
    at: DateTime<Utc>,
    new_lot_id: NewLotId<'_>,
) -> Result<Moved, Refusal> {
    let (mut source, mut target) = (from.clone(), into.clone());
    let (mut outgoing, mut incoming) = (Draft::default(), Draft::default());
    for (unit, account) in &mut source.accounts {
        let moved = outgoing.give(unit, account);
        if !moved.lots.is_empty() || !moved.pending_lots.is_empty() || moved.debt.is_positive() {
            let taker = (target.account_mut(unit), closed);
            incoming.take_over(unit, moved, taker, (at, &mut *new_lot_id))?;
        }
    }
    Ok(Moved {
        from: outgoing.finish(TransactionKind::Move, source),
        into: incoming.finish(TransactionKind::Move, target),
    })
}

/// The change of an owner who uses another account from now on, with nothing to take along.
#[must_use]
pub fn move_nothing(state: &OwnerState) -> Decision {
    Draft::default().finish(TransactionKind::Move, state.clone())
}

impl OwnerState {
    /// Whether something is set aside for a hold.
    #[must_use]
    pub fn has_open_holds(&self) -> bool {
        self.holds().next().is_some()
    }
}

impl Lot {
    /// As it arrives at another owner: what left it before is not theirs.
    fn arriving(&self) -> Self {
        Self {
            value_held: Points::ZERO,
            value_credited: self.value_left,
            ..self.clone()
        }
    }

    /// With what was credited to it before, if it was there and is closed. `None` when the sum does not fit.
    fn after(self, closed: &BTreeMap<LotId, Points>) -> Option<Self> {
        let before = closed.get(&self.lot_id).copied().unwrap_or(Points::ZERO);
        Some(Self {
            value_credited: self.value_credited.checked_add(before)?,
            ..self
        })
    }
}

impl Draft {
    /// Empties an account, and answers what was in it.
    fn give(&mut self, unit: &UnitCode, account: &mut Account) -> Account {
        let given = std::mem::take(account);
        self.post_move(unit, &given, -1);
        let lots = given.lots.iter().chain(&given.pending_lots);
        self.lot_changes
            .extend(lots.map(|lot| emptied(lot.clone(), unit)));
        given
    }

    /// Puts what was in another's account into this one, and pays off debt.
    fn take_over(
        &mut self,
        unit: &UnitCode,
        given: Account,
        (account, closed): (&mut Account, &BTreeMap<LotId, Points>),
        (at, new_lot_id): (DateTime<Utc>, NewLotId<'_>),
    ) -> Result<(), Refusal> {
        self.post_move(unit, &given, 1);
        account.debt = account
            .debt
            .checked_add(given.debt)
            .ok_or_else(|| overflow(unit))?;
        if let Some(end) = given.sliding_end {
            self.lot_changes.extend(account.slide(unit, end, at));
        }
        let open: BTreeSet<LotId> = account.lots.iter().map(|lot| lot.lot_id).collect();
        for lot in given.lots {
            let again = lot
                .arriving()
                .after(closed)
                .filter(|lot| !open.contains(&lot.lot_id));
            let lot = again.unwrap_or_else(|| Lot {
                lot_id: new_lot_id(),
                ..lot.arriving()
            });
            let taken = account.put(unit, lot);
            let taken = taken.ok_or_else(|| overflow(unit))?;
            self.lot_changes.extend(taken.lots);
            self.holds.extend(taken.holds);
        }
        for lot in given.pending_lots {
            let taken = account.set_aside(unit, lot.arriving());
            self.lot_changes.push(taken.ok_or_else(|| overflow(unit))?);
        }
        let repaid = account.repay(account.available);
        self.lot_changes.extend(account.take(unit, repaid, &[]));
        self.book
            .post(unit, EntryAccount::OwnerAvailable, -i128::from(repaid.get()));
        self.book.post(unit, EntryAccount::OwnerDebt, repaid.get().into());
        Ok(())
    }

    /// One side of a move: into the owner's accounts, or (with a sign of -1) out of them.
    fn post_move(&mut self, unit: &UnitCode, moved: &Account, sign: i128) {
        let (available, debt) = (i128::from(moved.available.get()), i128::from(moved.debt.get()));
        let pending = i128::from(moved.pending.get());
        self.book
            .post(unit, EntryAccount::OwnerAvailable, sign * available);
        self.book.post(unit, EntryAccount::OwnerDebt, -sign * debt);
        self.book.post(unit, EntryAccount::OwnerPending, sign * pending);
        self.book.post(
            unit,
            EntryAccount::ProgramMoved,
            -sign * (available + pending - debt),
        );
    }
}
