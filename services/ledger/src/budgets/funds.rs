//! What postings know of budgets: what is left of those that pay. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use fealty_types::{BudgetCode, Points, UnitCode};

use super::domain::Span;
use crate::posting::domain::{Change, Entry, EntryAccount};
use crate::refusal::{Refusal, Resource};

/// A budget under its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fund {
    /// What is counted.
    pub unit_code: UnitCode,
    /// The most that it gives.
    pub value_max: Points,
    /// What it has given.
    pub used: Points,
    /// When it gives.
    pub span: Span,
}

/// Budgets under their locks, and what postings made of them since.
#[derive(Debug, Default)]
pub struct Funds {
    all: BTreeMap<BudgetCode, Fund>,
    touched: BTreeSet<BudgetCode>,
}

impl Funds {
    /// As they were read.
    #[must_use]
    pub const fn of(all: BTreeMap<BudgetCode, Fund>) -> Self {
        Self {
            all,
            touched: BTreeSet::new(),
        }
    }

    /// Takes from each budget what a change has it pay, and gives back what it has it get; all or nothing.
    pub fn settle(&mut self, change: &Change, at: DateTime<Utc>) -> Result<(), Refusal> {
        let mut used = BTreeMap::new();
        for entry in &change.entries {
            if let Some(code) = &entry.budget_code {
                used.insert(code.clone(), self.used_after(code, entry, at)?);
            }
        }
        for (code, used) in used {
            let fund = self.all.get_mut(&code);
            fund.expect("what is used of it was just worked out").used = used;
            self.touched.insert(code);
        }
        Ok(())
    }

    /// What is used of a budget after an entry: an account has one for each unit and budget.
    fn used_after(&self, code: &BudgetCode, entry: &Entry, at: DateTime<Utc>) -> Result<Points, Refusal> {
        debug_assert_eq!(entry.account, EntryAccount::ProgramIssued);
        let fund = self.all.get(code);
        let fund = fund.ok_or_else(|| Refusal::not_found(Resource::Budget, code))?;
        if fund.unit_code != entry.unit_code {
            return Err(Refusal::FieldInvalid {
                field: "budget_code",
                description: "must be a budget of the same unit",
            });
        }
        let paid = -i128::from(entry.value.get());
        let used = i128::from(fund.used.get()) + paid;
        if paid > 0 && !fund.span.has(at) {
            return Err(Refusal::BudgetNotOpen(code.clone()));
        }
        if paid > 0 && used > i128::from(fund.value_max.get()) {
            return Err(Refusal::BudgetExhausted {
                budget_code: code.clone(),
                left: Points::new(fund.value_max.get() - fund.used.get()),
                required: Points::new(-entry.value.get()),
            });
        }
        // What comes back was paid by it before, so it is never less than nothing.
        Ok(Points::new(
            i64::try_from(used).expect("between nothing and all of it"),
        ))
    }

    /// What is used now of those that changed.
    pub fn changed(&self) -> impl Iterator<Item = (&BudgetCode, Points)> {
        self.touched.iter().map(|code| (code, self.all[code].used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posting::domain::TransactionKind;
    use fealty_types::Version;

    fn code(code: &str) -> BudgetCode {
        code.parse().unwrap()
    }

    fn unit(code: &str) -> UnitCode {
        code.parse().unwrap()
    }

    fn funds() -> Funds {
        let fund = Fund {
            unit_code: unit("points"),
            value_max: Points::new(100),
            used: Points::new(30),
            span: Span {
                begin: None,
                end: Some(DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1)),
            },
        };
        Funds::of([(code("a"), fund.clone()), (code("b"), fund)].into())
    }

    fn pays(parts: &[(&str, i64)]) -> Change {
        let entry = |(budget, value): &(&str, i64)| Entry {
            account: EntryAccount::ProgramIssued,
            unit_code: unit("points"),
            budget_code: Some(code(budget)),
            value: Points::new(-value),
            balance_after: None,
        };
        Change {
            kind: TransactionKind::Credit,
            version: Version::ZERO,
            entries: parts.iter().map(entry).collect(),
            lot_movements: Vec::new(),
            taken_back: Vec::new(),
            given_back: None,
            reversed_transaction_id: None,
            hold_id: None,
        }
    }

    fn settle(funds: &mut Funds, parts: &[(&str, i64)], hours: i64) -> Result<(), Refusal> {
        let at = DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(hours);
        funds.settle(&pays(parts), at)
    }

    #[test]
    fn the_last_point_is_given_and_no_more() {
        let mut funds = funds();
        settle(&mut funds, &[("a", 70)], 0).unwrap();
        let exhausted = |left, required| Refusal::BudgetExhausted {
            budget_code: code("a"),
            left: Points::new(left),
            required: Points::new(required),
        };
        assert_eq!(settle(&mut funds, &[("a", 1)], 0), Err(exhausted(0, 1)));
        settle(&mut funds, &[("a", -5)], 0).unwrap();
        assert_eq!(
            settle(&mut funds, &[("a", i64::MAX)], 0),
            Err(exhausted(5, i64::MAX))
        );
        let changed: Vec<_> = funds
            .changed()
            .map(|(code, used)| (code.as_str(), used.get()))
            .collect();
        assert_eq!(changed, [("a", 95)]);
    }

    #[test]
    fn of_several_budgets_all_pay_or_none() {
        let mut funds = funds();
        assert!(settle(&mut funds, &[("a", 10), ("b", 71)], 0).is_err());
        assert_eq!(funds.changed().count(), 0);
        settle(&mut funds, &[("a", 10), ("b", 70)], 0).unwrap();
        assert_eq!(funds.changed().count(), 2);
    }

    #[test]
    fn one_that_is_over_pays_nothing_and_still_gets_back() {
        let mut funds = funds();
        assert_eq!(
            settle(&mut funds, &[("a", 1)], 1),
            Err(Refusal::BudgetNotOpen(code("a")))
        );
        settle(&mut funds, &[("a", -1)], 1).unwrap();
    }

    #[test]
    fn one_of_another_unit_or_of_nobody_pays_nothing() {
        let mut funds = funds();
        let mut other = pays(&[("a", 1)]);
        other.entries[0].unit_code = unit("stamps");
        let refusal = funds.settle(&other, DateTime::UNIX_EPOCH).unwrap_err();
        assert!(matches!(
            refusal,
            Refusal::FieldInvalid {
                field: "budget_code",
                ..
            }
        ));
        let refusal = settle(&mut funds, &[("c", 1)], 0).unwrap_err();
        assert_eq!(refusal, Refusal::not_found(Resource::Budget, "c"));
    }
}
