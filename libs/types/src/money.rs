//! Exact sums of money.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::CurrencyCode;

/// Whole minor units of one currency: pence, cents, yen. Never a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// What it is counted in.
    pub currency: CurrencyCode,
    /// How much, in the currency's minor unit.
    pub minor: i64,
}

/// Why two sums cannot be taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Pounds and euros do not add up.
    #[error("the money is in {actual}, and {required} is required")]
    CurrencyMismatch {
        /// The currency that was there first.
        required: CurrencyCode,
        /// The other one.
        actual: CurrencyCode,
    },
    /// The result does not fit into 64 bits.
    #[error("the sum does not fit into 64 bits")]
    Overflow,
}

impl Money {
    /// A sum in its currency's minor unit.
    #[must_use]
    pub const fn new(currency: CurrencyCode, minor: i64) -> Self {
        Self { currency, minor }
    }

    /// Nothing, in that currency.
    #[must_use]
    pub const fn zero(currency: CurrencyCode) -> Self {
        Self::new(currency, 0)
    }

    /// The sum, if both are in one currency and it fits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_add)
    }

    /// The difference, if both are in one currency and it fits.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_sub)
    }

    /// The same sum with the other sign, if it fits.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_neg().ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// Refuses another currency than `required`.
    pub fn require_currency(self, required: CurrencyCode) -> Result<Self, MoneyError> {
        if self.currency == required {
            Ok(self)
        } else {
            Err(MoneyError::CurrencyMismatch {
                required,
                actual: self.currency,
            })
        }
    }

    /// Whether it is zero.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.minor == 0
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(&self) -> bool {
        self.minor < 0
    }

    fn combine(self, other: Self, by: fn(i64, i64) -> Option<i64>) -> Result<Self, MoneyError> {
        let other = other.require_currency(self.currency)?;
        let minor = by(self.minor, other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }
}

impl fmt::Display for Money {
    /// As people write it in accounts: `GBP 12.05`, `JPY -300`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.currency.minor_digits());
        let sign = if self.minor < 0 { "-" } else { "" };
        if digits == 0 {
            return write!(f, "{} {sign}{}", self.currency, self.minor.unsigned_abs());
        }
        // At least one digit stands before the point.
        let text = format!("{:0width$}", self.minor.unsigned_abs(), width = digits + 1);
        let (major, minor) = text.split_at(text.len() - digits);
        write!(f, "{} {sign}{major}.{minor}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(code: &str, minor: i64) -> Money {
        Money::new(code.parse().unwrap(), minor)
    }

    #[test]
    fn money_prints_with_the_decimals_of_its_currency() {
        for (sum, text) in [
            (money("GBP", 1_205), "GBP 12.05"),
            (money("GBP", -7), "GBP -0.07"),
            (money("JPY", -300), "JPY -300"),
            (money("KWD", 1), "KWD 0.001"),
            (money("GBP", i64::MIN), "GBP -92233720368547758.08"),
        ] {
            assert_eq!(sum.to_string(), text);
        }
    }

    #[test]
    fn two_currencies_do_not_add_up() {
        let (pounds, euros) = (money("GBP", 1), money("EUR", 1));
        let expected = Err(MoneyError::CurrencyMismatch {
            required: pounds.currency,
            actual: euros.currency,
        });
        assert_eq!(pounds.checked_add(euros), expected);
        assert_eq!(pounds.checked_sub(euros), expected);
    }

    #[test]
    fn the_smallest_sum_has_no_opposite() {
        assert_eq!(money("GBP", i64::MIN).checked_neg(), Err(MoneyError::Overflow));
    }

    proptest! {
        #[test]
        fn sums_are_exact_or_refused(a: i64, b: i64) {
            let exact = i64::try_from(i128::from(a) + i128::from(b)).map_err(|_| MoneyError::Overflow);
            let sum = money("GBP", a).checked_add(money("GBP", b));
            prop_assert_eq!(sum.map(|sum| sum.minor), exact);
        }

        #[test]
        fn what_is_added_can_be_taken_off(a: i64, b: i64) {
            if let Ok(sum) = money("GBP", a).checked_add(money("GBP", b)) {
                prop_assert_eq!(sum.checked_sub(money("GBP", b)), Ok(money("GBP", a)));
            }
        }
    }
}
