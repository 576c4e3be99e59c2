//! Where a member stands on a ladder at an instant, by all that is known.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::{Book, Checkpoint, Grant, Held, Ladder, Rank, day_of, next_change, replay, start_of_day};

/// When is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// The instant.
    pub now: DateTime<Utc>,
    /// The program's time zone.
    pub zone: Tz,
}

/// What is known of a member and a ladder.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The ladder's versions from the checkpoint's on, or all: oldest first, at least one.
    pub versions: &'a [Ladder],
    /// What counted.
    pub book: &'a Book,
    /// Their grants of all ladders.
    pub grants: &'a [Grant],
    /// Where they stood before.
    pub from: Option<Checkpoint>,
}

/// Where a member stands on a ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// At the end of which day, unless something more happens on it.
    pub day: NaiveDate,
    /// By which version.
    pub version: i64,
    /// By what they earned.
    pub held: Held,
    /// With what is granted.
    pub rank: Rank,
    /// What counts.
    pub balance: i64,
    /// When some of that counts no more.
    pub balance_until: Option<DateTime<Utc>>,
    /// When the grace is over.
    pub grace_until: Option<DateTime<Utc>>,
    /// The next instant at which time alone may change this.
    pub due_time: Option<DateTime<Utc>>,
}

impl Assessment {
    /// Where somebody stands who has no tier, whatever they earned.
    #[must_use]
    pub fn nowhere(version: i64, day: NaiveDate) -> Self {
        Self {
            day,
            version,
            held: Held::default(),
            rank: 0,
            balance: 0,
            balance_until: None,
            grace_until: None,
            due_time: None,
        }
    }
}

/// Judges by the versions that are in force by then. None where none is.
#[must_use]
pub fn assess(asked: Question, known: Known<'_>) -> Option<Assessment> {
    let count = known
        .versions
        .partition_point(|version| version.create_time <= asked.now);
    let versions = &known.versions[..count];
    let newest = versions.last()?;
    let ladder = &newest.definition;
    let day = day_of(asked.now, asked.zone);
    let held = replay(versions, known.book, known.from, day);
    let how = ladder.qualification.as_ref();
    let sums = how.map(|how| (how, known.book.of(&how.measure)));
    let start = |day| start_of_day(day, asked.zone);
    let grants = known.grants.iter().filter(|grant| {
        let of_ladder = grant.ladder_code == ladder.ladder_code;
        of_ladder && grant.is_active_at(asked.now)
    });
    let granted = grants
        .clone()
        .filter_map(|grant| ladder.rank_of(&grant.tier_code));
    let grant_end = grants.filter_map(|grant| grant.end_time).min();
    let change = next_change(ladder, known.book, held, day).and_then(start);
    Some(Assessment {
        day,
        version: newest.version,
        held,
        rank: granted.chain([held.rank]).max().unwrap_or(0),
        balance: sums
            .as_ref()
            .map_or(0, |(how, sums)| sums.balance(how.period, day)),
        balance_until: sums
            .and_then(|(how, sums)| sums.first_end(how.period, day))
            .and_then(start),
        grace_until: held
            .below_since
            .zip(how)
            .and_then(|(since, how)| start(how.grace.after(since))),
        due_time: change
            .into_iter()
            .chain(grant_end)
            .filter(|due| *due > asked.now)
            .min(),
    })
}
