//! Events that wait because they, or one of their subject before them, could not be applied.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_postgres::StorageError;
use fealty_proto::events::v1::Event;
use prost::Message;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

/// Events that one consumer may have parked: more are no exceptions any more, and its feed stops.
const PARKED_MAX: i64 = 10_000;

/// Before the second attempt, in seconds; it doubles from there.
const PAUSE_FIRST_S: i64 = 1;

/// Longest pause, in seconds: ten minutes after the cause is mended, all is well again by itself.
const PAUSE_MAX_S: i64 = 600;

/// Longest note of what was wrong, in characters.
const ERROR_LENGTH_MAX: usize = 500;

/// Whom events are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) program: Uuid,
    pub(super) subject_id: Uuid,
}

impl Subject {
    /// Of each event, in their order.
    pub(super) fn of_all(events: &[Event]) -> Result<Vec<Self>, StorageError> {
        events.iter().map(Self::of).collect()
    }

    fn of(event: &Event) -> Result<Self, StorageError> {
        let id = |text: &str| Uuid::try_parse(text).map_err(|error| StorageError::corrupt("event", error));
        Ok(Self {
            program: id(&event.program_id)?,
            subject_id: id(&event.subject_id)?,
        })
    }
}

/// An event to park.
pub(super) struct NewParked<'a> {
    event: &'a Event,
    subject: Subject,
    /// What was wrong; None for one that only comes after another.
    error: Option<String>,
}

impl<'a> NewParked<'a> {
    /// The first of its subject.
    pub(super) const fn first(event: &'a Event, subject: Subject, error: String) -> Self {
        Self {
            event,
            subject,
            error: Some(error),
        }
    }

    /// One behind the first.
    pub(super) const fn behind(event: &'a Event, subject: Subject) -> Self {
        Self {
            event,
            subject,
            error: None,
        }
    }
}

/// When an event is tried again that was tried so often.
pub(super) fn next_try(attempts: i32, now: DateTime<Utc>) -> DateTime<Utc> {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(20);
    let pause_s = (PAUSE_FIRST_S << doublings).min(PAUSE_MAX_S);
    now + TimeDelta::seconds(pause_s)
}

/// What is kept of an error.
pub(super) fn note_of(error: &str) -> String {
    error.chars().take(ERROR_LENGTH_MAX).collect()
}

/// Those of the subjects that have parked events.
pub(super) async fn find_blocked_in_tx(
    tx: &mut PgConnection,
    consumer: &str,
    subjects: &[Subject],
) -> Result<HashSet<Subject>, StorageError> {
    if subjects.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT DISTINCT p.program, p.subject_id FROM parked_event p \
         JOIN unnest($2::uuid[], $3::uuid[]) AS u (program, subject_id) \
              ON p.program = u.program AND p.subject_id = u.subject_id \
         WHERE p.consumer = $1",
    )
    .bind(consumer)
    .bind(programs(subjects.iter()))
    .bind(
        subjects
            .iter()
            .map(|subject| subject.subject_id)
            .collect::<Vec<_>>(),
    )
    .fetch_all(tx)
    .await?;
    let blocked = rows
        .into_iter()
        .map(|(program, subject_id)| Subject { program, subject_id });
    Ok(blocked.collect())
}

/// Parks events; false when there are too many.
pub(super) async fn park_in_tx(
    tx: &mut PgConnection,
    consumer: &str,
    events: &[NewParked<'_>],
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    if events.is_empty() {
        return Ok(true);
    }
    // One that is there already came again because the followed service was restored.
    sqlx::query(
        "INSERT INTO parked_event (program, consumer, subject_id, version, event, attempts, error, park_time, \
                                   next_try_time) \
         SELECT u.program, $1, u.subject_id, u.version, u.event, u.attempts, u.error, $2, u.next_try_time \
         FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::bytea[], $7::integer[], $8::text[], \
                     $9::timestamptz[]) \
              AS u (program, subject_id, version, event, attempts, error, next_try_time) \
         ON CONFLICT (program, consumer, subject_id, version) DO NOTHING",
    )
    .bind(consumer)
    .bind(now)
    .bind(programs(events.iter().map(|parked| &parked.subject)))
    .bind(column(events, |parked| parked.subject.subject_id))
    .bind(column(events, |parked| parked.event.version))
    .bind(column(events, |parked| parked.event.encode_to_vec()))
    .bind(column(events, |parked| i32::from(parked.error.is_some())))
    .bind(column(events, |parked| parked.error.as_deref().map(note_of).unwrap_or_default()))
    .bind(column(events, |parked| parked.error.is_some().then(|| next_try(1, now))))
    .execute(&mut *tx)
    .await?;
    Ok(count_in_tx(tx, consumer).await? <= PARKED_MAX)
}

/// How many a consumer has parked.
pub(super) async fn count_in_tx(tx: &mut PgConnection, consumer: &str) -> Result<i64, StorageError> {
    let count = sqlx::query_scalar("SELECT count(*) FROM parked_event WHERE consumer = $1");
    Ok(count.bind(consumer).fetch_one(tx).await?)
}

/// The subjects whose first event is to be tried again, those that wait longest first, at most so many.
pub(super) async fn list_due_in_tx(
    tx: &mut PgConnection,
    consumer: &str,
    now: DateTime<Utc>,
    count_max: i64,
) -> Result<Vec<Subject>, StorageError> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT program, subject_id FROM parked_event \
         WHERE consumer = $1 AND next_try_time <= $2 ORDER BY next_try_time LIMIT $3",
    )
    .bind(consumer)
    .bind(now)
    .bind(count_max)
    .fetch_all(tx)
    .await?;
    let subjects = rows
        .into_iter()
        .map(|(program, subject_id)| Subject { program, subject_id });
    Ok(subjects.collect())
}

/// A parked event.
#[derive(Debug, FromRow)]
pub(super) struct Parked {
    pub(super) version: i64,
    event: Vec<u8>,
    pub(super) attempts: i32,
    pub(super) next_try_time: Option<DateTime<Utc>>,
}

impl Parked {
    /// The event itself.
    pub(super) fn event(&self) -> Result<Event, StorageError> {
        Event::decode(self.event.as_slice())
            .map_err(|error| StorageError::corrupt("parked_event.event", error))
    }
}

/// A subject's parked events in their order, at most so many.
pub(super) async fn list_of_subject_in_tx(
    tx: &mut PgConnection,
    consumer: &str,
    subject: Subject,
    count_max: i64,
) -> Result<Vec<Parked>, StorageError> {
    let rows = sqlx::query_as(
        "SELECT version, event, attempts, next_try_time FROM parked_event \
         WHERE program = $1 AND consumer = $2 AND subject_id = $3 ORDER BY version LIMIT $4",
    )
    .bind(subject.program)
    .bind(consumer)
    .bind(subject.subject_id)
    .bind(count_max)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Takes a subject's events out, up to that version.
pub(super) async fn delete_up_to_in_tx(
    tx: &mut PgConnection,
    consumer: &str,
    subject: Subject,
    version: i64,
) -> Result<(), StorageError> {
    sqlx::query(
        "DELETE FROM parked_event WHERE program = $1 AND consumer = $2 AND subject_id = $3 AND version <= $4",
    )
    .bind(subject.program)
    .bind(consumer)
    .bind(subject.subject_id)
    .bind(version)
    .execute(tx)
    .await?;
    Ok(())
}

/// What became of the first event of a subject that stays parked.
pub(super) struct Again {
    pub(super) attempts: i32,
    pub(super) error: String,
    pub(super) next_try_time: DateTime<Utc>,
}

/// Notes it with the first that is left, if there is one. One that was the first before, and came to stand behind others
/// because the followed service was restored, waits for them from now on.
pub(super) async fn note_in_tx(
    tx: &mut PgConnection,
    consumer: &str,
    subject: Subject,
    again: &Again,
) -> Result<(), StorageError> {
    sqlx::query(
        "UPDATE parked_event p SET attempts = CASE WHEN p.version = f.first THEN $4 ELSE 0 END, \
                                   error = CASE WHEN p.version = f.first THEN $5 ELSE '' END, \
                                   next_try_time = CASE WHEN p.version = f.first THEN $6 END \
         FROM (SELECT min(version) AS first FROM parked_event \
               WHERE program = $1 AND consumer = $2 AND subject_id = $3) AS f \
         WHERE p.program = $1 AND p.consumer = $2 AND p.subject_id = $3 \
           AND (p.version = f.first OR p.next_try_time IS NOT NULL)",
    )
    .bind(subject.program)
    .bind(consumer)
    .bind(subject.subject_id)
    .bind(again.attempts)
    .bind(note_of(&again.error))
    .bind(again.next_try_time)
    .execute(tx)
    .await?;
    Ok(())
}

/// Puts a subject off for the longest pause, whatever is the matter with it.
pub(super) async fn put_off_in_tx(
    tx: &mut PgConnection,
    consumer: &str,
    subject: Subject,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query(
        "UPDATE parked_event SET attempts = attempts + 1, next_try_time = $4 \
         WHERE program = $1 AND consumer = $2 AND subject_id = $3 AND next_try_time IS NOT NULL",
    )
    .bind(subject.program)
    .bind(consumer)
    .bind(subject.subject_id)
    .bind(now + TimeDelta::seconds(PAUSE_MAX_S))
    .execute(tx)
    .await?;
    Ok(())
}

fn programs<'a>(subjects: impl Iterator<Item = &'a Subject>) -> Vec<Uuid> {
    subjects.map(|subject| subject.program).collect()
}

fn column<'a, T>(events: &'a [NewParked<'a>], field: impl Fn(&'a NewParked<'a>) -> T) -> Vec<T> {
    events.iter().map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_ten_minutes() {
        let now = DateTime::UNIX_EPOCH;
        let pause_s = |attempts| (next_try(attempts, now) - now).num_seconds();
        assert_eq!((1..=5).map(pause_s).collect::<Vec<_>>(), [1, 2, 4, 8, 16]);
        assert_eq!(pause_s(11), PAUSE_MAX_S);
        assert_eq!(pause_s(i32::MAX), PAUSE_MAX_S);
    }
}
