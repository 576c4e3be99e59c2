//! Counts of a unit: points, stamps, bonus roubles.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A count in the smallest step of its unit: a unit of scale 2 counts hundredths.
///
/// There is no `+` and no `-`: what does not fit is `None`, and the caller decides what that means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
pub struct Points(i64);

impl Points {
    /// None.
    pub const ZERO: Self = Self(0);

    /// The count.
    #[must_use]
    pub const fn new(value: i64) -> Self {
        Self(value)
    }

    /// The count as a number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum, if it fits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, if it fits.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The same count with the other sign, if it fits.
    #[must_use]
    pub fn checked_neg(self) -> Option<Self> {
        self.0.checked_neg().map(Self)
    }

    /// The sum of all, if it fits and every sum on the way does.
    #[must_use]
    pub fn checked_sum(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// What is left after `other` is taken, if that is not below zero: how an available balance is spent.
    #[must_use]
    pub fn checked_take(self, other: Self) -> Option<Self> {
        self.checked_sub(other)?.non_negative()
    }

    /// Itself, unless it is below zero.
    #[must_use]
    pub fn non_negative(self) -> Option<Self> {
        (!self.is_negative()).then_some(self)
    }

    /// Itself, or zero if it is below.
    #[must_use]
    pub fn or_zero(self) -> Self {
        self.max(Self::ZERO)
    }

    /// Whether it is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is above zero.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl From<i64> for Points {
    fn from(value: i64) -> Self {
        Self(value)
    }
}

impl From<Points> for i64 {
    fn from(points: Points) -> Self {
        points.0
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_smallest_count_has_no_opposite() {
        assert_eq!(Points::new(i64::MIN).checked_neg(), None);
        assert_eq!(Points::new(i64::MIN).or_zero(), Points::ZERO);
    }

    #[test]
    fn nothing_is_taken_that_is_not_there() {
        assert_eq!(Points::new(5).checked_take(Points::new(5)), Some(Points::ZERO));
        assert_eq!(Points::new(5).checked_take(Points::new(6)), None);
        assert_eq!(Points::new(-1).checked_take(Points::ZERO), None);
    }

    proptest! {
        #[test]
        fn sums_agree_with_wide_arithmetic(a: i64, b: i64) {
            let wide = i128::from(a) + i128::from(b);
            prop_assert_eq!(
                Points::new(a).checked_add(Points::new(b)).map(Points::get),
                i64::try_from(wide).ok(),
            );
        }

        #[test]
        fn what_is_added_can_be_taken_off(a: i64, b: i64) {
            if let Some(sum) = Points::new(a).checked_add(Points::new(b)) {
                prop_assert_eq!(sum.checked_sub(Points::new(b)), Some(Points::new(a)));
            }
        }

        #[test]
        fn taking_never_leaves_less_than_nothing(a: i64, b: i64) {
            if let Some(left) = Points::new(a).checked_take(Points::new(b)) {
                prop_assert!(!left.is_negative());
                prop_assert_eq!(left.checked_add(Points::new(b)), Some(Points::new(a)));
            }
        }

        #[test]
        fn a_sum_of_many_is_exact_or_refused(all in proptest::collection::vec(-1_000_i64..1_000, 0..50)) {
            let sum = Points::checked_sum(all.iter().copied().map(Points::new));
            prop_assert_eq!(sum, Some(Points::new(all.iter().sum())));
        }
    }
}
