//! The tier that a member has earned, from what counted on which day.

use chrono::NaiveDate;

use super::{Book, Definition, Ladder, Landing, Qualification, Rank};

/// Where somebody stands by what they earned, at the end of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Their place.
    pub rank: Rank,
    /// Since which day the balance has been too low for it; None where it is enough.
    pub below_since: Option<NaiveDate>,
}

/// Where somebody stood on a day, by a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// At the end of which day.
    pub day: NaiveDate,
    /// By which version.
    pub version: i64,
    /// Where.
    pub held: Held,
}

/// A day's judgement: up at once, down when the grace is over. It is made on each day on which the balance turns or a grace
/// ends, and may be left out on all others.
#[must_use]
pub fn step(how: &Qualification, held: Held, day: NaiveDate, target: Rank) -> Held {
    if target >= held.rank {
        return Held {
            rank: target,
            below_since: None,
        };
    }
    let (mut rank, mut since) = (held.rank, held.below_since.unwrap_or(day));
    while rank > target {
        let end = how.grace.after(since);
        if day < end {
            break;
        }
        match how.landing {
            Landing::ByBalance => rank = target,
            Landing::OneStep => {
                rank -= 1;
                since = end;
            }
        }
    }
    Held {
        rank,
        below_since: (rank > target).then_some(since),
    }
}

/// Where somebody stands at the end of `until` by what counted, from where they stood before, or from nothing before the
/// first version. The versions are those from the checkpoint's on, oldest first.
///
/// The day on which a version takes the place of another is judged by both, the older one first.
#[must_use]
pub fn replay(versions: &[Ladder], book: &Book, from: Option<Checkpoint>, until: NaiveDate) -> Held {
    let mut held = from.map(|from| from.held).unwrap_or_default();
    let mut begin = from.map(|from| from.day);
    let mut before: Option<&Definition> = None;
    for (at, version) in versions.iter().enumerate() {
        if let Some(before) = before {
            held.rank = version.definition.rank_after(before, held.rank);
        }
        let start = begin.take().unwrap_or(version.start_day);
        let end = versions
            .get(at + 1)
            .map_or(until, |next| next.start_day.min(until));
        held = walk(&version.definition, book, held, (start, end));
        before = Some(&version.definition);
    }
    held
}

fn walk(ladder: &Definition, book: &Book, held: Held, (start, end): (NaiveDate, NaiveDate)) -> Held {
    let Some(how) = &ladder.qualification else {
        return Held::default();
    };
    let sums = book.of(&how.measure);
    let judge = |held: Held, day| {
        // What somebody falls to when a grace is over is judged by that day's balance: it may have turned since.
        let mut held = held;
        while let Some(end) = grace_end(how, held).filter(|end| *end < day) {
            let then = step(
                how,
                held,
                end,
                ladder.rank_of_balance(sums.balance(how.period, end)),
            );
            if then == held {
                break;
            }
            held = then;
        }
        step(
            how,
            held,
            day,
            ladder.rank_of_balance(sums.balance(how.period, day)),
        )
    };
    let turns = sums.turns(how.period, start);
    let between = turns.into_iter().take_while(|day| *day < end);
    let held = between.fold(judge(held, start), judge);
    judge(held, end.max(start))
}

fn grace_end(how: &Qualification, held: Held) -> Option<NaiveDate> {
    held.below_since.map(|since| how.grace.after(since))
}

/// The next day on which time alone brings somebody to another place, if nothing is earned or taken back.
#[must_use]
pub fn next_change(ladder: &Definition, book: &Book, held: Held, today: NaiveDate) -> Option<NaiveDate> {
    let how = ladder.qualification.as_ref()?;
    let sums = book.of(&how.measure);
    let mut turns = sums.turns(how.period, today).into_iter().peekable();
    let mut now = held;
    loop {
        let day = turns
            .peek()
            .copied()
            .into_iter()
            .chain(grace_end(how, now))
            .min()?;
        let target = ladder.rank_of_balance(sums.balance(how.period, day));
        let then = step(how, now, day, target);
        if then.rank != now.rank {
            return Some(day);
        }
        while turns.next_if(|turn| *turn <= day).is_some() {}
        now = then;
    }
}
