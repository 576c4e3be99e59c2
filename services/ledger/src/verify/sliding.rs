//! The ends to which activity has moved what slides, as far as transactions tell.
//!
//! What lies in lots tells of its end whenever that moves, so an account's end is known exactly from there on, also after
//! the lots are empty. An activity that finds nothing to move moves the account's end all the same, by the terms that the
//! unit had at that time, and leaves no trace: from there on it is only known that the end is no earlier, until lots tell
//! of it again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::history::Read;

/// Kinds of transactions that move no end, whatever they find.
const MOVES_NONE: [&str; 4] = ["expire", "hold", "release", "notice"];
/// Kinds that may move the ends of all units; others move those of their own. Who gives everything away gives it in all
/// units, also where nothing was left.
const MOVES_ALL: [&str; 2] = ["purchase", MOVE];
const MOVE: &str = "move";

/// By unit.
#[derive(Debug, Default)]
pub(super) struct SlidingEnds(BTreeMap<String, SlidingEnd>);

/// Of an account, up to a transaction.
#[derive(Debug, Default)]
struct SlidingEnd {
    /// The furthest end that was told, of what may still lie in the account.
    told: Option<DateTime<Utc>>,
    /// Whether it may have moved since and left no trace.
    may_have_moved: bool,
    /// What is left in lots that slide.
    left: i128,
}

/// What is known of an account's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is that.
    Exactly(Option<DateTime<Utc>>),
    /// It is no earlier; nothing at all for none.
    NoEarlier(Option<DateTime<Utc>>),
}

/// What a transaction did to the lots of a unit that slide, and to all of its lots.
#[derive(Debug, Default)]
struct Told {
    end: Option<DateTime<Utc>>,
    moved: i128,
    came: bool,
    went: bool,
}

impl SlidingEnds {
    /// The next transaction.
    pub(super) fn add(&mut self, read: Read<'_>) {
        let mut of_units = told(read);
        if MOVES_ALL.contains(&read.row.kind.as_str()) {
            for unit in self.0.keys() {
                of_units.entry(unit.clone()).or_default();
            }
        }
        for (unit, told) in of_units {
            let known = self.0.entry(unit).or_default();
            known.add(read, &told);
        }
    }

    /// What is known of the end of a unit's account.
    pub(super) fn find(&self, unit: &str) -> Known {
        match self.0.get(unit) {
            None => Known::Exactly(None),
            Some(known) if known.may_have_moved => Known::NoEarlier(known.told),
            Some(known) => Known::Exactly(known.told),
        }
    }
}

impl SlidingEnd {
    fn add(&mut self, read: Read<'_>, told: &Told) {
        let kind = read.row.kind.as_str();
        let is_open = self.left > 0 && self.told.is_some_and(|end| end > read.row.record_time);
        self.left += told.moved;
        if let Some(end) = told.end {
            if self.told.is_none_or(|known| known <= end) {
                self.told = Some(end);
                self.may_have_moved = false;
            }
        } else if kind == MOVE && told.went && !told.came {
            // Everything was given away: what comes begins anew.
            *self = Self::default();
        } else if kind == MOVE && !is_open {
            // Perhaps there was nothing left to give away; or it came along from another, and found nothing to move.
            self.told = None;
            self.may_have_moved = true;
        } else if !is_open && !MOVES_NONE.contains(&kind) {
            self.may_have_moved = true;
        }
    }
}

/// By unit; what waits slides once it begins.
fn told(read: Read<'_>) -> BTreeMap<String, Told> {
    let mut of_units: BTreeMap<String, Told> = BTreeMap::new();
    for entry in read.entries {
        of_units.entry(entry.unit.clone()).or_default();
    }
    for moved in read.movements {
        let told = of_units.entry(moved.unit.clone()).or_default();
        told.came |= moved.value > 0;
        told.went |= moved.value < 0;
        if moved.slides && moved.begin.is_none() {
            told.moved += i128::from(moved.value);
            if moved.value >= 0 {
                told.end = told.end.max(moved.end);
            }
        }
    }
    of_units
}
