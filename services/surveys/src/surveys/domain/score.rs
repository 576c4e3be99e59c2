//! A score, and who gave which.

use std::fmt;
use std::str::FromStr;

/// The best score: the scale of a Net Promoter Score is 0 to 10, eleven points.
pub const SCORE_MAX: i32 = 10;

/// How likely somebody is to recommend the program, from 0 to 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u8);

/// The number is no score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 0 to {SCORE_MAX}")]
pub struct ScoreError;

/// Who gave which score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScoreGroup {
    /// Everybody.
    All,
    /// 0 to 6.
    Detractors,
    /// 7 and 8.
    Passives,
    /// 9 and 10.
    Promoters,
    /// 0 to 9.
    BelowTen,
}

/// The text is no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no group of scores")]
pub struct ScoreGroupError;

impl Score {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Every score there is, from the worst to the best.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=SCORE_MAX).filter_map(|number| Self::try_from(number).ok())
    }
}

impl TryFrom<i32> for Score {
    type Error = ScoreError;

    fn try_from(number: i32) -> Result<Self, ScoreError> {
        match u8::try_from(number) {
            Ok(score) if number <= SCORE_MAX => Ok(Self(score)),
            _ => Err(ScoreError),
        }
    }
}

impl ScoreGroup {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::All,
        Self::Detractors,
        Self::Passives,
        Self::Promoters,
        Self::BelowTen,
    ];

    /// Whether who gave that score belongs to it.
    #[must_use]
    pub const fn has(self, score: Score) -> bool {
        match self {
            Self::All => true,
            Self::Detractors => score.0 <= 6,
            Self::Passives => matches!(score.0, 7 | 8),
            Self::Promoters => score.0 >= 9,
            Self::BelowTen => score.0 < 10,
        }
    }

    /// Its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Detractors => "DETRACTORS",
            Self::Passives => "PASSIVES",
            Self::Promoters => "PROMOTERS",
            Self::BelowTen => "BELOW_TEN",
        }
    }
}

impl fmt::Display for ScoreGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ScoreGroup {
    type Err = ScoreGroupError;

    fn from_str(text: &str) -> Result<Self, ScoreGroupError> {
        Self::ALL
            .into_iter()
            .find(|group| group.as_str() == text)
            .ok_or(ScoreGroupError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(number: i32) -> Score {
        Score::try_from(number).unwrap()
    }

    #[test]
    fn e3_groups_are_0_to_6_7_and_8_9_and_10_and_nothing_else_is_a_score() {
        for (number, group) in [
            (0, ScoreGroup::Detractors),
            (6, ScoreGroup::Detractors),
            (7, ScoreGroup::Passives),
            (8, ScoreGroup::Passives),
            (9, ScoreGroup::Promoters),
            (10, ScoreGroup::Promoters),
        ] {
            let thirds = [
                ScoreGroup::Detractors,
                ScoreGroup::Passives,
                ScoreGroup::Promoters,
            ];
            let of: Vec<_> = thirds
                .into_iter()
                .filter(|group| group.has(score(number)))
                .collect();
            assert_eq!(of, [group], "{number}");
        }
        for number in [-1, 11, 256, i32::MIN, i32::MAX] {
            assert_eq!(Score::try_from(number), Err(ScoreError), "{number}");
        }
    }

    #[test]
    fn everybody_is_all_and_everybody_but_a_ten_is_below_ten() {
        assert_eq!(Score::all().count(), 11);
        assert!(Score::all().all(|score| ScoreGroup::All.has(score)));
        let below: Vec<_> = Score::all()
            .filter(|score| ScoreGroup::BelowTen.has(*score))
            .collect();
        assert_eq!((below.len(), below.last().copied()), (10, Some(score(9))));
    }

    #[test]
    fn every_group_is_read_as_it_was_written() {
        for group in ScoreGroup::ALL {
            assert_eq!(group.to_string().parse(), Ok(group));
        }
        assert_eq!("".parse::<ScoreGroup>(), Err(ScoreGroupError));
    }
}
