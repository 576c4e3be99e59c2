//! What all callers of a run have in common.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use fealty_tests::history::Recorder;

use super::line::Line;

/// How long whoever waits for an outcome goes on once everything is whole again: any lock is gone long before.
const KNOWN_BOUND: Duration = Duration::from_mins(1);

/// The ledger and its owners, and how far the run has come.
#[derive(Debug)]
pub struct World {
    /// To each replica.
    pub lines: [Line; 2],
    /// Whose balances.
    pub owners: Vec<String>,
    /// What is written down.
    pub recorder: Recorder,
    /// Whether callers forget under which id they asked: their own fault.
    pub forgets_ids: bool,
    /// Attempts, and answers that were given before.
    pub attempts: [AtomicU64; 2],
    unanswered: Mutex<BTreeMap<String, u64>>,
    numbers: AtomicI64,
    took: AtomicU64,
    stopping: AtomicBool,
    give_up: OnceLock<Instant>,
}

impl World {
    pub fn new(lines: [Line; 2], owners: Vec<String>, forgets_ids: bool) -> Self {
        Self {
            lines,
            owners,
            recorder: Recorder::begin(),
            forgets_ids,
            attempts: <[AtomicU64; 2]>::default(),
            unanswered: Mutex::default(),
            numbers: AtomicI64::new(0),
            took: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            give_up: OnceLock::new(),
        }
    }

    /// A number that nobody else has.
    pub fn number(&self) -> i64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts an attempt, or what came of it.
    pub fn count(&self, which: usize) {
        self.attempts[which].fetch_add(1, Ordering::Relaxed);
    }

    /// Something took effect.
    pub fn note_took(&self) {
        self.took.fetch_add(1, Ordering::Relaxed);
    }

    /// How much took effect.
    pub fn took_count(&self) -> u64 {
        self.took.load(Ordering::Relaxed)
    }

    /// Counts an attempt that came to nothing that is known.
    pub fn count_unanswered(&self, why: String) {
        let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        *unanswered.entry(why).or_default() += 1;
    }

    /// How many attempts came to nothing that is known, by what was said instead.
    pub fn unanswered(&self) -> BTreeMap<String, u64> {
        let unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        unanswered.clone()
    }

    /// Everything is whole again: nobody begins anything new, and what is unknown becomes known.
    pub fn heal(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = self.give_up.set(Instant::now() + KNOWN_BOUND);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Whether an outcome that is still unknown never becomes known.
    pub fn is_over(&self) -> bool {
        self.give_up.get().is_some_and(|end| Instant::now() >= *end)
    }
}
