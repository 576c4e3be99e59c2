//! Corrections: what somebody with the right to do so says that a balance should have more or less of.
//!
//! The program's side is an account of its own, so that what was issued and redeemed stays what business made it.

use chrono::{DateTime, Utc};
use fealty_types::Points;

use super::{Adjusted, Draft, EntryAccount, NewLotId, OwnerState, Spent, overflow};
use crate::refusal::Refusal;

impl Draft {
    /// What is given pays off debt first. What is taken comes from the lots that end soonest; the rest is owed, as far as
    /// that is allowed, or nothing is taken.
    pub(super) fn adjust(
        &mut self,
        state: &mut OwnerState,
        adjusted: &Adjusted,
        at: DateTime<Utc>,
        new_lot_id: NewLotId<'_>,
    ) -> Result<(), Refusal> {
        match adjusted {
            Adjusted::Up(earned) => {
                self.give_from(EntryAccount::ProgramAdjusted, state, earned, (at, new_lot_id))
            }
            Adjusted::Down { less, debt_max } => self.take_or_owe(state, less, *debt_max),
        }
    }

    fn take_or_owe(&mut self, state: &mut OwnerState, less: &Spent, debt_max: Points) -> Result<(), Refusal> {
        let unit = &less.unit_code;
        let account = state.account_mut(unit);
        let from_available = less.value.min(account.available);
        let as_debt = Points::new(less.value.get() - from_available.get());
        let debt = account.debt.checked_add(as_debt).ok_or_else(|| overflow(unit))?;
        if as_debt.is_positive() && debt > debt_max {
            return Err(Refusal::InsufficientBalance {
                unit_code: unit.clone(),
                available: account.available,
                required: less.value,
            });
        }
        self.lot_changes.extend(account.take(unit, from_available, &[]));
        account.debt = debt;
        for (account, value) in [
            (EntryAccount::OwnerAvailable, -i128::from(from_available.get())),
            (EntryAccount::OwnerDebt, -i128::from(as_debt.get())),
            (EntryAccount::ProgramAdjusted, less.value.get().into()),
        ] {
            self.book.post(unit, account, value);
        }
        Ok(())
    }
}
