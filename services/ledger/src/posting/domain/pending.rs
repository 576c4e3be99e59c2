//! Points that are given and not yet the owner's to spend: they wait until a time, or until somebody calls.
//!
//! They lie in lots of their own, one for each credit and unit, which nothing else is merged into: so that a call finds
//! exactly what a credit gave. When they begin to count, they pay off debt first, and the rest joins the lots that count.
//! What a lot is that waits for a call, and for which its credit named no end, ends as what is earned on the day of the
//! call.

use chrono::{DateTime, Utc};
use fealty_types::{Points, TransactionId, UnitCode};

use super::account::LotChange;
use super::{
    Account, Decision, Draft, EntryAccount, Lot, LotEnd, OwnerState, TakeBack, TransactionKind, overflow,
};
use crate::refusal::{Refusal, Resource};

/// Most lots that wait per owner and unit. A posting reads all of them under the owner's lock, so they are bounded; a
/// household that shops ten times a day and waits out thirty days for returns has three hundred.
pub const PENDING_LOTS_MAX: usize = 1_000;

/// When points begin to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At that time, or when somebody calls before.
    At(DateTime<Utc>),
    /// When somebody calls.
    OnCall,
}

/// What a lot waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Until when.
    pub begin: Begin,
    /// What credited it: a call names that.
    pub credited_by: TransactionId,
}

/// Points that are to begin now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activated {
    /// All that wait of what it credited.
    pub credited_by: TransactionId,
    /// By unit: how those end for which their credit named no end.
    pub ends: Vec<(UnitCode, LotEnd)>,
}

impl Begin {
    /// The time, if it is one.
    #[must_use]
    pub const fn time(self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(time) => Some(time),
            Self::OnCall => None,
        }
    }
}

impl Lot {
    /// When it begins by itself; `None` if it counts already, or waits for a call.
    #[must_use]
    pub fn begin_time(&self) -> Option<DateTime<Utc>> {
        self.wait.and_then(|wait| wait.begin.time())
    }

    /// Sorts lots that wait into the order in which they begin.
    fn begin_order(&self) -> impl Ord + use<> {
        let time = self.begin_time();
        (
            time.is_none(),
            time,
            self.expire_time.is_none(),
            self.expire_time,
            self.slides,
            self.create_time,
            self.lot_id,
        )
    }
}

impl Account {
    /// Puts a lot aside that waits. `None` when a sum does not fit.
    pub(super) fn set_aside(&mut self, unit_code: &UnitCode, lot: Lot) -> Option<LotChange> {
        self.pending = self.pending.checked_add(lot.value_left)?;
        self.require_room()?;
        let change = lot.moved(unit_code, lot.value_left);
        let place = self
            .pending_lots
            .partition_point(|other| other.begin_order() < lot.begin_order());
        self.pending_lots.insert(place, lot);
        Some(change)
    }

    /// Puts back a lot that was read, behind those that were read before: they come in the order in which they are spent
    /// or begin.
    pub(crate) fn keep(&mut self, lot: Lot) {
        match lot.wait {
            None => self.lots.push(lot),
            Some(_) => self.pending_lots.push(lot),
        }
    }

    /// Takes out what waits and is asked for.
    fn pull(&mut self, is_asked: impl Fn(&Lot) -> bool) -> Vec<Lot> {
        let pulled: Vec<Lot> = self.pending_lots.extract_if(.., |lot| is_asked(lot)).collect();
        for lot in &pulled {
            // A part of the sum.
            self.pending = Points::new(self.pending.get() - lot.value_left.get());
        }
        pulled
    }

    /// Takes up to `value` out of the lot that waits in that place.
    fn take_waiting(&mut self, unit_code: &UnitCode, place: usize, value: Points) -> LotChange {
        let lot = &mut self.pending_lots[place];
        let taken = value.min(lot.value_left);
        lot.value_left = Points::new(lot.value_left.get() - taken.get());
        // A part of the sum.
        self.pending = Points::new(self.pending.get() - taken.get());
        let change = lot.moved(unit_code, Points::new(-taken.get()));
        if lot.value_left.is_zero() {
            self.pending_lots.remove(place);
        }
        change
    }

    /// Writes off what has ended while it waited, and says how much that was.
    pub(super) fn sweep_pending(
        &mut self,
        unit_code: &UnitCode,
        at: DateTime<Utc>,
    ) -> (i128, Vec<LotChange>) {
        let ended = self.pull(|lot| lot.has_ended(at));
        let value = ended.iter().map(|lot| i128::from(lot.value_left.get())).sum();
        (
            value,
            ended.into_iter().map(|lot| emptied(lot, unit_code)).collect(),
        )
    }

    /// What begins next by itself, and how much then.
    #[must_use]
    pub fn next_begin(&self) -> Option<(DateTime<Utc>, Points)> {
        let time = self.pending_lots.first()?.begin_time()?;
        let then = self
            .pending_lots
            .iter()
            .filter(|lot| lot.begin_time() == Some(time));
        let value = then.map(|lot| lot.value_left.get()).sum();
        Some((time, Points::new(value)))
    }

    /// When the next of what waits ends, begun or not.
    #[must_use]
    pub fn next_pending_end(&self) -> Option<DateTime<Utc>> {
        self.pending_lots.iter().filter_map(|lot| lot.expire_time).min()
    }
}

impl OwnerState {
    /// When the next lot begins by itself, in any unit.
    pub(super) fn next_begin_time(&self) -> Option<DateTime<Utc>> {
        let accounts = self.accounts.values();
        accounts
            .filter_map(|account| account.next_begin().map(|(time, _)| time))
            .min()
    }
}

/// Lets begin what begins at that time: as it was at that instant. Whoever calls has looked that there is something.
pub(super) fn begin(state: &OwnerState, time: DateTime<Utc>) -> Decision {
    let mut after = state.clone();
    let mut draft = Draft::default();
    for (unit_code, account) in &mut after.accounts {
        for lot in account.pull(|lot| lot.begin_time() == Some(time)) {
            let end = lot.end();
            let begun = draft.begin(unit_code, account, (lot, end), time);
            begun.expect("there was room for it when it was given");
        }
    }
    draft.finish(TransactionKind::Activate, after)
}

impl Draft {
    /// Gives points that wait.
    pub(super) fn credit_waiting(
        &mut self,
        unit_code: &UnitCode,
        account: &mut Account,
        lot: Lot,
    ) -> Result<(), Refusal> {
        if account.pending_lots.len() >= PENDING_LOTS_MAX {
            return Err(Refusal::CountExceeded {
                resource: Resource::PendingLot,
                count_max: i64::try_from(PENDING_LOTS_MAX).expect("a small number"),
            });
        }
        let value = lot.value_left.get();
        let change = account.set_aside(unit_code, lot);
        self.lot_changes.push(change.ok_or_else(|| overflow(unit_code))?);
        self.book
            .post(unit_code, EntryAccount::OwnerPending, value.into());
        Ok(())
    }

    /// Takes back what waits in the lots that are named, as far as it goes, and says how far that was.
    pub(super) fn take_back_pending(&mut self, account: &mut Account, take_back: &TakeBack) -> Points {
        let mut taken = 0;
        for lot_id in &take_back.lots_first {
            let waits = |lot: &Lot| lot.lot_id == *lot_id;
            if let Some(place) = account.pending_lots.iter().position(waits) {
                let missing = Points::new(take_back.value.get() - taken);
                let change = account.take_waiting(&take_back.unit_code, place, missing);
                taken -= change.value.get();
                self.lot_changes.push(change);
            }
        }
        Points::new(taken)
    }

    /// Lets begin what a call asks for.
    pub(super) fn activate(
        &mut self,
        state: &mut OwnerState,
        activated: &Activated,
        at: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let of_that = |lot: &Lot| {
            lot.wait
                .is_some_and(|wait| wait.credited_by == activated.credited_by)
        };
        let mut any = false;
        for (unit_code, account) in &mut state.accounts {
            for lot in account.pull(of_that) {
                any = true;
                let end = activated.end_of(unit_code, &lot);
                self.begin(unit_code, account, (lot, end), at)?;
            }
        }
        if any {
            Ok(())
        } else {
            Err(Refusal::NothingPending(activated.credited_by))
        }
    }

    /// What is pending no more lies where it would if it were given now, under the id that it had if it has a lot to
    /// itself.
    fn begin(
        &mut self,
        unit_code: &UnitCode,
        account: &mut Account,
        (lot, end): (Lot, LotEnd),
        at: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let value = lot.value_left;
        let begun = Lot {
            wait: None,
            ..lot.clone()
        };
        let mut gone = emptied(lot, unit_code);
        // It is credited to the lot that counts.
        gone.lot.value_credited = Points::new(gone.lot.value_credited.get() - value.get());
        self.lot_changes.push(gone);
        self.book
            .post(unit_code, EntryAccount::OwnerPending, -i128::from(value.get()));
        self.put(unit_code, account, begun.ending(end), at)
    }
}

impl Activated {
    /// How a lot ends that begins by a call.
    fn end_of(&self, unit_code: &UnitCode, lot: &Lot) -> LotEnd {
        let own = lot.end();
        if lot.begin_time().is_some() || own != LotEnd::Fixed(None) {
            return own;
        }
        let by_unit = self.ends.iter().find(|(unit, _)| unit == unit_code);
        by_unit.map_or(own, |(_, end)| *end)
    }
}

/// The lot with nothing left, and what left it.
pub(super) fn emptied(mut lot: Lot, unit_code: &UnitCode) -> LotChange {
    let left = std::mem::take(&mut lot.value_left);
    lot.moved(unit_code, Points::new(-left.get()))
}
