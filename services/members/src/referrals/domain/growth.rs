//! How many members one member brings, and how a program grows by it. Pure.

use std::fmt;
use std::str::FromStr;

/// Millionths in one.
const SCALE: i128 = 1_000_000;

/// Most that one member brings: far above what anybody ever saw.
const FACTOR_MAX: i128 = 100 * SCALE;

/// What is counted of one member, beyond the point: what is lost of a round is less than any sum of them shows.
const PARTS: i128 = 1_000_000_000_000;

/// Where counting ends.
const COUNT_MAX: i128 = 1_000_000_000_000_000;

/// How many members one member brings: a decimal with six digits after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor(i128);

/// The text is no factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a decimal from 0 to 100 with at most six digits after the point, such as 0.5")]
pub struct FactorText;

impl Factor {
    /// A share of two counts, rounded down; nothing of nothing.
    #[must_use]
    pub fn of(part: i64, whole: i64) -> Self {
        if whole <= 0 {
            return Self(0);
        }
        Self(i128::from(part) * SCALE / i128::from(whole))
    }
}

impl FromStr for Factor {
    type Err = FactorText;

    fn from_str(text: &str) -> Result<Self, FactorText> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str, length_max: usize| {
            (1..=length_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(whole, 3) || !is_number(rest, 6) {
            return Err(FactorText);
        }
        let whole: i128 = whole.parse().map_err(|_| FactorText)?;
        let rest: i128 = format!("{rest:0<6}").parse().map_err(|_| FactorText)?;
        let factor = whole * SCALE + rest;
        if factor <= FACTOR_MAX {
            Ok(Self(factor))
        } else {
            Err(FactorText)
        }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / SCALE, self.0 % SCALE);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let rest = format!("{rest:06}");
        write!(f, "{whole}.{}", rest.trim_end_matches('0'))
    }
}

/// What was counted in a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Growth {
    /// Members by whose codes invitations were sent.
    pub inviting_member_count: i64,
    /// Invitations that were sent.
    pub invite_count: i64,
    /// Referrals by code that qualified.
    pub qualified_count: i64,
}

/// How many members there are after each round, if so many bring `factor` others each, who bring others in the next.
#[must_use]
pub fn project(seed_count: i64, factor: Factor, round_count: usize) -> Vec<i64> {
    let mut newest = i128::from(seed_count) * PARTS;
    let mut all = newest;
    (0..round_count)
        .map(|_| {
            newest = (newest * factor.0 / SCALE).min(COUNT_MAX * PARTS);
            all = (all + newest).min(COUNT_MAX * PARTS);
            i64::try_from(all / PARTS).unwrap_or(i64::MAX)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b12_half_a_member_each_makes_a_hundred_a_hundred_and_fifty_then_a_hundred_and_seventy_five() {
        let half = "0.5".parse().unwrap();
        assert_eq!(project(100, half, 2), [150, 175]);
        assert_eq!(project(100, half, 40)[39], 199, "it never gets to two hundred");
        assert_eq!(project(1, "2".parse().unwrap(), 3), [3, 7, 15]);
        assert_eq!(project(7, "0".parse().unwrap(), 1), [7]);
        let most = project(1_000_000_000, "100".parse().unwrap(), 100);
        assert_eq!(most[99], 1_000_000_000_000_000);
    }

    #[test]
    fn a_factor_is_an_exact_decimal() {
        for (text, printed) in [
            ("0.5", "0.5"),
            ("1", "1"),
            ("0.000001", "0.000001"),
            ("100", "100"),
            ("02.50", "2.5"),
        ] {
            assert_eq!(text.parse::<Factor>().unwrap().to_string(), printed);
        }
        for wrong in ["", ".5", "1.", "0.0000001", "100.000001", "-1", "1e2", "0,5"] {
            assert_eq!(wrong.parse::<Factor>(), Err(FactorText), "{wrong}");
        }
        assert_eq!(Factor::of(1, 3).to_string(), "0.333333");
        assert_eq!(Factor::of(5, 0).to_string(), "0");
    }
}
