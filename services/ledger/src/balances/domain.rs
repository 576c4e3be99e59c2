//! What an owner has, as it is shown. Pure.

use chrono::{DateTime, Utc};
use fealty_types::{LotId, OwnerId, Points, UnitCode, Version};
use serde::{Deserialize, Serialize};

use super::AtLeast;
use crate::posting::domain::{Lot, OwnerState};

/// An owner's balances, all of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerBalance {
    /// Whose.
    pub owner_id: OwnerId,
    /// The version that these are the balances of.
    pub version: Version,
    /// One per unit that the owner ever held, by unit code.
    pub balances: Vec<UnitBalance>,
}

/// An owner's balance of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitBalance {
    /// What is counted.
    pub unit_code: UnitCode,
    /// What can be spent. Lots past their end are not in it.
    pub available: Points,
    /// What the owner owes.
    pub debt: Points,
    /// What is set aside for open holds.
    pub held: Points,
    /// What is given and cannot be spent yet.
    pub pending: Points,
    /// When the next of it begins by itself, and how much begins then.
    pub next_begin: Option<(DateTime<Utc>, Points)>,
    /// When the next of it ends while it still waits.
    pub next_pending_end: Option<DateTime<Utc>>,
    /// When the next lot ends, and how much ends then.
    pub next_end: Option<(DateTime<Utc>, Points)>,
    /// When the next hold ends by itself.
    pub next_hold_end: Option<DateTime<Utc>>,
}

impl OwnerBalance {
    /// The balances of an owner as they are at `at`.
    #[must_use]
    pub fn of(owner_id: OwnerId, state: &OwnerState, at: DateTime<Utc>) -> Self {
        let balances = state
            .as_of(at)
            .accounts
            .iter()
            .map(|(unit_code, account)| UnitBalance {
                unit_code: unit_code.clone(),
                available: account.available,
                debt: account.debt,
                held: account.held,
                pending: account.pending,
                next_begin: account.next_begin(),
                next_pending_end: account.next_pending_end(),
                next_end: account.next_end(at),
                next_hold_end: account.next_hold_end(),
            })
            .collect();
        Self {
            owner_id,
            version: state.version,
            balances,
        }
    }

    /// The instant until which the balances are true by themselves: the next end of a lot or a hold, or the next beginning;
    /// `None` for as long as nothing happens.
    #[must_use]
    pub fn true_until(&self) -> Option<DateTime<Utc>> {
        self.balances
            .iter()
            .flat_map(|balance| {
                [
                    balance.next_end.map(|(end, _)| end),
                    balance.next_hold_end,
                    balance.next_begin.map(|(begin, _)| begin),
                    balance.next_pending_end,
                ]
            })
            .flatten()
            .min()
    }
}

/// How fresh a read has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// The fastest answer there is.
    Eventual,
    /// At least that version.
    AtLeast(AtLeast),
    /// The ledger of record.
    Strong,
}

/// A lot and what is counted in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitLot {
    /// What is counted.
    pub unit_code: UnitCode,
    /// The lot.
    pub lot: Lot,
}

/// Which lots are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotsOf {
    /// Whose.
    pub owner_id: OwnerId,
    /// Only of this unit.
    pub unit_code: Option<UnitCode>,
    /// Only those that stand after it.
    pub after: Option<LotPosition>,
    /// At most so many.
    pub count_max: i64,
}

impl LotsOf {
    /// Those of an owner at `at`.
    #[must_use]
    pub fn of(&self, state: &OwnerState, at: DateTime<Utc>) -> Vec<UnitLot> {
        let state = state.as_of(at);
        let asked = |unit: &UnitCode| self.unit_code.as_ref().is_none_or(|asked| asked == unit);
        let after = self.after.as_ref().map(LotPosition::order);
        let mut lots: Vec<UnitLot> = state
            .accounts
            .iter()
            .filter(|(unit_code, _)| asked(unit_code))
            .flat_map(|(unit_code, account)| {
                let lots = account.lots.iter().chain(&account.pending_lots);
                lots.map(move |lot| (unit_code, lot))
            })
            .filter(|(_, lot)| lot.value_left.is_positive())
            .filter(|(_, lot)| after.is_none_or(|after| LotPosition::from(*lot).order() > after))
            .map(|(unit_code, lot)| UnitLot {
                unit_code: unit_code.clone(),
                lot: lot.clone(),
            })
            .collect();
        lots.sort_unstable_by_key(|it| LotPosition::from(&it.lot).order());
        lots.truncate(usize::try_from(self.count_max).unwrap_or_default());
        lots
    }
}

/// Where a lot stands in a list: the soonest to end first, those without end last, then the oldest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotPosition {
    /// Its end.
    pub expire_time: Option<DateTime<Utc>>,
    /// When it was opened.
    pub create_time: DateTime<Utc>,
    /// Which lot.
    pub lot_id: LotId,
}

impl LotPosition {
    const fn order(&self) -> (bool, Option<DateTime<Utc>>, DateTime<Utc>, LotId) {
        (
            self.expire_time.is_none(),
            self.expire_time,
            self.create_time,
            self.lot_id,
        )
    }
}

impl From<&Lot> for LotPosition {
    fn from(lot: &Lot) -> Self {
        Self {
            expire_time: lot.expire_time,
            create_time: lot.create_time,
            lot_id: lot.lot_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posting::domain::Account;
    use chrono::TimeDelta;

    fn lot(value: i64, end: Option<DateTime<Utc>>) -> Lot {
        Lot {
            lot_id: LotId::generate_at(DateTime::UNIX_EPOCH),
            value_left: Points::new(value),
            value_held: Points::ZERO,
            value_credited: Points::new(value),
            expire_time: end,
            slides: false,
            create_time: DateTime::UNIX_EPOCH,
            budget_code: None,
            wait: None,
        }
    }

    #[test]
    fn what_has_ended_does_not_count_from_that_instant_on() {
        let end = |hours| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        let account = Account {
            available: Points::new(111),
            lots: vec![lot(1, Some(end(1))), lot(10, Some(end(2))), lot(100, None)],
            ..Account::default()
        };
        let mut state = OwnerState::opened_at(DateTime::UNIX_EPOCH);
        state.accounts.insert("points".parse().unwrap(), account);
        let owner_id = OwnerId::generate_at(DateTime::UNIX_EPOCH);
        let at = |time| OwnerBalance::of(owner_id, &state, time);

        let before = at(end(1) - TimeDelta::microseconds(1));
        assert_eq!(before.balances[0].available.get(), 111);
        assert_eq!(before.balances[0].next_end, Some((end(1), Points::new(1))));
        assert_eq!(before.true_until(), Some(end(1)));

        let then = at(end(1));
        assert_eq!(then.balances[0].available.get(), 110);
        assert_eq!(then.balances[0].next_end, Some((end(2), Points::new(10))));

        let after = at(end(2));
        assert_eq!(after.balances[0].available.get(), 100);
        assert_eq!((after.balances[0].next_end, after.true_until()), (None, None));
    }
}
