//! What callers of a ledger lived through, written down as it happened, and the check of it against what is in the record
//! afterwards.
//!
//! Nothing here knows how a ledger works. It knows what was asked and answered, what was shown and told, and what
//! double-entry books are; [`check`] names whatever does not go together.

mod check;
mod record;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fealty_types::{Clock as _, SystemClock};

pub use check::{Kind, Violation, check};
pub use record::{Entry, Record, Row, Standing};

/// What is said when there is less than what is to be taken.
pub const INSUFFICIENT_BALANCE: &str = "INSUFFICIENT_BALANCE";

/// Since the run began.
pub type Moment = Duration;

/// An account of an owner and what is counted in it: `("owner_available", "points")`.
pub type Place = (String, String);

/// What came to places, or lies in them. Zeros are left out.
pub type Values = BTreeMap<Place, i64>;

/// Everything that callers lived through.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What was asked to be done.
    pub calls: Vec<Call>,
    /// What was shown.
    pub reads: Vec<Read>,
    /// What consumers were told, each in the order in which it came.
    pub feeds: BTreeMap<String, Vec<Told>>,
}

/// Something that a caller wanted done, with all attempts.
#[derive(Debug, Clone)]
pub struct Call {
    /// Of the attempt that was answered; of all of them, if its caller keeps to the rules.
    pub request_id: String,
    /// What tells this wish from all others. It is in the record, too, where it took effect.
    pub mark: String,
    /// Whose balances.
    pub owner_id: String,
    /// What it does to the owner's places, if it takes effect.
    pub effect: Values,
    /// Calls of the same group take effect together or not at all.
    pub group: Option<u64>,
    /// Why it may be refused. Nothing else is a good reason.
    pub refusable: &'static [&'static str],
    /// Of what is sent: to whom, and what that does to them.
    pub sent: Option<Sent>,
    /// What it takes a part of.
    pub part: Option<Part>,
    /// Which call set aside what this one decides about: that one's request.
    pub hold: Option<String>,
    /// When what it set aside comes back by itself, if that is within the run.
    pub ends: Option<Moment>,
    /// When it was sent first.
    pub invoked: Moment,
    /// What it was answered, each time that it was. Nothing: it never became known.
    pub answers: Vec<Answered>,
}

/// The other side of what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// To whom.
    pub to: String,
    /// What it does to their places.
    pub effect: Values,
}

/// A part of something of which there is so much: of what an earlier call did, or of a budget. Nothing comes back to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Of what.
    pub of: String,
    /// How much there is of it.
    pub whole: i64,
    /// How much is taken of it.
    pub value: i64,
    /// What is said when less is left.
    pub refusal: &'static str,
}

/// An answer, and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// When.
    pub at: Moment,
    /// What.
    pub answer: Answer,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It took effect, as this version of the owner where that was said.
    Took(Option<i64>),
    /// It did not, and never will, for that reason.
    Refused(String),
    /// It was refused just now, but nobody remembers that: an earlier attempt that is still under way may take effect.
    Unsettled,
}

/// A look at an owner's balances.
#[derive(Debug, Clone)]
pub struct Read {
    /// Whose.
    pub owner_id: String,
    /// How fresh it had to be.
    pub asked: Asked,
    /// When it was asked.
    pub invoked: Moment,
    /// When it was answered.
    pub ended: Moment,
    /// What was shown; `None` if the version that was asked for was said not to be there.
    pub shown: Option<Shown>,
}

/// How fresh a read has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// However old.
    Eventual,
    /// At least that version.
    AtLeast(i64),
    /// As new as everything that was answered before.
    Strong,
    /// Nothing was asked: it came with an answer.
    Nothing,
}

/// Balances, all of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Which.
    pub version: i64,
    /// What lies where.
    pub balances: Values,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// About whom.
    pub owner_id: String,
    /// Which of theirs.
    pub version: i64,
    /// Which transaction.
    pub transaction_id: String,
    /// What came to what the owner can spend, per unit.
    pub available_changes: BTreeMap<String, i64>,
}

/// Writes a history. Clones write the same one.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Recording>);

#[derive(Debug)]
struct Recording {
    begun: Instant,
    /// The same instant, as clocks tell it.
    begun_micros: i64,
    history: Mutex<History>,
    newest: Mutex<HashMap<String, i64>>,
}

impl Recorder {
    /// Begins a history now.
    #[must_use]
    pub fn begin() -> Self {
        Self(Arc::new(Recording {
            begun: Instant::now(),
            begun_micros: SystemClock.now().timestamp_micros(),
            history: Mutex::default(),
            newest: Mutex::default(),
        }))
    }

    /// When it is.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.0.begun.elapsed()
    }

    /// When it was or will be that time, in microseconds since 1970.
    #[must_use]
    pub fn moment_of(&self, micros: i64) -> Moment {
        let since = micros.saturating_sub(self.0.begun_micros);
        Moment::from_micros(u64::try_from(since).unwrap_or_default())
    }

    /// Somebody was answered, and knows by now that the owner has come that far.
    pub fn acknowledge(&self, owner_id: &str, version: i64) {
        let mut newest = lock(&self.0.newest);
        let known = newest.entry(owner_id.to_owned()).or_default();
        *known = version.max(*known);
    }

    /// The newest version of an owner that anybody was answered.
    #[must_use]
    pub fn acknowledged(&self, owner_id: &str) -> i64 {
        lock(&self.0.newest).get(owner_id).copied().unwrap_or_default()
    }

    /// A call came to its end.
    pub fn call(&self, call: Call) {
        lock(&self.0.history).calls.push(call);
    }

    /// Something was shown.
    pub fn read(&self, read: Read) {
        lock(&self.0.history).reads.push(read);
    }

    /// A consumer was told something.
    pub fn told(&self, feed: &str, events: Vec<Told>) {
        let mut history = lock(&self.0.history);
        history.feeds.entry(feed.to_owned()).or_default().extend(events);
    }

    /// How many events the consumer was told that was told the fewest.
    #[must_use]
    pub fn told_count_min(&self) -> usize {
        let history = lock(&self.0.history);
        history.feeds.values().map(Vec::len).min().unwrap_or_default()
    }

    /// What was written so far.
    #[must_use]
    pub fn history(&self) -> History {
        lock(&self.0.history).clone()
    }
}

/// Leaves out what is zero.
#[must_use]
pub fn without_zeros(values: Values) -> Values {
    values.into_iter().filter(|(_, value)| *value != 0).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nobody panics while holding it; should it happen, what is written is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
