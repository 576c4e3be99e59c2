//! Sums up the sides of a transaction, one entry per account, unit and budget.

use std::collections::BTreeMap;

use fealty_types::{BudgetCode, Points, UnitCode};

use super::{Entry, EntryAccount, OwnerState};

/// The sides of a transaction in the making.
///
/// Sums are 128 bits wide: each account's part was checked to fit into 64 where it was posted, and no sum of two such
/// parts can leave 128.
#[derive(Default)]
pub(super) struct EntryBook {
    values: BTreeMap<(UnitCode, EntryAccount, Option<BudgetCode>), i128>,
}

impl EntryBook {
    /// Adds to an account; nothing for zero.
    pub(super) fn post(&mut self, unit_code: &UnitCode, account: EntryAccount, value: i128) {
        self.post_of(unit_code, account, None, value);
    }

    /// Adds to what an account has of a budget, or of none; nothing for zero.
    pub(super) fn post_of(
        &mut self,
        unit_code: &UnitCode,
        account: EntryAccount,
        budget_code: Option<&BudgetCode>,
        value: i128,
    ) {
        if value != 0 {
            let key = (unit_code.clone(), account, budget_code.cloned());
            *self.values.entry(key).or_default() += value;
        }
    }

    /// The entries, with the owner's balances as `state` has them.
    pub(super) fn into_entries(self, state: &OwnerState) -> Vec<Entry> {
        self.values
            .into_iter()
            .filter(|(_, value)| *value != 0)
            .map(|((unit_code, account, budget_code), value)| Entry {
                balance_after: state.balance(&unit_code, account),
                // A unit comes once in a command, and its parts are differences of two 64-bit balances above zero.
                value: Points::new(i64::try_from(value).expect("one part per account and unit fits")),
                account,
                unit_code,
                budget_code,
            })
            .collect()
    }
}
