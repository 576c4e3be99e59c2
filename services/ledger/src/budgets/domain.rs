//! What a budget is. Pure.

use chrono::{DateTime, Utc};
use fealty_types::{BudgetCode, OwnerId, Points, UnitCode};

/// A program runs some dozens of campaigns at a time. The bound keeps apart lots few, too: those of different budgets never
/// become one.
pub const BUDGETS_PER_PROGRAM_MAX: i64 = 200;

/// When a budget gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// From when on; `None` for from the beginning.
    pub begin: Option<DateTime<Utc>>,
    /// From when on no more; `None` for never.
    pub end: Option<DateTime<Utc>>,
}

/// What somebody wants a budget to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBudget {
    /// Its code within the program.
    pub code: BudgetCode,
    /// What people call it.
    pub display_name: String,
    /// What is counted.
    pub unit_code: UnitCode,
    /// The most that it gives. Above zero.
    pub value_max: Points,
    /// Who pays; `None` for the program itself.
    pub partner_id: Option<OwnerId>,
    /// When it gives.
    pub span: Span,
}

/// New values of the fields that may change; `None` leaves one as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BudgetChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// The most that it gives.
    pub value_max: Option<Points>,
    /// From when on.
    pub begin: Option<Option<DateTime<Utc>>>,
    /// Until when.
    pub end: Option<Option<DateTime<Utc>>>,
}

/// A budget with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What somebody wanted it to be.
    pub terms: NewBudget,
    /// What it has given, less what was taken back.
    pub used: Points,
    /// Grows with each change by a call.
    pub revision: i64,
    /// When it was set up.
    pub create_time: DateTime<Utc>,
    /// When it was last changed by a call.
    pub update_time: DateTime<Utc>,
}

/// Why a budget cannot become what it is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// It would have given more than it may.
    BelowUsed,
    /// It would end before it begins.
    EndsFirst,
}

impl Span {
    /// Whether it ends after it begins.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.begin.zip(self.end).is_none_or(|(begin, end)| begin < end)
    }

    /// Whether it gives at that time.
    #[must_use]
    pub fn has(&self, at: DateTime<Utc>) -> bool {
        self.begin.is_none_or(|begin| begin <= at) && self.end.is_none_or(|end| at < end)
    }
}

impl Budget {
    /// A budget as it is set up.
    #[must_use]
    pub const fn new(terms: NewBudget, now: DateTime<Utc>) -> Self {
        Self {
            terms,
            used: Points::ZERO,
            revision: 1,
            create_time: now,
            update_time: now,
        }
    }

    /// The budget after a change. A clock that ran backwards leaves the time of the last change as it is.
    pub fn changed(mut self, change: BudgetChange, now: DateTime<Utc>) -> Result<Self, Contradiction> {
        let terms = &mut self.terms;
        terms.display_name = change.display_name.unwrap_or_else(|| terms.display_name.clone());
        terms.value_max = change.value_max.unwrap_or(terms.value_max);
        terms.span = Span {
            begin: change.begin.unwrap_or(terms.span.begin),
            end: change.end.unwrap_or(terms.span.end),
        };
        if terms.value_max < self.used {
            return Err(Contradiction::BelowUsed);
        }
        if !terms.span.is_sound() {
            return Err(Contradiction::EndsFirst);
        }
        self.revision += 1;
        self.update_time = self.update_time.max(now);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn time(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    fn budget() -> Budget {
        let terms = NewBudget {
            code: "summer".parse().unwrap(),
            display_name: "Summer".to_owned(),
            unit_code: "points".parse().unwrap(),
            value_max: Points::new(100),
            partner_id: None,
            span: Span {
                begin: Some(time(1)),
                end: None,
            },
        };
        Budget {
            used: Points::new(40),
            ..Budget::new(terms, time(0))
        }
    }

    #[test]
    fn it_gives_from_its_beginning_until_its_end() {
        let span = Span {
            begin: Some(time(1)),
            end: Some(time(2)),
        };
        let gives = [0, 1, 2].map(|hours| span.has(time(hours)));
        assert_eq!(gives, [false, true, false]);
        assert!(span.has(time(2) - TimeDelta::microseconds(1)));
        assert!(Span::default().has(time(0)));
    }

    #[test]
    fn it_never_has_less_than_it_gave_nor_an_end_before_its_beginning() {
        let max = |value| BudgetChange {
            value_max: Some(Points::new(value)),
            ..BudgetChange::default()
        };
        let exact = budget().changed(max(40), time(5)).unwrap();
        assert_eq!((exact.terms.value_max.get(), exact.revision), (40, 2));
        assert_eq!(budget().changed(max(39), time(5)), Err(Contradiction::BelowUsed));
        let ends = |end| BudgetChange {
            end: Some(Some(end)),
            ..BudgetChange::default()
        };
        assert_eq!(
            budget().changed(ends(time(1)), time(5)),
            Err(Contradiction::EndsFirst)
        );
        let open = BudgetChange {
            begin: Some(None),
            ..ends(time(1))
        };
        assert_eq!(budget().changed(open, time(5)).unwrap().terms.span.begin, None);
    }
}
