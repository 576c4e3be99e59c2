//! Names whatever in a history does not go together with the record.

mod books;
mod ends;
mod feed;
mod parts;
mod reads;
mod sent;
mod short;
#[cfg(test)]
mod tests;
mod writes;

use std::fmt;

use super::{History, Record};

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What kind of thing.
    pub kind: Kind,
    /// Where, in a line.
    pub what: String,
}

/// What must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was answered that it took effect, and it is not in the record.
    LostWrite,
    /// It is there twice.
    DoubledWrite,
    /// It is there, and nobody asked for it.
    UnaskedWrite,
    /// It did something else than was asked.
    WrongEffect,
    /// Whether it took effect was never told.
    NeverKnown,
    /// It was answered that it did not take effect, and it did.
    RefusedTookEffect,
    /// It was refused for a reason that cannot be.
    GroundlessRefusal,
    /// It took what had come back by itself before.
    EndedHold,
    /// It was answered once like this, once like that.
    TwoOutcomes,
    /// Some of what takes effect together did, and some did not.
    HalfGroup,
    /// More was taken of something than there was of it.
    Overdrawn,
    /// What was sent did not come, or came without being sent.
    HalfTransfer,
    /// An owner's versions are not 1, 2, 3 ...
    VersionGap,
    /// A transaction's entries do not sum to zero.
    Unbalanced,
    /// A balance is not the sum of what came to it.
    BalanceNotSum,
    /// More was taken than there was.
    Negative,
    /// A statement differs from the record.
    WrongStatement,
    /// A read is older than asked for.
    StaleRead,
    /// A read shows what never was.
    WrongRead,
    /// An event was not told.
    MissingEvent,
    /// An event was told twice.
    DoubledEvent,
    /// An event was told after a later one of the same owner.
    DisorderedEvent,
    /// An event tells something else than is in the record.
    WrongEvent,
    /// Transactions waited for each other in a circle.
    Deadlock,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// Everything that must not be, worst first.
#[must_use]
pub fn check(history: &History, record: &Record) -> Vec<Violation> {
    let mut found = Found::default();
    writes::check(history, record, &mut found);
    ends::check(history, &mut found);
    parts::check(history, record, &mut found);
    sent::check(history, record, &mut found);
    short::check(history, record, &mut found);
    books::check(record, &mut found);
    reads::check(history, record, &mut found);
    feed::check(history, record, &mut found);
    let count = record.deadlocks_count;
    if count > 0 {
        found.add(
            Kind::Deadlock,
            format!("{count} transactions were ended for waiting in a circle"),
        );
    }
    found.0.sort_by_key(|violation| violation.kind);
    found.0
}

#[derive(Debug, Default)]
struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, kind: Kind, what: impl Into<String>) {
        let what = what.into();
        self.0.push(Violation { kind, what });
    }
}
