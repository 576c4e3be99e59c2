//! How members came into their tiers and out of them.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

use crate::ladders::domain::{Cause, Change};
use crate::people::domain::TierCode;

/// A change that is in the history.
#[derive(Debug, Clone)]
pub struct StoredChange {
    /// 1, 2, 3 ... for the member.
    pub revision: i64,
    /// What changed.
    pub change: Change,
    /// When it was recorded.
    pub record_time: DateTime<Utc>,
}

/// Adds to a member's history, in this order. The caller holds the member's lock.
pub(in crate::ladders) async fn insert_changes_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    changes: &[Change],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    for change in changes {
        let code = |tier: Option<&TierCode>| tier.map(|tier| tier.as_str().to_owned());
        sqlx::query!(
            "INSERT INTO tier_change (program, member_id, revision, ladder_code, ladder_version, from_tier_code, \
                                      to_tier_code, cause, change_time, record_time) \
             SELECT $1, $2, coalesce(max(revision), 0) + 1, $3, $4, $5, $6, $7, $8, $9 FROM tier_change \
             WHERE program = $1 AND member_id = $2",
            program_id.as_uuid(),
            member_id.as_uuid(),
            change.ladder_code.as_str(),
            change.ladder_version,
            code(change.from.as_ref()),
            code(change.to.as_ref()),
            change.cause.as_str(),
            change.change_time,
            now,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// The changes before one of them, newest first.
pub(in crate::ladders) async fn list_changes_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    before: Option<i64>,
    count_max: i64,
) -> Result<Vec<StoredChange>, StorageError> {
    let rows = sqlx::query!(
        "SELECT revision, ladder_code, ladder_version, from_tier_code, to_tier_code, cause, change_time, record_time \
         FROM tier_change WHERE program = $1 AND member_id = $2 AND revision < coalesce($3, 9223372036854775807) \
         ORDER BY revision DESC LIMIT $4",
        program_id.as_uuid(),
        member_id.as_uuid(),
        before,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    let corrupt = |error: &dyn std::fmt::Display| StorageError::corrupt("tier_change", error.to_string());
    let tier = |code: Option<String>| code.map(|code| code.parse::<TierCode>()).transpose();
    rows.into_iter()
        .map(|row| {
            Ok(StoredChange {
                revision: row.revision,
                change: Change {
                    ladder_code: row.ladder_code.parse().map_err(|error| corrupt(&error))?,
                    ladder_version: row.ladder_version,
                    from: tier(row.from_tier_code).map_err(|error| corrupt(&error))?,
                    to: tier(row.to_tier_code).map_err(|error| corrupt(&error))?,
                    cause: Cause::from_column(&row.cause).ok_or_else(|| corrupt(&row.cause))?,
                    change_time: row.change_time,
                },
                record_time: row.record_time,
            })
        })
        .collect()
}
