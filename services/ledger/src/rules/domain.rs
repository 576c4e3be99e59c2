//! Earning rules: what purchases of a span of time earn in one unit. Pure.

use chrono::{DateTime, Utc};
use fealty_types::{Money, Points, Rate, RateError, Rounding, RuleId, UnitCode, UnitScale};

/// Postings read all rules of a program, once for a batch: a rule a week for nineteen years, in one or two milliseconds.
pub const RULES_PER_PROGRAM_MAX: i64 = 1_000;

/// A span of time: from its start on, until before its end. Unset means without bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// The first instant in it.
    pub start: Option<DateTime<Utc>>,
    /// The first instant after it.
    pub end: Option<DateTime<Utc>>,
}

impl Span {
    /// Whether the instant lies in it.
    #[must_use]
    pub fn contains(self, time: DateTime<Utc>) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time < end)
    }

    /// Whether no instant lies in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        matches!((self.start, self.end), (Some(start), Some(end)) if end <= start)
    }

    /// Whether an instant lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let start = self.start.max(other.start);
        let end = [self.end, other.end].into_iter().flatten().min();
        !self.is_empty() && !other.is_empty() && !Self { start, end }.is_empty()
    }
}

/// A share of the purchase's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cashback {
    /// Units for one whole unit of currency.
    pub rate: Rate,
    /// What happens to a fraction of the unit's smallest step.
    pub rounding: Rounding,
}

impl Cashback {
    /// What a sum earns in a unit of that scale.
    pub fn earn(&self, money: Money, scale: UnitScale) -> Result<Points, RateError> {
        self.rate.apply(money, scale, self.rounding)
    }
}

/// A rule. But for its end it is never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarningRule {
    /// Its id.
    pub rule_id: RuleId,
    /// What people call it.
    pub display_name: String,
    /// What it earns.
    pub unit_code: UnitCode,
    /// How much.
    pub cashback: Cashback,
    /// When a purchase must have happened.
    pub span: Span,
    /// When it was made.
    pub create_time: DateTime<Utc>,
}

/// What somebody wants a rule to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRule {
    /// What people call it.
    pub display_name: String,
    /// What it earns.
    pub unit_code: UnitCode,
    /// How much.
    pub cashback: Cashback,
    /// When a purchase must have happened.
    pub span: Span,
}

impl EarningRule {
    /// A rule as it is made.
    #[must_use]
    pub fn make(rule_id: RuleId, new: NewRule, now: DateTime<Utc>) -> Self {
        Self {
            rule_id,
            display_name: new.display_name,
            unit_code: new.unit_code,
            cashback: new.cashback,
            span: new.span,
            create_time: now,
        }
    }
}

/// Why a rule cannot be ended then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndError {
    /// What purchases have earned stays: the past is not changed.
    InThePast,
    /// An end only comes nearer: what is later was never promised.
    AfterItsEnd,
}

/// The end of a rule that is to end at `end_time`, or now; `None` when it ends as it does already.
///
/// A rule that has not begun by then ends where it begins, and never holds. Ending what has ended already changes
/// nothing, unless another end is asked for.
pub fn decide_end(
    span: Span,
    end_time: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, EndError> {
    if span.end.is_some() && (end_time == span.end || (end_time.is_none() && span.end <= Some(now))) {
        return Ok(None);
    }
    let end = end_time.unwrap_or(now);
    if end < now {
        return Err(EndError::InThePast);
    }
    if span.end.is_some_and(|known| known < end) {
        return Err(EndError::AfterItsEnd);
    }
    let end = span.start.map_or(end, |start| end.max(start));
    Ok(Some(end).filter(|end| span.end != Some(*end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    fn span(start: Option<i64>, end: Option<i64>) -> Span {
        Span {
            start: start.map(at),
            end: end.map(at),
        }
    }

    fn any_span() -> impl Strategy<Value = Span> {
        let bound = || proptest::option::of(0_i64..12);
        (bound(), bound()).prop_map(|(start, end)| span(start, end))
    }

    #[test]
    fn spans_that_touch_do_not_overlap() {
        assert!(!span(None, Some(5)).overlaps(span(Some(5), None)));
        assert!(span(None, Some(6)).overlaps(span(Some(5), None)));
        assert!(span(None, None).overlaps(span(None, None)));
        assert!(!span(Some(5), Some(5)).overlaps(span(None, None)));
    }

    #[test]
    fn c1_one_percent_of_five_thousand_is_fifty() {
        let cashback = Cashback {
            rate: "0.01".parse().unwrap(),
            rounding: Rounding::Down,
        };
        let money = Money::new("RUB".parse().unwrap(), 500_000);
        assert_eq!(cashback.earn(money, UnitScale::ZERO), Ok(Points::new(50)));
    }

    #[test]
    fn a_rule_ends_now_or_later_and_never_later_than_before() {
        let open = span(Some(0), None);
        assert_eq!(decide_end(open, None, at(5)), Ok(Some(at(5))));
        assert_eq!(decide_end(open, Some(at(9)), at(5)), Ok(Some(at(9))));
        assert_eq!(decide_end(open, Some(at(4)), at(5)), Err(EndError::InThePast));
        let bounded = span(None, Some(8));
        assert_eq!(decide_end(bounded, Some(at(7)), at(5)), Ok(Some(at(7))));
        assert_eq!(
            decide_end(bounded, Some(at(9)), at(5)),
            Err(EndError::AfterItsEnd)
        );
    }

    #[test]
    fn ending_a_rule_again_changes_nothing() {
        assert_eq!(decide_end(span(None, Some(3)), None, at(5)), Ok(None));
        assert_eq!(decide_end(span(None, Some(3)), Some(at(3)), at(5)), Ok(None));
        assert_eq!(decide_end(span(None, Some(8)), Some(at(8)), at(5)), Ok(None));
    }

    #[test]
    fn a_rule_that_has_not_begun_never_holds() {
        let ended = decide_end(span(Some(9), None), None, at(5));
        assert_eq!(ended, Ok(Some(at(9))));
        assert!(span(Some(9), Some(9)).is_empty());
    }

    proptest! {
        #[test]
        fn two_spans_overlap_when_an_instant_lies_in_both(one in any_span(), other in any_span()) {
            let shared = (-1..13).any(|second| one.contains(at(second)) && other.contains(at(second)));
            prop_assert_eq!(one.overlaps(other), shared);
            prop_assert_eq!(other.overlaps(one), shared);
        }

        #[test]
        fn an_end_never_takes_what_was_earned(span in any_span(), end_time in proptest::option::of(0_i64..12), now in 0_i64..12) {
            if let Ok(Some(end)) = decide_end(span, end_time.map(at), at(now)) {
                let after = Span { end: Some(end), ..span };
                prop_assert!((-1..now).all(|second| span.contains(at(second)) == after.contains(at(second))));
                prop_assert!((-1..13).all(|second| span.contains(at(second)) || !after.contains(at(second))));
            }
        }
    }
}
