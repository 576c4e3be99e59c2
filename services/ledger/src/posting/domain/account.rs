//! What an owner holds and owes of one unit.

use chrono::{DateTime, Utc};
use fealty_types::{BudgetCode, HoldId, LotId, Points, UnitCode};

use super::pending::Wait;
use super::{Hold, HoldStatus, LotEnd, LotMovement, NewHold, Pin, lots};

/// An owner's account of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// What lies in the lots. Never below zero.
    pub available: Points,
    /// What is set aside for open holds. Never below zero.
    pub held: Points,
    /// What is owed. Never below zero, and zero while something is available.
    pub debt: Points,
    /// What is given and not yet the owner's to spend. Never below zero.
    pub pending: Points,
    /// Lots that have something left or that a hold claims, in the order in which they are spent.
    pub lots: Vec<Lot>,
    /// Lots that wait, in the order in which they begin; those that wait for a call come last.
    pub pending_lots: Vec<Lot>,
    /// The open holds, in the order in which they end.
    pub holds: Vec<Hold>,
    /// The end of all lots that slide and have not ended: the furthest to which an activity ever moved it. `None` before
    /// the first.
    pub sliding_end: Option<DateTime<Utc>>,
}

/// Points that were credited on the same terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// Its id.
    pub lot_id: LotId,
    /// What is left of it.
    pub value_left: Points,
    /// What holds claim of it; not in `value_left`.
    pub value_held: Points,
    /// What was ever credited to it.
    pub value_credited: Points,
    /// When it ends: from that instant on it does not count. `None` for never.
    pub expire_time: Option<DateTime<Utc>>,
    /// Whether its end moves on with the owner's activity.
    pub slides: bool,
    /// When the first of it was credited.
    pub create_time: DateTime<Utc>,
    /// Which budget paid for it; `None` for the program itself.
    pub budget_code: Option<BudgetCode>,
    /// What it waits for until it counts; `None` once it counts.
    pub wait: Option<Wait>,
}

/// What a decision did to one lot, and how it left it.
#[derive(Debug, Clone)]
pub(super) struct LotChange {
    pub(super) unit_code: UnitCode,
    /// What came to the lot (positive) or left it (negative).
    pub(super) value: Points,
    /// Whether its end moved.
    pub(super) slid: bool,
    /// The lot afterwards.
    pub(super) lot: Lot,
}

impl LotChange {
    /// As the transaction tells it; nothing where only a hold's claim changed.
    pub(super) fn movement(&self) -> Option<LotMovement> {
        (self.slid || !self.value.is_zero()).then(|| LotMovement {
            lot_id: self.lot.lot_id,
            unit_code: self.unit_code.clone(),
            value: self.value,
            expire_time: self.lot.expire_time,
            slides: self.lot.slides,
            budget_code: self.lot.budget_code.clone(),
            begin: self.lot.wait.map(|wait| wait.begin),
        })
    }
}

/// What a credit did: to lots, and to the holds whose claims moved to other lots.
#[derive(Default)]
pub(super) struct Credited {
    pub(super) lots: Vec<LotChange>,
    pub(super) holds: Vec<Hold>,
}

/// How a hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) status: HoldStatus,
    /// What is spent of it.
    pub(super) captured: Points,
}

/// What became of a hold's points. The four ways sum to its value.
pub(super) struct Freed {
    /// As it ended.
    pub(super) hold: Hold,
    /// Lots that had ended meanwhile: nobody's any more.
    pub(super) expired: Points,
    /// Paid off debt.
    pub(super) repaid: Points,
    /// In their lots again.
    pub(super) returned: Points,
    pub(super) lots: Vec<LotChange>,
}

impl Lot {
    /// Whether it does not count any more.
    #[must_use]
    pub fn has_ended(&self, at: DateTime<Utc>) -> bool {
        self.expire_time.is_some_and(|end| end <= at)
    }

    /// Whether it has something left, or a hold claims a part of it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.value_left.is_positive() || self.value_held.is_positive()
    }

    /// Sorts lots into the order in which they are spent: the soonest end first, never last; of equal ends those first
    /// that cannot move on, then the oldest.
    pub(super) fn spend_order(&self) -> (bool, Option<DateTime<Utc>>, bool, DateTime<Utc>, LotId) {
        (
            self.expire_time.is_none(),
            self.expire_time,
            self.slides,
            self.create_time,
            self.lot_id,
        )
    }

    pub(super) fn moved(&self, unit_code: &UnitCode, value: Points) -> LotChange {
        LotChange {
            unit_code: unit_code.clone(),
            value,
            slid: false,
            lot: self.clone(),
        }
    }

    /// The same with another end.
    pub(super) fn ending(self, end: LotEnd) -> Self {
        let (expire_time, slides) = match end {
            LotEnd::Fixed(end) => (end, false),
            LotEnd::Sliding(end) => (Some(end), true),
        };
        Self {
            expire_time,
            slides,
            ..self
        }
    }

    /// Whether both are one lot, as soon as they are in one account.
    pub(super) fn has_terms_of(&self, other: &Self) -> bool {
        self.expire_time == other.expire_time
            && self.slides == other.slides
            && self.budget_code == other.budget_code
    }

    /// How it ends.
    pub(super) const fn end(&self) -> LotEnd {
        match self.expire_time {
            Some(end) if self.slides => LotEnd::Sliding(end),
            end => LotEnd::Fixed(end),
        }
    }
}

impl Account {
    /// Pays off debt with `value`, as far as it goes, and says how far that was.
    pub(super) fn repay(&mut self, value: Points) -> Points {
        let repaid = value.min(self.debt);
        self.debt = Points::new(self.debt.get() - repaid.get());
        repaid
    }

    /// Moves on the end of what slides and has not ended; never to an earlier one.
    pub(super) fn slide(
        &mut self,
        unit_code: &UnitCode,
        end: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Vec<LotChange> {
        let end = self.sliding_end.map_or(end, |known| known.max(end));
        self.sliding_end = Some(end);
        lots::slide(&mut self.lots, unit_code, end, at)
    }

    /// Puts a lot into the account, or what is in it into the lot of its terms, if there is one; what slides lies at the
    /// account's own end, to which it has been moved before. `None` when a sum does not fit; the account is then not to be
    /// used any more.
    pub(super) fn put(&mut self, unit_code: &UnitCode, mut lot: Lot) -> Option<Credited> {
        if lot.slides {
            lot.expire_time = self.sliding_end.or(lot.expire_time);
        }
        let value = lot.value_left;
        self.available = self.available.checked_add(value)?;
        self.require_room()?;
        let takes_it =
            |known: &&mut Lot| known.has_terms_of(&lot) && known.value_credited.checked_add(value).is_some();
        if let Some(known) = self.lots.iter_mut().find(takes_it) {
            return Some(Credited {
                lots: vec![lots::add(known, unit_code, value)?],
                ..Credited::default()
            });
        }
        self.open(unit_code, lot)
    }

    /// Opens a lot, or opens it again, with what is in it: counted in what is available before. `None` when a sum does not
    /// fit.
    pub(super) fn open(&mut self, unit_code: &UnitCode, lot: Lot) -> Option<Credited> {
        let mut credited = Credited::default();
        credited.lots.push(lot.moved(unit_code, lot.value_left));
        let place = self
            .lots
            .partition_point(|other| other.spend_order() < lot.spend_order());
        self.lots.insert(place, lot);
        let merged = lots::bound(&mut self.lots, unit_code)?;
        credited.lots.extend(merged.movements);
        for hold in &mut self.holds {
            let claims = merged.lots.iter();
            // All of them: a lot that others were merged into may have been merged further.
            if claims.filter(|(from, into)| hold.repin(*from, *into)).count() > 0 {
                credited.holds.push(hold.clone());
            }
        }
        Some(credited)
    }

    /// `None` where all together does not fit. What is held may come back at any time, and what is pending begins by
    /// itself: nobody is asked then.
    pub(super) fn require_room(&self) -> Option<()> {
        let spendable = self.available.checked_add(self.held)?;
        spendable.checked_add(self.pending).map(|_| ())
    }

    /// Sets points aside, from the lots that end soonest.
    ///
    /// # Panics
    /// When less is available: whoever decides has looked.
    pub(super) fn hold(&mut self, new: &NewHold, at: DateTime<Utc>) -> (Hold, Vec<LotChange>) {
        self.available = self
            .available
            .checked_take(new.value)
            .expect("the decision looked at what is available");
        // A part of what was credited, which left room for all that is held.
        self.held = Points::new(self.held.get() + new.value.get());
        let (pins, lot_changes) = lots::pin(&mut self.lots, &new.unit_code, new.value);
        let hold = Hold {
            hold_id: new.hold_id,
            unit_code: new.unit_code.clone(),
            value: new.value,
            captured: Points::ZERO,
            status: HoldStatus::Open,
            expire_time: new.expire_time,
            create_time: at,
            source: new.source.clone(),
            on_behalf_of: new.on_behalf_of,
            pins,
        };
        let place = self
            .holds
            .partition_point(|other| other.end_order() < hold.end_order());
        self.holds.insert(place, hold.clone());
        (hold, lot_changes)
    }

    /// Ends an open hold: what is captured is taken from the lots that end soonest, and the rest goes where it would
    /// have been without the hold, to the lots it came from. Of that, what lay in lots that have ended is gone, and debt
    /// is paid off before anything is available. `None` if no such hold is open.
    pub(super) fn end_hold(&mut self, hold_id: HoldId, ending: Ending, at: DateTime<Utc>) -> Option<Freed> {
        let place = self.holds.iter().position(|hold| hold.hold_id == hold_id)?;
        let mut hold = self.holds.remove(place);
        hold.status = ending.status;
        hold.captured = ending.captured;
        let (mut expired, mut repaid, mut returned) = (0, 0, 0);
        let (mut to_spend, mut debt) = (ending.captured.get(), self.debt.get());
        let mut lot_changes = Vec::with_capacity(hold.pins.len());
        let mut pins = Vec::with_capacity(hold.pins.len());
        for lot in &mut self.lots {
            let pinned = hold.pinned(lot.lot_id).get();
            if pinned == 0 {
                continue;
            }
            lot.value_held = Points::new(lot.value_held.get() - pinned);
            let spent = to_spend.min(pinned);
            to_spend -= spent;
            pins.push(Pin {
                lot_id: lot.lot_id,
                value: Points::new(pinned),
                captured: Points::new(spent),
            });
            let mut rest = pinned - spent;
            if lot.has_ended(at) {
                expired += rest;
                rest = 0;
            }
            let pays_off = debt.min(rest);
            debt -= pays_off;
            repaid += pays_off;
            rest -= pays_off;
            returned += rest;
            lot.value_left = Points::new(lot.value_left.get() + rest);
            lot_changes.push(lot.moved(&hold.unit_code, Points::new(rest)));
        }
        // In the order in which they were spent, which is not that of the hold where ends moved since.
        hold.pins = pins;
        self.lots.retain(Lot::is_open);
        self.held = Points::new(self.held.get() - hold.value.get());
        self.available = Points::new(self.available.get() + returned);
        self.debt = Points::new(debt);
        Some(Freed {
            hold,
            expired: Points::new(expired),
            repaid: Points::new(repaid),
            returned: Points::new(returned),
            lots: lot_changes,
        })
    }

    /// Takes `value` out of the lots: the named ones first, then in the order of spending.
    ///
    /// # Panics
    /// When less is available: whoever decides has looked.
    pub(super) fn take(
        &mut self,
        unit_code: &UnitCode,
        value: Points,
        lots_first: &[LotId],
    ) -> Vec<LotChange> {
        self.available = self
            .available
            .checked_take(value)
            .expect("the decision looked at what is available");
        lots::take(&mut self.lots, unit_code, value, lots_first)
    }

    /// Writes off the lots that have ended, and says how much was left in them.
    pub(super) fn sweep(&mut self, unit_code: &UnitCode, at: DateTime<Utc>) -> (i128, Vec<LotChange>) {
        let movements = lots::sweep(&mut self.lots, unit_code, at);
        let value: i128 = movements
            .iter()
            .map(|movement| -i128::from(movement.value.get()))
            .sum();
        // What lies in the lots is their sum, so a part of it is never more.
        let left = i128::from(self.available.get()) - value;
        self.available = Points::new(i64::try_from(left).expect("a part of what is available"));
        (value, movements)
    }

    /// The end that comes next after `at`, and how much ends then.
    #[must_use]
    pub fn next_end(&self, at: DateTime<Utc>) -> Option<(DateTime<Utc>, Points)> {
        let coming = || {
            let lots = self.lots.iter();
            lots.filter(|lot| lot.value_left.is_positive() && !lot.has_ended(at))
        };
        let end = coming().filter_map(|lot| lot.expire_time).min()?;
        let value: i64 = coming()
            .filter(|lot| lot.expire_time == Some(end))
            .map(|lot| lot.value_left.get())
            .sum();
        Some((end, Points::new(value)))
    }

    /// The next of its open holds to end.
    #[must_use]
    pub fn next_hold_end(&self) -> Option<DateTime<Utc>> {
        self.holds.first().map(|hold| hold.expire_time)
    }
}
