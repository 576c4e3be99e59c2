//! The one error of everything that speaks to Postgres, and the few kinds of fault that a caller can act on.

use crate::sqlstate::{self, Failure};

/// Why a statement or a transaction did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database, or the way to it, reported an error.
    #[error("postgres: {0}")]
    Database(#[from] sqlx::Error),
    /// The caller's deadline passed first.
    #[error("transaction {transaction} did not end in time")]
    DeadlineExceeded {
        /// The transaction's name.
        transaction: &'static str,
    },
    /// The transaction's own limit passed before COMMIT was sent, while its caller would still wait: nothing took
    /// effect.
    #[error("transaction {transaction} took longer than it may")]
    LimitExceeded {
        /// The transaction's name.
        transaction: &'static str,
    },
    /// The answer to COMMIT was lost: the transaction took effect or it did not.
    #[error("the answer to the commit of {transaction} was lost: {source}")]
    OutcomeUnknown {
        /// The transaction's name.
        transaction: &'static str,
        /// How it was lost.
        source: sqlx::Error,
    },
    /// A stored row breaks a rule that the code holds it to.
    #[error("stored {what} cannot be read: {reason}")]
    Corrupt {
        /// Which value.
        what: &'static str,
        /// What is wrong with it, without the value itself: it may be personal.
        reason: String,
    },
}

impl StorageError {
    /// A stored value that does not parse.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over the parser's error, as in map_err"
    )]
    pub fn corrupt(what: &'static str, reason: impl ToString) -> Self {
        Self::Corrupt {
            what,
            reason: reason.to_string(),
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Database(error) => sqlstate::classify(error),
            Self::DeadlineExceeded { .. } | Self::LimitExceeded { .. } => Failure::Timeout,
            Self::OutcomeUnknown { .. } => Failure::Connection,
            Self::Corrupt { .. } => Failure::Other,
        }
    }

    /// The name of the unique constraint or index that already holds such a row.
    #[must_use]
    pub fn unique_violation(&self) -> Option<String> {
        match self.failure() {
            Failure::UniqueViolation(constraint) => Some(constraint),
            _ => None,
        }
    }

    /// Whether somebody else kept a row locked for longer than anybody waits (55P03, `lock_not_available`).
    #[must_use]
    pub fn is_lock_timeout(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        code.as_deref() == Some("55P03")
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::DeadlineExceeded { .. } => Fault::Deadline,
            Self::LimitExceeded { .. } => Fault::Contention,
            Self::OutcomeUnknown { .. } => Fault::Unavailable(DEPENDENCY),
            Self::Corrupt { .. } => Fault::Internal,
            Self::Database(error) => sqlstate::classify(error).into(),
        }
    }
}

/// What this crate is to its callers.
const DEPENDENCY: &str = "postgres";

/// The faults that a caller can tell apart and act on. A refusal that the business expects (a name already taken) is
/// no fault: it is looked for by its constraint before this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The named dependency does not answer or has no room: try again a little later.
    Unavailable(&'static str),
    /// Lost against neighbours more often than it is worth to try, or waited for them as long as the server lets
    /// anybody wait. Nothing was done: try again a little later.
    Contention,
    /// The caller's time ran out.
    Deadline,
    /// A mistake on our side; trying again changes nothing.
    Internal,
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            // The server's own bounds end what waits for others and roll it back. A caller whose deadline has passed is
            // told so by the transaction.
            Failure::Serialization | Failure::Deadlock | Failure::Timeout => Self::Contention,
            Failure::Resources | Failure::Connection => Self::Unavailable(DEPENDENCY),
            Failure::UniqueViolation(_)
            | Failure::ForeignKeyViolation(_)
            | Failure::CheckViolation(_)
            | Failure::DataError
            | Failure::Fenced
            | Failure::Other => Self::Internal,
        }
    }
}

/// An error that a transaction's body may answer: it can hold a [`StorageError`] and shows the one it holds, so that
/// [`transact`](crate::transact::transact) sees which failures are worth another try.
pub trait TransactError: From<StorageError> {
    /// The failure of the storage, unless this is something else, such as a refusal.
    fn storage(&self) -> Option<&StorageError>;
}

impl TransactError for StorageError {
    fn storage(&self) -> Option<&StorageError> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_commit_is_unavailable_and_a_passed_deadline_is_a_deadline() {
        let lost = StorageError::OutcomeUnknown {
            transaction: "enrol",
            source: sqlx::Error::WorkerCrashed,
        };
        assert_eq!(lost.fault(), Fault::Unavailable("postgres"));
        let late = StorageError::DeadlineExceeded { transaction: "enrol" };
        assert_eq!(late.fault(), Fault::Deadline);
    }

    #[test]
    fn a_limit_of_ours_is_worth_another_call() {
        let slow = StorageError::LimitExceeded { transaction: "enrol" };
        assert_eq!(slow.fault(), Fault::Contention);
        assert_eq!(Fault::from(Failure::Timeout), Fault::Contention);
    }

    #[test]
    fn a_full_pool_is_unavailable_and_a_missing_row_is_our_mistake() {
        let full = StorageError::from(sqlx::Error::PoolTimedOut);
        assert_eq!(full.fault(), Fault::Unavailable("postgres"));
        let missing = StorageError::from(sqlx::Error::RowNotFound);
        assert_eq!(missing.fault(), Fault::Internal);
    }
}
