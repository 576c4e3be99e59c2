//! Writes events, in the transaction that makes them true.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use fealty_types::{EventId, ProgramId};
use sqlx::{PgConnection, Row};
use tracing::Span;
use uuid::Uuid;

use crate::error::StorageError;

/// Something that happened to a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its id.
    pub event_id: EventId,
    /// Whom it is about.
    pub subject_id: Uuid,
    /// Number of its `fealty.events.v1.EventType`.
    pub event_type: i16,
    /// An encoded `fealty.events.v1.Event` of which only the payload is set.
    pub payload: Vec<u8>,
    /// When it happened.
    pub occur_time: DateTime<Utc>,
    /// When it was recorded.
    pub record_time: DateTime<Utc>,
}

/// Appends events to the feed; those of one subject in the order given.
///
/// It locks the subjects until the transaction ends, in the order of their ids. So: after the transaction's own locks,
/// as late as can be, and once with everything; and wake the feed after the commit.
///
/// The events keep the place of the current span in its trace, so that whoever follows goes on with that trace.
pub async fn append_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    events: &[NewEvent],
) -> Result<(), StorageError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut places = count_in_tx(&mut *tx, program, events).await?;
    let mut versions = Vec::with_capacity(events.len());
    let mut feed_xids = Vec::with_capacity(events.len());
    for event in events {
        let place = places.get_mut(&event.subject_id).ok_or_else(|| {
            StorageError::corrupt("event_subject", "a subject that was counted is not there")
        })?;
        place.version += 1;
        versions.push(place.version);
        feed_xids.push(place.feed_xid);
    }
    insert_in_tx(tx, program, events, &versions, &feed_xids).await
}

/// Where a subject's next events go.
struct Place {
    /// Of the event before them.
    version: i64,
    feed_xid: i64,
}

/// Counts the events of each subject, under its lock.
async fn count_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    events: &[NewEvent],
) -> Result<HashMap<Uuid, Place>, StorageError> {
    let mut counts: BTreeMap<Uuid, i64> = BTreeMap::new();
    for event in events {
        *counts.entry(event.subject_id).or_default() += 1;
    }
    let (subject_ids, numbers): (Vec<Uuid>, Vec<i64>) = counts.iter().unzip();
    let rows = sqlx::query(
        "INSERT INTO event_subject AS s (program, subject_id, version, feed_xid) \
         SELECT $1, u.subject_id, u.count, pg_current_xact_id() \
         FROM unnest($2::uuid[], $3::bigint[]) AS u (subject_id, count) ORDER BY u.subject_id \
         ON CONFLICT (program, subject_id) DO UPDATE \
         SET version = s.version + EXCLUDED.version, feed_xid = GREATEST(s.feed_xid, EXCLUDED.feed_xid) \
         RETURNING s.subject_id, s.version, s.feed_xid::text::bigint AS feed_xid",
    )
    .bind(program)
    .bind(subject_ids)
    .bind(numbers)
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| {
            let subject_id: Uuid = row.try_get("subject_id")?;
            let newest: i64 = row.try_get("version")?;
            let place = Place {
                version: newest - counts.get(&subject_id).copied().unwrap_or_default(),
                feed_xid: row.try_get("feed_xid")?,
            };
            Ok((subject_id, place))
        })
        .collect()
}

async fn insert_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    events: &[NewEvent],
    versions: &[i64],
    feed_xids: &[i64],
) -> Result<(), StorageError> {
    let written = sqlx::query(
        "INSERT INTO event (program, subject_id, version, feed_xid, event_id, event_type, payload, occur_time, \
                            record_time, trace_parent) \
         SELECT $1, u.subject_id, u.version, u.feed_xid::text::xid8, u.event_id, u.event_type, u.payload, \
                u.occur_time, u.record_time, $10 \
         FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::uuid[], $6::smallint[], $7::bytea[], \
                     $8::timestamptz[], $9::timestamptz[]) \
              AS u (subject_id, version, feed_xid, event_id, event_type, payload, occur_time, record_time)",
    )
    .bind(program)
    .bind(column(events, |event| event.subject_id))
    .bind(versions)
    .bind(feed_xids)
    .bind(column(events, |event| event.event_id.as_uuid()))
    .bind(column(events, |event| event.event_type))
    .bind(column(events, |event| event.payload.as_slice()))
    .bind(column(events, |event| event.occur_time))
    .bind(column(events, |event| event.record_time))
    .bind(fealty_telemetry::trace_parent(&Span::current()))
    .execute(tx)
    .await?
    .rows_affected();
    if usize::try_from(written).is_ok_and(|written| written == events.len()) {
        Ok(())
    } else {
        Err(StorageError::corrupt(
            "event",
            format!("{written} of {} rows were written", events.len()),
        ))
    }
}

fn column<'a, T>(events: &'a [NewEvent], field: impl Fn(&'a NewEvent) -> T) -> Vec<T> {
    events.iter().map(field).collect()
}
