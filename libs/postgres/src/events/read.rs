//! Reads events in the feed's order.

use chrono::{DateTime, Utc};
use fealty_types::{EventId, ProgramId};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row};
use uuid::Uuid;

use super::EventPosition;
use crate::error::StorageError;

/// Which events are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFilter {
    /// Of all programs: for the role of jobs.
    All,
    /// Of one program.
    Program(ProgramId),
    /// Of one subject of a program.
    Subject(ProgramId, Uuid),
}

/// A page to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventQuery {
    /// Where the reader is.
    pub after: EventPosition,
    /// Up to here: what [`horizon_in_tx`] has answered before.
    pub horizon: i64,
    /// Which events.
    pub filter: EventFilter,
    /// At most so many.
    pub count_max: usize,
}

impl EventQuery {
    /// Where the reader is among the events that it reads.
    #[must_use]
    pub fn place(&self) -> EventPosition {
        match self.filter {
            EventFilter::All => self.after,
            EventFilter::Program(program) | EventFilter::Subject(program, _) => self.after.within(program),
        }
    }

    /// The most events, as Postgres counts.
    #[must_use]
    pub fn limit(&self) -> i64 {
        i64::try_from(self.count_max).unwrap_or(i64::MAX)
    }
}

/// An event as it lies in the table `event`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Where it stands; also whose it is, and its number.
    pub position: EventPosition,
    /// Its id.
    pub event_id: EventId,
    /// Number of its `fealty.events.v1.EventType`.
    pub event_type: i16,
    /// An encoded `fealty.events.v1.Event` of which only the payload is set.
    pub payload: Vec<u8>,
    /// When it happened.
    pub occur_time: DateTime<Utc>,
    /// When it was recorded.
    pub record_time: DateTime<Utc>,
    /// Where in which trace it was written; None where that was not traced.
    pub trace_parent: Option<String>,
}

/// The rule of the feed's order, behind one function: below the answer nothing can appear any more. A page that is read
/// by a later statement than this one shows everything below it.
pub async fn horizon_in_tx(tx: &mut PgConnection) -> Result<i64, StorageError> {
    let horizon = sqlx::query_scalar("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        .fetch_one(tx)
        .await?;
    Ok(horizon)
}

const COLUMNS: &str = "program, subject_id, version, feed_xid::text::bigint AS feed_xid, event_id, event_type, payload, \
                       occur_time, record_time, trace_parent";

const ALL: &str = "WHERE (feed_xid, program, subject_id, version) > ($1::bigint::text::xid8, $2, $3, $4) \
                   AND feed_xid < $5::bigint::text::xid8 \
                   ORDER BY feed_xid, program, subject_id, version LIMIT $6";

const OF_PROGRAM: &str = "WHERE program = $2 AND (feed_xid, subject_id, version) > ($1::bigint::text::xid8, $3, $4) \
                          AND feed_xid < $5::bigint::text::xid8 \
                          ORDER BY feed_xid, subject_id, version LIMIT $6";

/// By the version, which is the same order for one subject and leads to the rows by their key.
const OF_SUBJECT: &str = "WHERE program = $2 AND subject_id = $7 \
                          AND (feed_xid, subject_id, version) > ($1::bigint::text::xid8, $3, $4) \
                          AND feed_xid < $5::bigint::text::xid8 \
                          ORDER BY version LIMIT $6";

/// The events of a page, in order.
pub async fn list_in_tx(tx: &mut PgConnection, page: EventQuery) -> Result<Vec<StoredEvent>, StorageError> {
    let after = page.place();
    let (condition, subject_id) = match page.filter {
        EventFilter::All => (ALL, None),
        EventFilter::Program(_) => (OF_PROGRAM, None),
        EventFilter::Subject(_, subject_id) => (OF_SUBJECT, Some(subject_id)),
    };
    let statement = format!("SELECT {COLUMNS} FROM event {condition}");
    let query = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(after.feed_xid)
        .bind(after.program)
        .bind(after.subject_id)
        .bind(after.version)
        .bind(page.horizon)
        .bind(page.limit());
    let query = match subject_id {
        Some(subject_id) => query.bind(subject_id),
        None => query,
    };
    Ok(query.fetch_all(tx).await?)
}

impl FromRow<'_, PgRow> for StoredEvent {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            position: EventPosition {
                feed_xid: row.try_get("feed_xid")?,
                program: row.try_get("program")?,
                subject_id: row.try_get("subject_id")?,
                version: row.try_get("version")?,
            },
            event_id: row.try_get("event_id")?,
            event_type: row.try_get("event_type")?,
            payload: row.try_get("payload")?,
            occur_time: row.try_get("occur_time")?,
            record_time: row.try_get("record_time")?,
            trace_parent: row.try_get("trace_parent")?,
        })
    }
}
