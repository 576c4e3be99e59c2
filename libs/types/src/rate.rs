//! Exact rates: how much of a unit a sum of money earns.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Money, Points, UnitScale};

/// Nine decimals express a ten-millionth of a percent: finer than any rate that was ever agreed.
pub const RATE_DECIMALS_MAX: u32 = 9;

/// A million of a unit for each pound is beyond every program; with nine decimals it is still small enough that a
/// product with any sum of money fits into 128 bits, so that only the rounded result can overflow.
pub const RATE_MAX: i64 = 1_000_000;

/// How much of a unit one major unit of money earns: 0.05 gives one whole point for 20 pounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(Decimal);

/// Why a rate is none, or gives no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Not digits with at most one point.
    #[error("must be a decimal number in plain digits, such as 0.05")]
    Malformed,
    /// More decimals than a rate has.
    #[error("must have at most {RATE_DECIMALS_MAX} decimals")]
    TooManyDecimals,
    /// Below zero or beyond the bound.
    #[error("must be from 0 to {RATE_MAX}")]
    OutOfRange,
    /// The result does not fit into 64 bits.
    #[error("the result does not fit into 64 bits")]
    Overflow,
}

/// What happens to the part of a smallest step that a rate leaves over. All four treat `-x` as the opposite of `x`: what a
/// sum earned, the same sum taken back takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Towards zero: nobody gets a part of a point.
    Down,
    /// Away from zero.
    Up,
    /// To the nearest step; a half goes away from zero.
    HalfUp,
    /// To the nearest step; a half goes to the even one, so that many roundings add up to nothing.
    HalfEven,
}

impl Rate {
    /// Earns nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// A rate from 0 to [`RATE_MAX`] with at most [`RATE_DECIMALS_MAX`] decimals. Zeros at the end do not count.
    pub fn try_new(value: Decimal) -> Result<Self, RateError> {
        let value = value.normalize();
        if value.is_sign_negative() && !value.is_zero() || value > Decimal::from(RATE_MAX) {
            return Err(RateError::OutOfRange);
        }
        if value.scale() > RATE_DECIMALS_MAX {
            return Err(RateError::TooManyDecimals);
        }
        Ok(Self(value))
    }

    /// The exact value.
    #[must_use]
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// Whether it earns nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// What `money` earns, in the smallest step of a unit with that scale. Exact up to the one rounding.
    pub fn apply(self, money: Money, scale: UnitScale, rounding: Rounding) -> Result<Points, RateError> {
        // At most 10^15 times 2^63, which is below 2^127.
        let product = self.0.mantissa() * i128::from(money.minor);
        let drop_digits = self.0.scale() + u32::from(money.currency.minor_digits());
        let add_digits = u32::from(scale.get());
        let exact = if add_digits >= drop_digits {
            let factor = 10_i128.pow(add_digits - drop_digits);
            product.checked_mul(factor).ok_or(RateError::Overflow)?
        } else {
            divide(product, 10_i128.pow(drop_digits - add_digits), rounding)
        };
        i64::try_from(exact)
            .map(Points::new)
            .map_err(|_| RateError::Overflow)
    }
}

/// `dividend / divisor`, rounded. The divisor is positive and at most 10^13, so doubling a rest cannot overflow.
fn divide(dividend: i128, divisor: i128, rounding: Rounding) -> i128 {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let twice = 2 * rest.abs();
    let away_from_zero = match rounding {
        Rounding::Down => false,
        Rounding::Up => rest != 0,
        Rounding::HalfUp => twice >= divisor,
        Rounding::HalfEven => twice > divisor || (twice == divisor && quotient % 2 != 0),
    };
    if away_from_zero {
        quotient + dividend.signum()
    } else {
        quotient
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        // Decimal would also take "1_000", "+1", ".5" and "5.".
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(decimals) {
            return Err(RateError::Malformed);
        }
        // Zeros carry no value, and their number must not decide whether a text is taken.
        let (whole, decimals) = (whole.trim_start_matches('0'), decimals.trim_end_matches('0'));
        if decimals.len() > RATE_DECIMALS_MAX as usize {
            return Err(RateError::TooManyDecimals);
        }
        let plain = format!("{sign}0{whole}.{decimals}0");
        Decimal::from_str_exact(&plain)
            .map_err(|_| RateError::OutOfRange)
            .and_then(Self::try_new)
    }
}

impl TryFrom<String> for Rate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, RateError> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl fmt::Display for Rate {
    /// In plain digits without zeros at the end: one text for one rate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests;
