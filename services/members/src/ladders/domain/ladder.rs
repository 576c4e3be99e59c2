//! A ladder and its tiers.

use chrono::{DateTime, NaiveDate, Utc};

use super::{BenefitCode, LadderCode, Qualification};
use crate::display_name::DisplayName;
use crate::people::domain::TierCode;

/// Most ladders of a program, retired ones among them: each member is judged by all of them whenever they buy.
pub const LADDERS_MAX: usize = 20;

/// Most versions of a ladder: eight a year for a dozen years.
pub const VERSIONS_MAX: i64 = 100;

/// Most tiers of a ladder: more than anybody can tell apart.
pub const TIERS_MAX: usize = 10;

/// Most benefits of a tier.
pub const BENEFITS_MAX: usize = 30;

/// Highest threshold: sums of this size stay far below 2^63.
pub const THRESHOLD_MAX: i64 = 1_000_000_000_000_000;

/// A place on a ladder: 0 is below the lowest tier, 1 is the lowest.
pub type Rank = usize;

/// Something that members of a tier have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Benefit {
    /// Names it.
    pub code: BenefitCode,
    /// What it is, in words.
    pub description: String,
}

/// A step of a ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Names it.
    pub code: TierCode,
    /// What people call it.
    pub display_name: DisplayName,
    /// How much has to be counted.
    pub threshold: i64,
    /// What its members have.
    pub benefits: Vec<Benefit>,
}

/// What a ladder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Names it.
    pub ladder_code: LadderCode,
    /// What people call it.
    pub display_name: DisplayName,
    /// How tiers are earned; None for a closed club.
    pub qualification: Option<Qualification>,
    /// From the lowest to the highest.
    pub tiers: Vec<Tier>,
}

/// A version of a ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// What it is.
    pub definition: Definition,
    /// 1, 2, 3 ...
    pub version: i64,
    /// The day from which on it is in force.
    pub start_day: NaiveDate,
    /// When it was published.
    pub create_time: DateTime<Utc>,
    /// When the ladder was retired.
    pub retire_time: Option<DateTime<Utc>>,
}

impl Definition {
    /// The highest place that a balance is enough for.
    #[must_use]
    pub fn rank_of_balance(&self, balance: i64) -> Rank {
        self.tiers.partition_point(|tier| tier.threshold <= balance)
    }

    /// Where a balance belongs: nowhere on a closed ladder.
    #[must_use]
    pub fn target(&self, balance: i64) -> Rank {
        match &self.qualification {
            Some(_) => self.rank_of_balance(balance),
            None => 0,
        }
    }

    /// The place of a tier.
    #[must_use]
    pub fn rank_of(&self, code: &TierCode) -> Option<Rank> {
        self.tiers
            .iter()
            .position(|tier| tier.code == *code)
            .map(|at| at + 1)
    }

    /// The tier at a place; None below the lowest.
    #[must_use]
    pub fn tier(&self, rank: Rank) -> Option<&Tier> {
        rank.checked_sub(1).and_then(|at| self.tiers.get(at))
    }

    /// The code of the tier at a place; None below the lowest.
    #[must_use]
    pub fn code_at(&self, rank: Rank) -> Option<&TierCode> {
        self.tier(rank).map(|tier| &tier.code)
    }

    /// Where somebody stands on this ladder who stood at `rank` of an earlier version: in the same tier, or in the highest
    /// of those below it that is left.
    #[must_use]
    pub fn rank_after(&self, before: &Self, rank: Rank) -> Rank {
        let mut below = before.tiers.iter().take(rank).rev();
        below.find_map(|tier| self.rank_of(&tier.code)).unwrap_or(0)
    }
}
