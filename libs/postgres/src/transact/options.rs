//! What a transaction may see, and how it is bounded.

use std::time::Duration;

use fealty_types::ProgramId;

use crate::deadline::Deadline;

/// Longest that one attempt runs. Readers of the event feed wait for the oldest open transaction, so a longer one
/// would hold up every consumer.
const DURATION_MAX: Duration = Duration::from_secs(2);

/// Attempts of one transaction. Measured contention ends after one or two more; whoever loses five times in a row is
/// better told so than kept waiting.
const ATTEMPTS_MAX: u32 = 5;

/// Whose rows a transaction sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The rows of one program: `app.program` is set, and the policies of row-level security compare with it.
    Program(ProgramId),
    /// What belongs to no program, and for a role with policies of its own (jobs) all programs. With the service's
    /// role every fenced table fails: the setting that its policy reads is empty.
    Suite,
}

/// Whether a transaction writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// Reads and writes.
    #[default]
    ReadWrite,
    /// Only reads: Postgres refuses a write.
    ReadOnly,
}

/// How far a transaction is kept apart from its neighbours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what was committed before it.
    #[default]
    ReadCommitted,
    /// All statements see what was committed before the first.
    RepeatableRead,
    /// As if transactions ran one after the other.
    Serializable,
}

/// Which failures run the transaction again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Retry {
    /// Those after which nothing is left of the attempt.
    #[default]
    RolledBack,
    /// Also a lost answer to COMMIT: the body takes effect once, however often it runs.
    AlsoUnknownOutcome,
}

/// How a transaction runs. The default is a READ COMMITTED transaction that may write, takes two seconds at most, and
/// is tried five times at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactOptions {
    pub(crate) access: Access,
    pub(crate) isolation: Isolation,
    pub(crate) retry: Retry,
    pub(crate) attempts_max: u32,
    pub(crate) duration_max: Duration,
    pub(crate) deadline: Option<Deadline>,
}

impl Default for TransactOptions {
    fn default() -> Self {
        Self {
            access: Access::default(),
            isolation: Isolation::default(),
            retry: Retry::default(),
            attempts_max: ATTEMPTS_MAX,
            duration_max: DURATION_MAX,
            deadline: None,
        }
    }
}

impl TransactOptions {
    /// A transaction that only reads.
    #[must_use]
    pub fn read_only() -> Self {
        Self {
            access: Access::ReadOnly,
            // Reading twice changes nothing.
            retry: Retry::AlsoUnknownOutcome,
            ..Self::default()
        }
    }

    /// With that isolation.
    #[must_use]
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// The body takes effect once, however often it is committed (it inserts by an id and looks first): a lost answer
    /// to COMMIT is tried again.
    #[must_use]
    pub const fn repeatable(mut self) -> Self {
        self.retry = Retry::AlsoUnknownOutcome;
        self
    }

    /// With at most that many attempts; at least one is made.
    #[must_use]
    pub const fn attempts_max(mut self, attempts_max: u32) -> Self {
        self.attempts_max = attempts_max;
        self
    }

    /// With another limit for one attempt. Above two seconds only for jobs that write no events.
    #[must_use]
    pub const fn duration_max(mut self, duration_max: Duration) -> Self {
        self.duration_max = duration_max;
        self
    }

    /// Ends by then, in place of the deadline of the current call.
    #[must_use]
    pub const fn deadline(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }
}
