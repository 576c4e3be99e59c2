//! What an owner holds and owes of one unit.

use chrono::{DateTime, Utc};
use fealty_types::{LotId, Points, UnitCode};

use super::{LotMovement, NewLotId, lots};

/// An owner's account of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// What lies in the lots. Never below zero.
    pub available: Points,
    /// What is set aside for open holds. Never below zero.
    pub held: Points,
    /// What is owed. Never below zero, and zero while something is available.
    pub debt: Points,
    /// Lots that have something left, in the order in which they are spent.
    pub lots: Vec<Lot>,
}

/// Points that were credited on the same terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// Its id.
    pub lot_id: LotId,
    /// What is left of it.
    pub value_left: Points,
    /// What was ever credited to it.
    pub value_credited: Points,
    /// When it ends: from that instant on it does not count. `None` for never.
    pub expire_time: Option<DateTime<Utc>>,
    /// When the first of it was credited.
    pub create_time: DateTime<Utc>,
}

/// What a decision did to one lot, and how it left it.
#[derive(Debug, Clone)]
pub(super) struct LotChange {
    pub(super) unit_code: UnitCode,
    /// What came to the lot (positive) or left it (negative).
    pub(super) value: Points,
    /// The lot afterwards.
    pub(super) lot: Lot,
}

impl LotChange {
    pub(super) fn movement(&self) -> LotMovement {
        LotMovement {
            lot_id: self.lot.lot_id,
            unit_code: self.unit_code.clone(),
            value: self.value,
            expire_time: self.lot.expire_time,
        }
    }
}

impl Lot {
    /// Whether it does not count any more.
    #[must_use]
    pub fn has_ended(&self, at: DateTime<Utc>) -> bool {
        self.expire_time.is_some_and(|end| end <= at)
    }

    /// Sorts lots into the order in which they are spent: the soonest end first, never last, then the oldest.
    pub(super) fn spend_order(&self) -> (bool, Option<DateTime<Utc>>, DateTime<Utc>, LotId) {
        (
            self.expire_time.is_none(),
            self.expire_time,
            self.create_time,
            self.lot_id,
        )
    }

    pub(super) fn moved(&self, unit_code: &UnitCode, value: Points) -> LotChange {
        LotChange {
            unit_code: unit_code.clone(),
            value,
            lot: self.clone(),
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

    /// Puts `value` into the lot of those terms, opened if there is none. `None` when a sum does not fit; the account
    /// is then not to be used any more.
    pub(super) fn credit(
        &mut self,
        unit_code: &UnitCode,
        value: Points,
        expire_time: Option<DateTime<Utc>>,
        (at, new_lot_id): (DateTime<Utc>, NewLotId<'_>),
    ) -> Option<Vec<LotChange>> {
        self.available = self.available.checked_add(value)?;
        let known = self.lots.iter_mut().find(|lot| lot.expire_time == expire_time);
        if let Some(lot) = known {
            return Some(vec![lots::add(lot, unit_code, value)?]);
        }
        let lot = Lot {
            lot_id: new_lot_id(),
            value_left: value,
            value_credited: value,
            expire_time,
            create_time: at,
        };
        let mut movements = vec![lot.moved(unit_code, value)];
        let place = self
            .lots
            .partition_point(|other| other.spend_order() < lot.spend_order());
        self.lots.insert(place, lot);
        movements.extend(lots::bound(&mut self.lots, unit_code)?);
        Some(movements)
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
        let coming = || self.lots.iter().filter(|lot| !lot.has_ended(at));
        let end = coming().filter_map(|lot| lot.expire_time).min()?;
        let value: i64 = coming()
            .filter(|lot| lot.expire_time == Some(end))
            .map(|lot| lot.value_left.get())
            .sum();
        Some((end, Points::new(value)))
    }

    /// What can be spent at `at`: what has ended does not count, written off or not.
    #[must_use]
    pub fn available_at(&self, at: DateTime<Utc>) -> Points {
        let ended: i64 = self
            .lots
            .iter()
            .filter(|lot| lot.has_ended(at))
            .map(|lot| lot.value_left.get())
            .sum();
        Points::new(self.available.get() - ended)
    }
}
