//! Finds what has passed its end, or has begun to count, and is not written down yet.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::state::uuids;

/// An owner with something that has ended or begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Of which program.
    pub(crate) program: ProgramId,
    /// Whom.
    pub(crate) owner_id: OwnerId,
    /// When the first of it ended.
    pub(crate) since: DateTime<Utc>,
    /// When this was read.
    pub(crate) now: DateTime<Utc>,
}

/// Owners of all programs with a lot or hold that has ended, or a lot that has begun, by `at` (by Postgres's clock, if nobody says), the longest ago
/// first; without those to avoid. For the jobs' role.
pub(crate) async fn list_ended_in_tx(
    tx: &mut PgConnection,
    at: Option<DateTime<Utc>>,
    avoided: &[OwnerId],
    count_max: i64,
) -> Result<Vec<Ended>, StorageError> {
    // Only the first few are wanted, in the order of the index. Planned on tables that are still empty, the statement would
    // read and sort all that has ended, each time: at midnight that may be everything.
    sqlx::query!("SET LOCAL enable_bitmapscan = off")
        .execute(&mut *tx)
        .await?;
    // A lot that is open only for what a hold claims of it has nothing to write off before the hold ends.
    let ended = sqlx::query_as!(
        Ended,
        r#"SELECT e.program AS "program!: ProgramId", e.owner_id AS "owner_id!: OwnerId", min(e.expire_time) AS "since!",
                  COALESCE($1, statement_timestamp()) AS "now!"
           FROM ((SELECT program, owner_id, expire_time FROM lot
                  WHERE open AND value_left > 0 AND expire_time <= COALESCE($1, statement_timestamp())
                    AND NOT owner_id = ANY($2)
                  ORDER BY expire_time LIMIT $3)
                 UNION ALL
                 (SELECT program, owner_id, expire_time FROM hold
                  WHERE status = 'open' AND expire_time <= COALESCE($1, statement_timestamp())
                    AND NOT owner_id = ANY($2)
                  ORDER BY expire_time LIMIT $3)
                 UNION ALL
                 (SELECT program, owner_id, begin_time FROM lot
                  WHERE open AND pending AND begin_time <= COALESCE($1, statement_timestamp())
                    AND NOT owner_id = ANY($2)
                  ORDER BY begin_time LIMIT $3)) AS e
           GROUP BY e.program, e.owner_id ORDER BY min(e.expire_time), e.owner_id LIMIT $3"#,
        at,
        &uuids(avoided),
        count_max,
    )
    .fetch_all(tx)
    .await?;
    Ok(ended)
}

/// Locks the owners that nobody else has locked, in the order of their ids, and answers whom: who is busy is about to be
/// written off by whoever is at it.
pub(crate) async fn lock_idle_owners_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
) -> Result<Vec<OwnerId>, StorageError> {
    let owner_ids: Vec<Uuid> = uuids(owner_ids);
    let locked = sqlx::query_scalar!(
        r#"SELECT owner_id AS "owner_id: OwnerId" FROM owner WHERE program = $1 AND owner_id = ANY($2)
           ORDER BY owner_id FOR NO KEY UPDATE SKIP LOCKED"#,
        program.as_uuid(),
        &owner_ids,
    )
    .fetch_all(tx)
    .await?;
    Ok(locked)
}
