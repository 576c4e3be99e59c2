//! The state machine of postings: what a command does to an owner's accounts, or why it is refused. Pure.
//!
//! The same function serves the write path, the property tests and whoever wants to know what would happen. Time comes
//! in from outside, ids too; arithmetic is checked.
//!
//! Rules that hold after every decision, and that the property tests hold it to:
//! - the entries of a change sum to zero in every unit;
//! - `available`, `held`, `pending` and `debt` are never below zero, and an owner who owes has nothing available in that unit;
//! - `available` is the sum of what is left in the lots that count, `pending` in those that wait;
//! - the lots that slide and have not ended share one end, which never comes nearer;
//! - `held` is the sum of the open holds, and of what they claim of the lots, lot by lot;
//! - each change makes the next version, without gaps.

mod account;
mod adjusting;
mod chain;
mod change;
mod command;
mod entries;
mod hold;
mod lots;
mod moving;
mod notice;
mod pending;
mod record;
mod reversing;
mod standing;
mod state;
mod transferring;

#[cfg(test)]
mod cases;
#[cfg(test)]
pub(super) mod history;
#[cfg(test)]
mod model;
#[cfg(test)]
mod moving_properties;
#[cfg(test)]
pub(super) mod properties;
#[cfg(test)]
mod reversing_properties;
#[cfg(test)]
mod sliding;
#[cfg(test)]
mod transfer_properties;

pub use account::{Account, Lot};
pub use chain::{ChainHash, ChainHashError, Link};
pub use change::{Change, Entry, EntryAccount, GivenBack, LotMovement, TakenBack, TransactionKind};
pub use command::{Adjusted, Captured, Command, Earned, LotEnd, NewHold, Received, Slide, Spent, TakeBack};
pub use hold::{Hold, HoldStatus, HoldStatusError, OPEN_HOLDS_MAX, Pin};
pub use lots::OPEN_LOTS_MAX;
pub use moving::{Moved, move_all, move_nothing};
pub use notice::{Expiring, notice};
pub use pending::{Activated, Begin, PENDING_LOTS_MAX, Wait};
pub use record::{Counterpart, Transaction};
pub use reversing::{EndedLots, GiveBack, Part, Portion, Reversal, Reversing, portions};
pub use standing::{Barred, Standing, barred};
pub use state::OwnerState;
pub use transferring::{move_parts, transfer};

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fealty_types::{HoldId, LotId, Points, TransactionId, UnitCode};

use crate::refusal::{Refusal, Resource};
use account::{Ending, LotChange};
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
    /// The holds that it made, ended, or moved to other lots, as it left them.
    pub holds: Vec<Hold>,
}

/// Decides a command at a time, and what it slides as an activity of the owner: that comes first, so that the command
/// finds the ends as they are from then on. Lots and holds that have ended by then must have been swept before
/// ([`sweep`]): what has ended is nobody's to spend, and no hold's to keep.
pub fn decide(
    state: &OwnerState,
    command: &Command,
    slides: &[Slide],
    at: DateTime<Utc>,
    new_lot_id: NewLotId<'_>,
) -> Result<Decision, Refusal> {
    let mut after = state.clone();
    let mut draft = Draft::default();
    for slide in slides {
        // Nobody who has no account in a unit gets one by an activity alone.
        if after.accounts.contains_key(&slide.unit_code) || command.credits(&slide.unit_code) {
            draft.slide(&mut after, slide, at);
        }
    }
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
        Command::Hold(new) => draft.hold(&mut after, new, at)?,
        Command::Capture(Captured { hold_id, value }) => {
            require_held(state, *hold_id, *value)?;
            let ending = Ending {
                status: HoldStatus::Captured,
                captured: *value,
            };
            draft.end_hold(&mut after, *hold_id, ending, at)?;
        }
        Command::Release(hold_id) => {
            draft.end_hold(&mut after, *hold_id, released(HoldStatus::Released), at)?;
        }
        Command::Activate(activated) => draft.activate(&mut after, activated, at)?,
        Command::Adjust(adjusted) => draft.adjust(&mut after, adjusted, at, new_lot_id)?,
        Command::Send(spent) => draft.send(&mut after, spent)?,
        Command::Receive(received) => draft.receive(&mut after, received, at, new_lot_id)?,
        Command::Reverse(reversal) => draft.reverse(&mut after, reversal, at, new_lot_id)?,
    }
    Ok(draft.finish(command.kind(), after))
}

/// Writes down the next thing that time has done by itself by `at`; `None` if there is none. Called until then: first each
/// hold that has ended and what has begun to count, in the order of their times and as it was at that instant, because it
/// may have ended since; then all lots that have ended, at once.
#[must_use]
pub fn sweep(state: &OwnerState, at: DateTime<Utc>) -> Option<Decision> {
    let ended = state.holds().filter(|hold| hold.has_ended(at));
    let ended = ended.min_by_key(|hold| hold.end_order());
    let begun = state.next_begin_time().filter(|time| *time <= at);
    match (ended, begun) {
        (Some(hold), None) => return Some(expire_hold(state, hold)),
        (Some(hold), Some(time)) if hold.expire_time <= time => return Some(expire_hold(state, hold)),
        (_, Some(time)) => return Some(pending::begin(state, time)),
        (None, None) => {}
    }
    let accounts = state.accounts.values();
    let mut lots = accounts.flat_map(|account| account.lots.iter().chain(&account.pending_lots));
    let any_ended = lots.any(|lot| lot.has_ended(at) && lot.value_left.is_positive());
    any_ended.then(|| expire_lots(state, at))
}

fn expire_hold(state: &OwnerState, hold: &Hold) -> Decision {
    let mut after = state.clone();
    let mut draft = Draft::default();
    let ended = draft.end_hold(
        &mut after,
        hold.hold_id,
        released(HoldStatus::Expired),
        hold.expire_time,
    );
    ended.expect("the hold is open: it was just found");
    draft.finish(TransactionKind::Release, after)
}

fn expire_lots(state: &OwnerState, at: DateTime<Utc>) -> Decision {
    let mut after = state.clone();
    let mut draft = Draft::default();
    for (unit_code, account) in &mut after.accounts {
        let (value, lot_changes) = account.sweep(unit_code, at);
        draft.book.post(unit_code, EntryAccount::OwnerAvailable, -value);
        draft.book.post(unit_code, EntryAccount::ProgramExpired, value);
        draft.lot_changes.extend(lot_changes);
        let (value, lot_changes) = account.sweep_pending(unit_code, at);
        draft.book.post(unit_code, EntryAccount::OwnerPending, -value);
        draft.book.post(unit_code, EntryAccount::ProgramExpired, value);
        draft.lot_changes.extend(lot_changes);
    }
    draft.finish(TransactionKind::Expire, after)
}

/// Nothing of it is spent.
const fn released(status: HoldStatus) -> Ending {
    Ending {
        status,
        captured: Points::ZERO,
    }
}

fn require_held(state: &OwnerState, hold_id: HoldId, required: Points) -> Result<(), Refusal> {
    match state.hold(hold_id) {
        Some(hold) if hold.value < required => Err(Refusal::CaptureExceedsHold {
            hold_id,
            held: hold.value,
            required,
        }),
        Some(_) => Ok(()),
        None => Err(Refusal::not_found(Resource::Hold, hold_id)),
    }
}

/// A change in the making.
#[derive(Default)]
struct Draft {
    book: EntryBook,
    lot_changes: Vec<LotChange>,
    holds: Vec<Hold>,
    taken_back: Vec<TakenBack>,
    given_back: Option<GivenBack>,
    reversed_transaction_id: Option<TransactionId>,
    hold_id: Option<HoldId>,
}

impl Draft {
    fn slide(&mut self, state: &mut OwnerState, slide: &Slide, at: DateTime<Utc>) {
        let unit = &slide.unit_code;
        self.lot_changes
            .extend(state.account_mut(unit).slide(unit, slide.end, at));
    }

    /// What waits is set aside; what does not is the owner's.
    fn credit(
        &mut self,
        state: &mut OwnerState,
        earned: &Earned,
        at: DateTime<Utc>,
        new_lot_id: NewLotId<'_>,
    ) -> Result<(), Refusal> {
        self.give_from(EntryAccount::ProgramIssued, state, earned, (at, new_lot_id))
    }

    /// The same, out of one of the program's accounts.
    fn give_from(
        &mut self,
        source: EntryAccount,
        state: &mut OwnerState,
        earned: &Earned,
        (at, new_lot_id): (DateTime<Utc>, NewLotId<'_>),
    ) -> Result<(), Refusal> {
        let unit = &earned.unit_code;
        if earned.value.is_zero() {
            return Ok(());
        }
        let account = state.account_mut(unit);
        let lot = earned.lot(new_lot_id(), at);
        if lot.wait.is_some() {
            self.credit_waiting(unit, account, lot)?;
        } else {
            self.put(unit, account, lot, at)?;
        }
        let given = -i128::from(earned.value.get());
        let budget = earned.budget_code.as_ref();
        self.book.post_of(unit, source, budget, given);
        Ok(())
    }

    /// Pays off debt first; the rest lies in a lot.
    fn put(
        &mut self,
        unit: &UnitCode,
        account: &mut Account,
        lot: Lot,
        at: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let repaid = account.repay(lot.value_left);
        let added = Points::new(lot.value_left.get() - repaid.get());
        if let LotEnd::Sliding(end) = lot.end() {
            self.lot_changes.extend(account.slide(unit, end, at));
        }
        if added.is_positive() {
            let rest = Lot {
                value_left: added,
                value_credited: Points::new(lot.value_credited.get() - repaid.get()),
                ..lot
            };
            let credited = account.put(unit, rest).ok_or_else(|| overflow(unit))?;
            self.lot_changes.extend(credited.lots);
            self.holds.extend(credited.holds);
        }
        self.book
            .post(unit, EntryAccount::OwnerAvailable, added.get().into());
        self.book.post(unit, EntryAccount::OwnerDebt, repaid.get().into());
        Ok(())
    }

    fn spend(&mut self, state: &mut OwnerState, spent: &Spent) -> Result<(), Refusal> {
        self.take_to(EntryAccount::ProgramRedeemed, state, spent)
    }

    /// Takes points, all or none, into one of the program's accounts.
    fn take_to(
        &mut self,
        target: EntryAccount,
        state: &mut OwnerState,
        spent: &Spent,
    ) -> Result<(), Refusal> {
        let unit = &spent.unit_code;
        require_available(state, unit, spent.value)?;
        self.lot_changes
            .extend(state.account_mut(unit).take(unit, spent.value, &[]));
        self.book
            .post(unit, EntryAccount::OwnerAvailable, -i128::from(spent.value.get()));
        self.book.post(unit, target, spent.value.get().into());
        Ok(())
    }

    /// From what is pending of the lots that are named, then from what is available, then as debt up to the bound; the
    /// program bears the rest.
    fn take_back(&mut self, state: &mut OwnerState, take_back: &TakeBack) -> Result<(), Refusal> {
        let unit = &take_back.unit_code;
        let account = state.account_mut(unit);
        let from_pending = self.take_back_pending(account, take_back);
        let value = Points::new(take_back.value.get() - from_pending.get());
        let from_available = value.min(account.available);
        let missing = value.get() - from_available.get();
        let room = (take_back.debt_max.get() - account.debt.get()).max(0);
        let as_debt = Points::new(missing.min(room));
        let waived = Points::new(missing - as_debt.get());

        self.lot_changes
            .extend(account.take(unit, from_available, &take_back.lots_first));
        account.debt = account.debt.checked_add(as_debt).ok_or_else(|| overflow(unit))?;
        for (side, value) in [
            (EntryAccount::OwnerPending, from_pending),
            (EntryAccount::OwnerAvailable, from_available),
            (EntryAccount::OwnerDebt, as_debt),
            (EntryAccount::ProgramWaived, waived),
        ] {
            self.book.post(unit, side, -i128::from(value.get()));
        }
        // What is waived was given and is spent: the budget that paid for it has it no more.
        let budget = take_back.budget_code.as_ref();
        for (budget, value) in [
            (budget, take_back.value.get() - waived.get()),
            (None, waived.get()),
        ] {
            self.book
                .post_of(unit, EntryAccount::ProgramIssued, budget, value.into());
        }
        self.taken_back.push(TakenBack {
            unit_code: unit.clone(),
            from_pending,
            from_available,
            as_debt,
            waived,
        });
        Ok(())
    }

    fn hold(&mut self, state: &mut OwnerState, new: &NewHold, at: DateTime<Utc>) -> Result<(), Refusal> {
        let unit = &new.unit_code;
        require_available(state, unit, new.value)?;
        let account = state.account_mut(unit);
        if account.holds.len() >= OPEN_HOLDS_MAX {
            return Err(Refusal::CountExceeded {
                resource: Resource::Hold,
                count_max: i64::try_from(OPEN_HOLDS_MAX).expect("a small number"),
            });
        }
        let (hold, lot_changes) = account.hold(new, at);
        self.holds.push(hold);
        self.lot_changes.extend(lot_changes);
        self.book
            .post(unit, EntryAccount::OwnerAvailable, -i128::from(new.value.get()));
        self.book
            .post(unit, EntryAccount::OwnerHeld, new.value.get().into());
        Ok(())
    }

    fn end_hold(
        &mut self,
        state: &mut OwnerState,
        hold_id: HoldId,
        ending: Ending,
        at: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let mut accounts = state.accounts.values_mut();
        let freed = accounts.find_map(|account| account.end_hold(hold_id, ending, at));
        let freed = freed.ok_or_else(|| Refusal::not_found(Resource::Hold, hold_id))?;
        let unit = &freed.hold.unit_code;
        for (account, value) in [
            (EntryAccount::OwnerAvailable, freed.returned),
            (EntryAccount::OwnerDebt, freed.repaid),
            (EntryAccount::ProgramExpired, freed.expired),
            (EntryAccount::ProgramRedeemed, ending.captured),
        ] {
            self.book.post(unit, account, value.get().into());
        }
        self.book
            .post(unit, EntryAccount::OwnerHeld, -i128::from(freed.hold.value.get()));
        self.lot_changes.extend(freed.lots);
        self.holds.push(freed.hold);
        self.hold_id = Some(hold_id);
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
            lot_movements: self.lot_changes.iter().filter_map(LotChange::movement).collect(),
            taken_back: self.taken_back,
            given_back: self.given_back,
            reversed_transaction_id: self.reversed_transaction_id,
            hold_id: self.hold_id,
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
            holds: self.holds,
        }
    }
}

fn require_available(state: &OwnerState, unit_code: &UnitCode, required: Points) -> Result<(), Refusal> {
    let available = state.available(unit_code);
    if available < required {
        return Err(Refusal::InsufficientBalance {
            unit_code: unit_code.clone(),
            available,
            required,
        });
    }
    Ok(())
}

fn overflow(unit_code: &UnitCode) -> Refusal {
    Refusal::AmountOverflow(unit_code.clone())
}
