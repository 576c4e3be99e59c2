//! The arithmetic of a Net Promoter Score. Pure, and exact: there is no float in it.
//!
//! With `n` answers, `p` of them promoters and `d` detractors, the score is `100 (p - d) / n`.
//!
//! The interval is the adjusted Wald interval at 95 % (Rocks 2016), which of the methods tried comes closest to what it
//! promises, also where few answered or all alike: three answers are made up, 3/4 of a promoter, 3/2 passives and 3/4 of
//! a detractor, and with `n' = n + 3`, `P' = (p + 3/4) / n'`, `D' = (d + 3/4) / n'`, `S' = P' - D'`
//!
//! ```text
//! margin = z sqrt((P' + D' - S'^2) / n')        interval = S' - margin .. S' + margin, cut off at -100 and 100
//! ```
//!
//! `P' + D' = (p + d + 3/2) / n'` and `S' = (p - d) / n'`, so the fraction under the root is
//!
//! ```text
//! ((2 (p + d) + 3) n' - 2 (p - d)^2) / (2 n'^3)
//! ```
//!
//! in whole numbers. It is below 1; it is divided out to 36 decimals, and the whole root of that is the root of the
//! fraction to 18 decimals, each step rounded down. Together with z to 15 decimals the margin is right to more than ten
//! of its decimals, of which four are shown.

mod decimal;
mod month;

use crate::surveys::domain::{Score, ScoreGroup};
pub use decimal::Decimal;
pub use month::{MONTHS_MAX, Month, MonthError, Months};

/// The two-sided 95 % quantile of the normal distribution, 1.959963984540054, in units of 10^-15.
const Z_E15: i128 = 1_959_963_984_540_054;

/// Answers that are made up. They are added to all who answered; three quarters of one are promoters, and as many
/// detractors.
const PSEUDO_COUNT: i128 = 3;

/// Decimals to which the fraction under the root is divided out: its root then has half as many.
const FRACTION_DECIMALS: u32 = 36;

/// Points are reckoned to so many decimals and rounded once, at the end.
const POINTS_E12: i128 = 1_000_000_000_000;

/// What a tally has at the most of each kind: beyond it the whole numbers above would not fit into 128 bits, and no
/// table holds as many answers. More are counted as so many.
const COUNT_MAX: i64 = 500_000_000_000;

/// How many answered with what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// With 9 or 10.
    pub promoter_count: i64,
    /// With 7 or 8.
    pub passive_count: i64,
    /// With 0 to 6.
    pub detractor_count: i64,
}

/// A score and how sure one can be of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetPromoterScore {
    /// -100 to 100.
    pub score: Decimal,
    /// Contains the true score 95 times out of 100.
    pub interval: Interval,
}

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// At least -100.
    pub low: Decimal,
    /// At most 100.
    pub high: Decimal,
    /// Half of its width before it was cut off.
    pub margin: Decimal,
}

impl Tally {
    /// Counts who gave which score.
    #[must_use]
    pub fn of(counts: impl IntoIterator<Item = (Score, i64)>) -> Self {
        let mut tally = Self::default();
        for (score, count) in counts {
            let kind = if ScoreGroup::Promoters.has(score) {
                &mut tally.promoter_count
            } else if ScoreGroup::Detractors.has(score) {
                &mut tally.detractor_count
            } else {
                &mut tally.passive_count
            };
            *kind = kind.saturating_add(count).min(COUNT_MAX);
        }
        tally
    }

    /// The score; none when nobody answered, for that is not zero.
    #[must_use]
    pub fn score(&self) -> Option<NetPromoterScore> {
        let promoters = i128::from(self.promoter_count);
        let detractors = i128::from(self.detractor_count);
        let count = promoters + detractors + i128::from(self.passive_count);
        if count == 0 {
            return None;
        }
        let difference = promoters - detractors;
        let center_e12 = 100 * POINTS_E12 * difference / (count + PSEUDO_COUNT);
        let margin_e12 = self.margin_e12();
        let bound = |points_e12: i128| points_e12.clamp(-100 * POINTS_E12, 100 * POINTS_E12);
        Some(NetPromoterScore {
            score: Decimal::rounded(100 * POINTS_E12 * difference / count, POINTS_E12),
            interval: Interval {
                low: Decimal::rounded(bound(center_e12 - margin_e12), POINTS_E12),
                high: Decimal::rounded(bound(center_e12 + margin_e12), POINTS_E12),
                margin: Decimal::rounded(margin_e12, POINTS_E12),
            },
        })
    }

    fn margin_e12(&self) -> i128 {
        let promoters = i128::from(self.promoter_count);
        let detractors = i128::from(self.detractor_count);
        let count = promoters + detractors + i128::from(self.passive_count) + PSEUDO_COUNT;
        let difference = promoters - detractors;
        let numerator = (2 * (promoters + detractors) + PSEUDO_COUNT) * count - 2 * difference * difference;
        let fraction = divided_out(numerator, 2 * count * count * count);
        // 10^18 times the root. Times 10^15 z is 10^33 times the margin as a share; points are a hundred times that.
        Z_E15 * fraction.isqrt() / 10_i128.pow(33 - 12 - 2)
    }
}

/// `numerator / denominator`, which is from 0 to below 10, in units of 10^-36: one decimal after the other, as on paper,
/// because the product with 10^36 would not fit.
fn divided_out(numerator: i128, denominator: i128) -> i128 {
    let mut quotient = numerator / denominator;
    let mut rest = numerator % denominator;
    for _ in 0..FRACTION_DECIMALS {
        rest *= 10;
        quotient = quotient * 10 + rest / denominator;
        rest %= denominator;
    }
    quotient
}

#[cfg(test)]
mod tests;
