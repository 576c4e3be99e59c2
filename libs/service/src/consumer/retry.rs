//! Tries parked events again.

use std::time::Duration;

use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use sqlx::PgConnection;
use tokio::time::sleep;

use super::apply::is_nobodys_fault;
use super::parked::{self, Again, Parked, Subject};
use super::{ConsumeError, Consumer, Handler, metrics, with_jitter};

/// How often it is looked for what is due.
const INTERVAL: Duration = Duration::from_secs(1);

/// Subjects of one round: each is a transaction during which the feed itself waits.
const SUBJECTS_PER_ROUND_MAX: i64 = 20;

/// Events of one transaction; of a longer row, the rest follows in the next round.
const EVENTS_MAX: i64 = 100;

impl<H: Handler> Consumer<H> {
    /// Tries what is parked again and again, after growing pauses; ends only by being dropped.
    pub async fn keep_retrying(self) {
        loop {
            sleep(with_jitter(INTERVAL)).await;
            if let Err(error) = self.retry_due().await {
                tracing::warn!(consumer = self.0.name, %error, "parked events wait for the next round");
            }
        }
    }

    /// Tries once everything that is due.
    pub async fn retry_due(&self) -> Result<(), StorageError> {
        let name = self.0.name;
        let now = self.0.ground.clock.now();
        let options = TransactOptions::read_only();
        let jobs = &self.0.ground.jobs;
        let (count, due) = transact(jobs, "list_parked_events", Scope::Suite, options, |tx| {
            in_tx(async move {
                let count = parked::count_in_tx(&mut *tx, name).await?;
                let due = parked::list_due_in_tx(tx, name, now, SUBJECTS_PER_ROUND_MAX).await?;
                Ok::<_, StorageError>((count, due))
            })
        })
        .await?;
        metrics::parked_now(name, count);
        for subject in due {
            let options = TransactOptions::default();
            let retried = transact(jobs, "retry_parked_events", Scope::Suite, options, |tx| {
                in_tx(self.retry_in_tx(tx, subject))
            });
            if let Err(error) = retried.await {
                if is_nobodys_fault(&error) {
                    return Err(error);
                }
                self.put_off(subject, &error).await?;
            }
        }
        Ok(())
    }

    /// Lets the others go before a subject whose retry failed as a whole, so that one does not hold up all.
    async fn put_off(&self, subject: Subject, error: &StorageError) -> Result<(), StorageError> {
        let (name, now) = (self.0.name, self.0.ground.clock.now());
        tracing::error!(
            consumer = name,
            program = %subject.program,
            subject = %subject.subject_id,
            %error,
            "a parked subject cannot be tried again as it is; the others are"
        );
        let (jobs, options) = (&self.0.ground.jobs, TransactOptions::default());
        transact(jobs, "put_off_parked_events", Scope::Suite, options, |tx| {
            in_tx(parked::put_off_in_tx(tx, name, subject, now))
        })
        .await
    }

    /// Tries a subject's events in their order, up to the first that still cannot be applied.
    async fn retry_in_tx(&self, tx: &mut PgConnection, subject: Subject) -> Result<(), StorageError> {
        let (name, now) = (self.0.name, self.0.ground.clock.now());
        // The feed's own lock: while it is held nothing of the feed is applied, and nothing parked behind these.
        sqlx::query("SELECT FROM feed_position WHERE feed = $1 FOR UPDATE")
            .bind(name)
            .execute(&mut *tx)
            .await?;
        let parked = parked::list_of_subject_in_tx(&mut *tx, name, subject, EVENTS_MAX).await?;
        // The first has no time when it was parked behind a later one, which the followed service sent before it was
        // restored: that one was due.
        let is_due = |first: &Parked| first.next_try_time.is_none_or(|time| time <= now);
        if !parked.first().is_some_and(is_due) {
            // Another replica was here.
            return Ok(());
        }
        let full = i64::try_from(parked.len()).is_ok_and(|count| count >= EVENTS_MAX);
        let mut applied = None;
        let mut failed = None;
        for event in &parked {
            match self.apply_in_savepoint(&mut *tx, &event.event()?).await? {
                Ok(()) => applied = Some(event.version),
                Err(ConsumeError::Storage(error)) if is_nobodys_fault(&error) => return Err(error),
                Err(error) => {
                    failed = Some((event, error));
                    break;
                }
            }
        }
        if let Some(version) = applied {
            parked::delete_up_to_in_tx(&mut *tx, name, subject, version).await?;
        }
        let again = match failed {
            Some((event, error)) => Again {
                attempts: event.attempts.saturating_add(1),
                error: error.to_string(),
                next_try_time: parked::next_try(event.attempts.saturating_add(1), now),
            },
            None if full => Again {
                attempts: 0,
                error: String::new(),
                next_try_time: now,
            },
            None => {
                tracing::info!(
                    consumer = name,
                    program = %subject.program,
                    subject = %subject.subject_id,
                    "a parked subject's events are applied"
                );
                return Ok(());
            }
        };
        parked::note_in_tx(tx, name, subject, &again).await
    }
}
