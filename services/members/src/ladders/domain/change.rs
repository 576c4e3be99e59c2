//! What changes of a member's tier, and why.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{Assessment, Known, LadderCode, Question, Rank, assess};
use crate::people::domain::TierCode;

/// Why a member is judged anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Time went by.
    Time,
    /// The ledger posted something.
    Posting,
    /// A tier was granted.
    Grant,
    /// A grant was revoked.
    Revoke,
    /// The ladder was published anew, or retired.
    Ladder,
    /// What the member may do changed.
    Status,
    /// They were merged with another record.
    Merge,
}

/// Why a tier changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The balance reached it.
    Qualified,
    /// The balance had been too low for the grace.
    GraceEnded,
    /// What had earned it was taken back.
    TakenBack,
    /// It was granted.
    Granted,
    /// A grant came to its end.
    GrantEnded,
    /// A grant was revoked.
    GrantRevoked,
    /// The ladder was published anew, or retired.
    LadderChanged,
    /// What the member may do changed.
    StatusChanged,
    /// They were merged with another record.
    Merged,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Qualified,
        Self::GraceEnded,
        Self::TakenBack,
        Self::Granted,
        Self::GrantEnded,
        Self::GrantRevoked,
        Self::LadderChanged,
        Self::StatusChanged,
        Self::Merged,
    ];

    /// As it is stored, and as callers see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Qualified => "QUALIFIED",
            Self::GraceEnded => "GRACE_ENDED",
            Self::TakenBack => "TAKEN_BACK",
            Self::Granted => "GRANTED",
            Self::GrantEnded => "GRANT_ENDED",
            Self::GrantRevoked => "GRANT_REVOKED",
            Self::LadderChanged => "LADDER_CHANGED",
            Self::StatusChanged => "STATUS_CHANGED",
            Self::Merged => "MERGED",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }

    fn of(trigger: Trigger, before: (Rank, Rank), after: (Rank, Rank)) -> Self {
        let (earned, rank) = (after.0.cmp(&before.0), after.1 > before.1);
        match trigger {
            Trigger::Ladder => Self::LadderChanged,
            Trigger::Status => Self::StatusChanged,
            Trigger::Merge => Self::Merged,
            _ if rank && earned.is_gt() && after.0 == after.1 => Self::Qualified,
            _ if rank => Self::Granted,
            Trigger::Posting if earned.is_lt() => Self::TakenBack,
            _ if earned.is_lt() => Self::GraceEnded,
            Trigger::Revoke => Self::GrantRevoked,
            _ => Self::GrantEnded,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was told of a member and a ladder before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// By what they earned.
    pub earned: Option<TierCode>,
    /// With what is granted.
    pub tier: Option<TierCode>,
    /// Until when it holds by itself.
    pub due_time: Option<DateTime<Utc>>,
}

/// A change of a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// On which ladder.
    pub ladder_code: LadderCode,
    /// By which version.
    pub ladder_version: i64,
    /// None for none.
    pub from: Option<TierCode>,
    /// None for none.
    pub to: Option<TierCode>,
    /// Why.
    pub cause: Cause,
    /// Since when it holds.
    pub change_time: DateTime<Utc>,
}

/// What is to be told now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// What holds.
    pub told: Told,
    /// What came to it, in the order of time.
    pub changes: Vec<Change>,
}

/// Judges a member: first at each instant at which time alone may have changed something since it was told, then now.
/// `known` is None for whoever has no tier, whatever they earned; `ladder` is the version in force.
#[must_use]
pub fn settle(
    asked: Question,
    known: Option<Known<'_>>,
    told: Told,
    trigger: Trigger,
    ladder: &Code<'_>,
) -> Settled {
    let mut settled = Settled {
        told,
        changes: Vec::new(),
    };
    let Some(known) = known else {
        let nothing = Told::default();
        settled.note(nothing, (ladder, Cause::of(trigger, (1, 1), (0, 0))), asked.now);
        return settled;
    };
    while let Some(now) = settled.told.due_time.filter(|due| *due <= asked.now) {
        let at = Question { now, ..asked };
        settled.judge(at, known, Trigger::Time);
    }
    settled.judge(asked, known, trigger);
    settled
}

/// Which version of which ladder.
pub type Code<'a> = (&'a LadderCode, i64);

impl Settled {
    fn judge(&mut self, asked: Question, known: Known<'_>, trigger: Trigger) {
        let Some(now) = assess(asked, known) else {
            // Before the first version nobody had a tier.
            self.told.due_time = None;
            return;
        };
        let Some(version) = known.versions.iter().find(|one| one.version == now.version) else {
            return;
        };
        let ladder = &version.definition;
        let rank = |tier: &Option<TierCode>| tier.as_ref().and_then(|tier| ladder.rank_of(tier)).unwrap_or(0);
        let before = (rank(&self.told.earned), rank(&self.told.tier));
        let cause = Cause::of(trigger, before, (now.held.rank, now.rank));
        let told = told_of(ladder, &now);
        self.note(told, (&(&ladder.ladder_code, now.version), cause), asked.now);
    }

    fn note(&mut self, told: Told, (ladder, cause): (&Code<'_>, Cause), now: DateTime<Utc>) {
        if told.tier != self.told.tier {
            self.changes.push(Change {
                ladder_code: ladder.0.clone(),
                ladder_version: ladder.1,
                from: self.told.tier.clone(),
                to: told.tier.clone(),
                cause,
                change_time: now,
            });
        }
        self.told = told;
    }
}

fn told_of(ladder: &super::Definition, now: &Assessment) -> Told {
    Told {
        earned: ladder.code_at(now.held.rank).cloned(),
        tier: ladder.code_at(now.rank).cloned(),
        due_time: now.due_time,
    }
}
