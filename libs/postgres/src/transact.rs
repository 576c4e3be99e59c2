//! Every transaction of Fealty: named, fenced by program, bounded in time, and run again when its neighbours, not its
//! values, were at fault.

mod attempt;
mod body;
mod metrics;
mod options;

pub use body::{Body, in_tx};
pub use options::{Access, Isolation, Retry, Scope, TransactOptions};

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use tokio::time::Instant;
use tracing::Instrument;

use crate::error::{StorageError, TransactError};
use crate::sqlstate::Failure;
use attempt::{Attempt, Phase};

/// Longest pause before the first further attempt, in milliseconds: about as long as the neighbour's commit takes.
const BACKOFF_FIRST_MS: u64 = 4;

/// Longest pause before any attempt, in milliseconds: a transaction's own limit is two seconds.
const BACKOFF_MAX_MS: u64 = 100;

/// Runs `body` in one transaction and commits it when the body answers `Ok`; any error rolls it back.
///
/// A body answers the first error of a statement, or runs what may fail in a savepoint of its own: Postgres has given up
/// a transaction with a failed statement, and rolls it back even when it is asked to commit.
///
/// The program of the scope is set in the round trip that begins. A serialisation failure, a deadlock and a connection
/// lost before COMMIT was sent run the body again, after a pause with jitter: nothing of the attempt is left, so the
/// body needs to be repeatable in memory only. An unknown outcome of COMMIT is tried again only with
/// [`TransactOptions::repeatable`], because then the body may take effect twice. Errors of data never run again.
///
/// All attempts together end by the caller's deadline: the one in the options, or else [`Deadline::current`]. Each of
/// them ends after [`TransactOptions::duration_max`]. A caller who would still wait then is told to try again
/// ([`Fault::Contention`], or an unknown outcome once COMMIT was sent); one who would not, that their time is over.
///
/// ```no_run
/// # use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
/// # use fealty_types::ProgramId;
/// # async fn example(pool: &sqlx::PgPool, program: ProgramId, name: &str) -> Result<(), StorageError> {
/// transact(pool, "rename_program", Scope::Program(program), TransactOptions::default(), |tx| {
///     in_tx(async move {
///         sqlx::query("UPDATE program SET name = $2 WHERE program = $1")
///             .bind(program)
///             .bind(name)
///             .execute(&mut *tx)
///             .await?;
///         Ok(())
///     })
/// })
/// .await
/// # }
/// ```
///
/// [`Deadline::current`]: crate::Deadline::current
/// [`Fault::Contention`]: crate::Fault::Contention
pub async fn transact<'env, T, E, F>(
    pool: &PgPool,
    name: &'static str,
    scope: Scope,
    options: TransactOptions,
    mut body: F,
) -> Result<T, E>
where
    E: TransactError,
    F: for<'tx> FnMut(&'tx mut PgConnection) -> Body<'env, 'tx, T, E>,
{
    let started = Instant::now();
    let span = tracing::info_span!("transaction", otel.name = name, transaction = name);
    let attempt = Attempt::new(pool, name, scope, &options);
    let result = async {
        let mut attempts_made: u32 = 0;
        let mut unknown = None;
        loop {
            // Boxed, because the driver's futures are large and every caller's would contain them.
            let (error, phase) = match Box::pin(attempt.run(&mut body)).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            attempts_made += 1;
            let Some(cause) = worth_another(&error, phase, &options) else {
                return Err(as_unknown_as(unknown, attempt.told(error)));
            };
            if attempts_made >= options.attempts_max || attempt.is_over() {
                return Err(as_unknown_as(unknown, error));
            }
            if phase == Phase::Commit && cause == Failure::Connection {
                unknown = Some(error);
            }
            metrics::retried(name, &cause);
            tracing::debug!(cause = cause.as_str(), attempts_made, "transaction runs again");
            attempt.pause(backoff(attempts_made)).await;
        }
    }
    .instrument(span)
    .await;
    metrics::ended(name, outcome(&result), started.elapsed());
    result
}

/// What is told of a failure after an attempt of which nobody knows whether it took effect: just that. The failure alone
/// would say that nothing was done. What the body refuses it has decided with all effects before its eyes.
fn as_unknown_as<E: TransactError>(unknown: Option<E>, error: E) -> E {
    match unknown {
        Some(unknown) if error.storage().is_some() => unknown,
        _ => error,
    }
}

/// The failure that another attempt may not meet, if it is one.
fn worth_another<E: TransactError>(error: &E, phase: Phase, options: &TransactOptions) -> Option<Failure> {
    let storage = error.storage()?;
    let failure = storage.failure();
    // A failure to get a connection at all is final: the pool has made its own attempts, up to its time limit.
    let again = match phase {
        Phase::Acquire | Phase::Late => false,
        // The server ended the connection while it lay idle (it was restarted): another one may do.
        Phase::Begin => matches!(failure, Failure::Connection | Failure::Resources),
        Phase::Body => failure.is_contention() || failure == Failure::Connection,
        Phase::Commit => {
            let is_unknown = failure == Failure::Connection;
            failure.is_contention() || (is_unknown && options.retry == Retry::AlsoUnknownOutcome)
        }
    };
    again.then_some(failure)
}

/// A pause drawn from a range that doubles, so that those who collided do not collide again.
fn backoff(attempts_made: u32) -> Duration {
    let doubled = BACKOFF_FIRST_MS.saturating_mul(1 << attempts_made.saturating_sub(1).min(16));
    let longest_micros = doubled.min(BACKOFF_MAX_MS) * 1_000;
    Duration::from_micros(rand::random_range(0..=longest_micros))
}

fn outcome<T, E: TransactError>(result: &Result<T, E>) -> &'static str {
    match result {
        Ok(_) => "committed",
        Err(error) => match error.storage() {
            None => "refused",
            Some(StorageError::OutcomeUnknown { .. }) => "unknown",
            Some(storage) => storage.failure().as_str(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        for attempts_made in 1..40 {
            assert!(backoff(attempts_made) <= Duration::from_millis(BACKOFF_MAX_MS));
        }
        assert!(backoff(1) <= Duration::from_millis(BACKOFF_FIRST_MS));
    }

    #[test]
    fn an_unknown_outcome_runs_again_only_when_that_is_allowed() {
        let lost = || StorageError::OutcomeUnknown {
            transaction: "t",
            source: sqlx::Error::WorkerCrashed,
        };
        let plain = TransactOptions::default();
        let repeatable = TransactOptions::default().repeatable();
        assert_eq!(worth_another(&lost(), Phase::Commit, &plain), None);
        assert_eq!(
            worth_another(&lost(), Phase::Commit, &repeatable),
            Some(Failure::Connection)
        );
    }

    #[test]
    fn data_errors_and_timeouts_never_run_again() {
        let repeatable = TransactOptions::default().repeatable();
        let late = StorageError::DeadlineExceeded { transaction: "t" };
        assert_eq!(worth_another(&late, Phase::Body, &repeatable), None);
        let data = StorageError::from(sqlx::Error::Encode("too long".into()));
        assert_eq!(worth_another(&data, Phase::Body, &repeatable), None);
    }
}
