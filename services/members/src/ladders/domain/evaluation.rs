//! What a ladder would be like.

use fealty_types::MemberId;

use super::{Definition, Rank};
use crate::people::domain::TierCode;

/// How many would have a tier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// How many.
    pub member_count: i64,
    /// How many of them rise into it.
    pub rising_count: i64,
    /// How many of them fall into it.
    pub falling_count: i64,
}

/// What has been counted so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Of all together.
    pub all: Evaluated,
    /// By places: no tier, and each tier from the lowest on.
    pub tiers: Vec<Evaluated>,
    /// The first of those who rise.
    pub rising: Vec<MemberId>,
    /// The first of those who fall.
    pub falling: Vec<MemberId>,
    sample_count: usize,
}

impl Evaluation {
    /// Nobody has been counted yet.
    #[must_use]
    pub fn new(ladder: &Definition, sample_count: usize) -> Self {
        Self {
            all: Evaluated::default(),
            tiers: vec![Evaluated::default(); ladder.tiers.len() + 1],
            rising: Vec::new(),
            falling: Vec::new(),
            sample_count,
        }
    }

    /// Counts a member: the tier that they have now of the ladder as it is, and the place that they would have.
    pub fn count(
        &mut self,
        member_id: MemberId,
        (now, then): (Option<&TierCode>, Rank),
        (before, after): (&Definition, &Definition),
    ) {
        let now = now.map_or(0, |tier| doubled_rank(tier, before, after));
        let (rises, falls) = (2 * then > now, 2 * then < now);
        let mut counts = vec![&mut self.all];
        counts.extend(self.tiers.get_mut(then));
        for count in counts {
            count.member_count += 1;
            count.rising_count += i64::from(rises);
            count.falling_count += i64::from(falls);
        }
        let samples = if rises {
            &mut self.rising
        } else {
            &mut self.falling
        };
        if (rises || falls) && samples.len() < self.sample_count {
            samples.push(member_id);
        }
    }
}

/// Where a tier stands on another version, in half places: one that is gone stands above those that were below it, and below
/// those that were above.
fn doubled_rank(tier: &TierCode, before: &Definition, after: &Definition) -> usize {
    match after.rank_of(tier) {
        Some(rank) => 2 * rank,
        None => before
            .rank_of(tier)
            .map_or(0, |rank| 2 * after.rank_after(before, rank) + 1),
    }
}
