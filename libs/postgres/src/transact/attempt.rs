//! One attempt: begin, body, commit.

use std::fmt::Write;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, Postgres};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::body::Body;
use super::options::{Access, Isolation, Scope, TransactOptions};
use crate::acquire::acquire;
use crate::deadline::Deadline;
use crate::error::{StorageError, TransactError};
use crate::sqlstate::{Failure, classify};

/// A caller who has less left counts as gone: by then no further call of theirs can be answered. The server's limit for
/// a statement is in whole milliseconds and its answer takes a moment, so that one which ends by the caller's deadline
/// can be told a little before it.
const CALLER_TIME_MIN: Duration = Duration::from_millis(10);

/// How far an attempt had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No connection was given out.
    Acquire,
    /// BEGIN was not answered.
    Begin,
    /// COMMIT was not sent: nothing took effect.
    Body,
    /// COMMIT was sent.
    Commit,
    /// Its time ran out, wherever it was. It is not made again: that is left to the caller, if they still wait.
    Late,
}

/// What all attempts of one transaction have in common.
pub(super) struct Attempt<'a> {
    pool: &'a PgPool,
    name: &'static str,
    scope: Scope,
    options: &'a TransactOptions,
    deadline: Option<Deadline>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        pool: &'a PgPool,
        name: &'static str,
        scope: Scope,
        options: &'a TransactOptions,
    ) -> Self {
        Self {
            pool,
            name,
            scope,
            options,
            deadline: options.deadline.or_else(Deadline::current),
        }
    }

    /// Whether the caller has stopped waiting.
    pub(super) fn is_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline.remaining().is_zero())
    }

    /// Waits before the next attempt, not longer than the caller does.
    pub(super) async fn pause(&self, pause: Duration) {
        sleep_until(self.end_after(pause)).await;
    }

    pub(super) async fn run<'env, T, E, F>(&self, body: &mut F) -> Result<T, (E, Phase)>
    where
        E: TransactError,
        F: for<'tx> FnMut(&'tx mut PgConnection) -> Body<'env, 'tx, T, E>,
    {
        let no_connection = |error: StorageError| (E::from(error), Phase::Acquire);
        // A connection that is free at once would be given out even now.
        if self.is_over() {
            return Err(no_connection(self.deadline_exceeded()));
        }
        // The wait for a connection has the pool's limit and the caller's; the transaction's own limit counts from its
        // beginning, since only from there on it holds anything.
        let connection = self
            .by_deadline(acquire(self.pool))
            .await
            .flatten()
            .map_err(no_connection)?;

        let end = self.end_after(self.options.duration_max);
        let mut phase = Phase::Begin;
        let reusable = AtomicBool::new(false);
        let connection = ClosedUnlessReusable::new(connection, &reusable);
        let mut running = Box::pin(self.run_on(connection, end, &mut phase, body));
        if let Ok(result) = timeout_at(end, &mut running).await {
            drop(running);
            return result.map_err(|error| (error, phase));
        }
        // Whatever made it late may have taken the server along, without a word. Given back, the connection would be asked
        // whether it lives, and hold its place in the pool for as long as the network takes to give up: minutes.
        reusable.store(false, Ordering::Relaxed);
        drop(running);
        Err((E::from(self.late_in(phase)), Phase::Late))
    }

    /// What to tell the caller: a wait that the server ended when they would wait no longer is their deadline.
    pub(super) fn told<E: TransactError>(&self, error: E) -> E {
        let is_timeout = error
            .storage()
            .is_some_and(|storage| storage.failure() == Failure::Timeout);
        if is_timeout && self.caller_is_gone() {
            E::from(self.deadline_exceeded())
        } else {
            error
        }
    }

    /// The error of an attempt whose time ran out.
    fn late_in(&self, phase: Phase) -> StorageError {
        if self.caller_is_gone() {
            return self.deadline_exceeded();
        }
        let transaction = self.name;
        if phase == Phase::Commit {
            let source = sqlx::Error::Io(io::ErrorKind::TimedOut.into());
            return StorageError::OutcomeUnknown { transaction, source };
        }
        StorageError::LimitExceeded { transaction }
    }

    fn caller_is_gone(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline.remaining() < CALLER_TIME_MIN)
    }

    async fn run_on<'env, T, E, F>(
        &self,
        mut connection: ClosedUnlessReusable<'_>,
        end: Instant,
        phase: &mut Phase,
        body: &mut F,
    ) -> Result<T, E>
    where
        E: TransactError,
        F: for<'tx> FnMut(&'tx mut PgConnection) -> Body<'env, 'tx, T, E>,
    {
        let statement = AssertSqlSafe(self.begin_statement(end));
        let reusable = connection.reusable;
        let mut transaction = connection
            .as_mut()
            .begin_with(statement)
            .await
            .map_err(begin_error)?;
        reusable.store(true, Ordering::Relaxed);
        *phase = Phase::Body;
        match body(&mut transaction).await {
            Ok(value) => {
                *phase = Phase::Commit;
                transaction
                    .commit()
                    .await
                    .map_err(|error| self.commit_error(error))?;
                Ok(value)
            }
            Err(error) => {
                // The body's error is the one to tell. A connection that cannot roll back is found broken by the pool.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// BEGIN and the settings that last until the end of the transaction, in one round trip. Every value in it is a
    /// number, a UUID or one of our own words.
    fn begin_statement(&self, end: Instant) -> String {
        let isolation = match self.options.isolation {
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        };
        let access = match self.options.access {
            Access::ReadWrite => "READ WRITE",
            Access::ReadOnly => "READ ONLY",
        };
        // Zero would mean no limit.
        let limit_ms = end.saturating_duration_since(Instant::now()).as_millis().max(1);
        let mut statement =
            format!("BEGIN ISOLATION LEVEL {isolation} {access}; SET LOCAL statement_timeout = {limit_ms}");
        // SET LOCAL, not set_config(): a distributed Postgres hands the former on to its shards. An empty program is none:
        // whatever the connection was used for before, a policy that reads it fails.
        let _ = match self.scope {
            Scope::Program(program) => write!(statement, "; SET LOCAL app.program = '{program}'"),
            Scope::Suite => write!(statement, "; SET LOCAL app.program = ''"),
        };
        statement
    }

    fn commit_error(&self, error: sqlx::Error) -> StorageError {
        match classify(&error) {
            // Postgres answered a refusal by code: it rolled back.
            Failure::Connection | Failure::Resources => StorageError::OutcomeUnknown {
                transaction: self.name,
                source: error,
            },
            _ => StorageError::Database(error),
        }
    }

    fn end_after(&self, duration: Duration) -> Instant {
        let end = Instant::now() + duration;
        self.deadline.map_or(end, |deadline| deadline.instant().min(end))
    }

    async fn by_deadline<F: Future>(&self, future: F) -> Result<F::Output, StorageError> {
        match self.deadline {
            None => Ok(future.await),
            Some(deadline) => timeout_at(deadline.instant(), future)
                .await
                .map_err(|_| self.deadline_exceeded()),
        }
    }

    const fn deadline_exceeded(&self) -> StorageError {
        StorageError::DeadlineExceeded {
            transaction: self.name,
        }
    }
}

/// A standby, or a server that is being recovered, refuses to begin what writes: another connection may lead to the
/// primary, and a caller may come again.
fn begin_error(error: sqlx::Error) -> StorageError {
    let code = error.as_database_error().and_then(DatabaseError::code);
    match code.as_deref() {
        Some("0A000" | "25006") => sqlx::Error::Protocol(error.to_string()).into(),
        _ => StorageError::from(error),
    }
}

/// A connection on which a transaction begins. Dropped before the answer to BEGIN, by a deadline or because the caller
/// went away, it is closed instead of being given back: the driver counts a transaction only from that answer on, so
/// the connection would go back to the pool with the transaction open and a program set. Afterwards the driver itself
/// rolls back what is dropped. One whose transaction ran out of time is closed as well.
struct ClosedUnlessReusable<'a> {
    connection: Option<PoolConnection<Postgres>>,
    reusable: &'a AtomicBool,
}

impl<'a> ClosedUnlessReusable<'a> {
    const fn new(connection: PoolConnection<Postgres>, reusable: &'a AtomicBool) -> Self {
        Self {
            connection: Some(connection),
            reusable,
        }
    }

    fn as_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("taken only when this is dropped")
    }
}

impl Drop for ClosedUnlessReusable<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.reusable.load(Ordering::Relaxed)
        {
            // Closing the socket makes the server end the transaction.
            drop(connection.detach());
        }
    }
}
