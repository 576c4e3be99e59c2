//! A number as messages carry it: text with four decimals.

use std::fmt;

/// Decimals of a number that is shown: a hundredth of a point is below what any survey can tell apart.
const DECIMALS: u32 = 4;

/// What one is, in the smallest step.
const ONE: i128 = 10_i128.pow(DECIMALS);

/// An exact number with four decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(i128);

impl Decimal {
    /// `value / one`, rounded to four decimals; a half goes away from zero, so that -x reads as the opposite of x.
    #[must_use]
    pub fn rounded(value: i128, one: i128) -> Self {
        let scaled = value * ONE;
        let (quotient, rest) = (scaled / one, scaled % one);
        let away = if 2 * rest.abs() >= one { value.signum() } else { 0 };
        Self(quotient + away)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let steps = self.0.abs();
        write!(
            f,
            "{sign}{}.{:0width$}",
            steps / ONE,
            steps % ONE,
            width = DECIMALS as usize
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_four_decimals_and_a_half_goes_away_from_zero() {
        for (value, text) in [
            (0, "0.0000"),
            (30_000_000, "30.0000"),
            (1, "0.0000"),
            (49, "0.0000"),
            (50, "0.0001"),
            (-50, "-0.0001"),
            (-49, "0.0000"),
            (-100_000_000, "-100.0000"),
            (12_345_678, "12.3457"),
        ] {
            assert_eq!(Decimal::rounded(value, 1_000_000).to_string(), text, "{value}");
        }
    }
}
