//! Which history of which database one speaks with. After a restore or a failover the same numbers may come again with
//! another meaning; the timeline tells them apart.

use std::fmt;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgPool;

use crate::acquire::acquire;
use crate::error::StorageError;

/// The history of a database: positions of a feed and keys of a cache hold within it only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DatabaseTimeline {
    /// Identifies the cluster: another one after a restore from a dump into a new cluster.
    pub system_identifier: u64,
    /// Identifies the database within the cluster: another one after it was dropped and made again.
    pub database_oid: u32,
    /// Counts up when a standby is promoted and when a cluster is restored to a point in time.
    pub timeline_id: u32,
}

impl fmt::Display for DatabaseTimeline {
    /// Fixed in length and free of separators: it is part of keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:016x}{:08x}{:08x}",
            self.system_identifier, self.database_oid, self.timeline_id
        )
    }
}

/// Asks the database for its timeline. Every role may.
///
/// The timeline is read from the name of the log file being written: the control file shows a promotion only with the
/// next checkpoint. A standby writes none; there the control file has to do.
pub async fn database_timeline(pool: &PgPool) -> Result<DatabaseTimeline, StorageError> {
    let (system_identifier, database_oid, timeline_id): (i64, i64, i64) = sqlx::query_as(
        "SELECT system_identifier, \
             (SELECT oid::bigint FROM pg_database WHERE datname = current_database()), \
             CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id::bigint FROM pg_control_checkpoint()) \
             ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint END \
         FROM pg_control_system()",
    )
    .fetch_one(&mut *acquire(pool).await?)
    .await?;
    let narrow = |number: i64| {
        u32::try_from(number).map_err(|_| StorageError::corrupt("timeline", "a number is out of its range"))
    };
    Ok(DatabaseTimeline {
        // Postgres shows the identifier's 64 bits as a signed number.
        system_identifier: system_identifier.cast_unsigned(),
        database_oid: narrow(database_oid)?,
        timeline_id: narrow(timeline_id)?,
    })
}

/// Asks the database what time it is there.
pub async fn database_now(pool: &PgPool) -> Result<DateTime<Utc>, StorageError> {
    let now = sqlx::query_scalar("SELECT clock_timestamp()");
    Ok(now.fetch_one(&mut *acquire(pool).await?).await?)
}
