//! The ends to which activity has moved what slides, as far as transactions tell: an activity that finds nothing to move
//! moves the account's end all the same, and leaves no trace.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::history::Read;

/// By unit: the furthest end that was told, of what may still lie in the account.
#[derive(Debug, Default)]
pub(super) struct SlidingEnds(BTreeMap<String, DateTime<Utc>>);

impl SlidingEnds {
    /// The next transaction.
    pub(super) fn add(&mut self, read: Read<'_>) {
        let moved = read.movements.iter();
        // What waits slides once it begins.
        let told: BTreeSet<(&str, DateTime<Utc>)> = moved
            .filter(|moved| moved.slides && moved.begin.is_none() && moved.value >= 0)
            .filter_map(|moved| Some((moved.unit.as_str(), moved.end?)))
            .collect();
        if read.row.kind == "move" {
            // Who gave everything away begins anew, also with what nothing was left of.
            let is_told = |unit: &str| told.iter().any(|(of, _)| *of == unit);
            self.0.retain(|unit, _| is_told(unit));
        }
        for (unit, end) in told {
            let known = self.0.entry(unit.to_owned()).or_insert(end);
            *known = end.max(*known);
        }
    }

    /// Before that the end of a unit cannot be.
    pub(super) fn find(&self, unit: &str) -> Option<DateTime<Utc>> {
        self.0.get(unit).copied()
    }
}
