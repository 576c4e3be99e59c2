//! Where members stand, as far as it was told.

use chrono::{DateTime, NaiveDate, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ladders::{parse_ladder_code, parse_zone};
use crate::ladders::domain::LadderCode;
use crate::ladders::person::Who;
use crate::people::domain::{MemberStatus, TierCode};

/// A member's row of a ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ladders) struct Row {
    pub(in crate::ladders) ladder_code: LadderCode,
    /// Of the ladder, when it was written.
    pub(in crate::ladders) revision: i64,
    pub(in crate::ladders) earned_tier_code: Option<TierCode>,
    pub(in crate::ladders) tier_code: Option<TierCode>,
    pub(in crate::ladders) due_time: Option<DateTime<Utc>>,
    pub(in crate::ladders) checkpoint: Option<StoredCheckpoint>,
}

/// From where a member's history is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ladders) struct StoredCheckpoint {
    pub(in crate::ladders) day: NaiveDate,
    pub(in crate::ladders) version: i64,
    pub(in crate::ladders) tier_code: Option<TierCode>,
    pub(in crate::ladders) below_since: Option<NaiveDate>,
}

/// A member's tier of a ladder, if the row can be believed.
#[derive(Debug, Clone)]
pub(in crate::ladders) struct Told {
    pub(in crate::ladders) member_id: MemberId,
    pub(in crate::ladders) ladder_code: LadderCode,
    pub(in crate::ladders) tier_code: Option<TierCode>,
    /// Else whoever asks judges anew.
    pub(in crate::ladders) is_current: bool,
}

fn parse_tier(text: Option<String>) -> Result<Option<TierCode>, StorageError> {
    text.map(|text| text.parse())
        .transpose()
        .map_err(|error| StorageError::corrupt("member_ladder.tier_code", error))
}

/// Who a member is, for their tiers. None when the program has no such member.
pub(in crate::ladders) async fn find_who_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<Who>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT p.time_zone, m.status, m.ledger_confirmed,
                  array(SELECT o.member_id FROM member o
                        WHERE o.program = $1 AND o.merged_into_member_id = $2) AS "merged_ids!"
           FROM member m JOIN program p ON p.program = m.program
           WHERE m.program = $1 AND m.member_id = $2"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let status = MemberStatus::from_column(&row.status);
    let mut ids = row.merged_ids;
    ids.push(member_id.as_uuid());
    Ok(Some(Who {
        zone: parse_zone(&row.time_zone)?,
        status: status.ok_or_else(|| StorageError::corrupt("member.status", &row.status))?,
        is_enrolled: row.ledger_confirmed,
        ids,
    }))
}

/// A member's rows, by their ladders' codes.
pub(in crate::ladders) async fn load_rows_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Vec<Row>, StorageError> {
    let rows = sqlx::query!(
        "SELECT ladder_code, revision, earned_tier_code, tier_code, due_time, checkpoint_day, checkpoint_version, \
                checkpoint_tier_code, checkpoint_below_since \
         FROM member_ladder WHERE program = $1 AND member_id = $2 ORDER BY ladder_code",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let tier_code = parse_tier(row.checkpoint_tier_code)?;
            let at = row.checkpoint_day.zip(row.checkpoint_version);
            Ok(Row {
                ladder_code: parse_ladder_code(&row.ladder_code)?,
                revision: row.revision,
                earned_tier_code: parse_tier(row.earned_tier_code)?,
                tier_code: parse_tier(row.tier_code)?,
                due_time: row.due_time,
                checkpoint: at.map(|(day, version)| StoredCheckpoint {
                    day,
                    version,
                    tier_code,
                    below_since: row.checkpoint_below_since,
                }),
            })
        })
        .collect()
}

/// Writes a member's row. The caller holds the member's lock.
pub(in crate::ladders) async fn upsert_row_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    row: &Row,
) -> Result<(), StorageError> {
    let checkpoint = row.checkpoint.as_ref();
    let tier = |code: Option<&TierCode>| code.map(|code| code.as_str().to_owned());
    sqlx::query!(
        "INSERT INTO member_ladder \
         (program, member_id, ladder_code, revision, earned_tier_code, tier_code, due_time, checkpoint_day, \
          checkpoint_version, checkpoint_tier_code, checkpoint_below_since) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (program, member_id, ladder_code) DO UPDATE \
         SET revision = EXCLUDED.revision, earned_tier_code = EXCLUDED.earned_tier_code, \
             tier_code = EXCLUDED.tier_code, due_time = EXCLUDED.due_time, \
             checkpoint_day = EXCLUDED.checkpoint_day, checkpoint_version = EXCLUDED.checkpoint_version, \
             checkpoint_tier_code = EXCLUDED.checkpoint_tier_code, \
             checkpoint_below_since = EXCLUDED.checkpoint_below_since",
        program_id.as_uuid(),
        member_id.as_uuid(),
        row.ladder_code.as_str(),
        row.revision,
        tier(row.earned_tier_code.as_ref()),
        tier(row.tier_code.as_ref()),
        row.due_time,
        checkpoint.map(|at| at.day),
        checkpoint.map(|at| at.version),
        checkpoint.and_then(|at| tier(at.tier_code.as_ref())),
        checkpoint.and_then(|at| at.below_since),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The tiers of members as they were told: those who have one, and those of whom it is not known.
pub(in crate::ladders) async fn find_told_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Told>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT told.member_id AS "member_id!: MemberId", told.ladder_code AS "ladder_code!", told.tier_code,
                  told.is_current AS "is_current!"
           FROM (SELECT m.id AS member_id, l.ladder_code, r.tier_code,
                        CASE WHEN r.member_id IS NULL THEN l.swept_revision = l.revision
                             ELSE r.revision = l.revision AND coalesce(r.due_time > $3, true) END AS is_current
                 FROM ladder l CROSS JOIN unnest($2::uuid[]) AS m (id)
                 LEFT JOIN member_ladder r
                   ON r.program = l.program AND r.member_id = m.id AND r.ladder_code = l.ladder_code
                 WHERE l.program = $1 AND l.retire_time IS NULL) AS told
           WHERE told.tier_code IS NOT NULL OR NOT told.is_current
           ORDER BY told.ladder_code"#,
        program_id.as_uuid(),
        member_ids,
        now,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Told {
                member_id: row.member_id,
                ladder_code: parse_ladder_code(&row.ladder_code)?,
                tier_code: parse_tier(row.tier_code)?,
                is_current: row.is_current,
            })
        })
        .collect()
}

/// What is known of a member before they are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ladders) struct Behind {
    /// Whether the program has any ladder.
    pub(in crate::ladders) has_ladders: bool,
    /// Whether time alone, or a ladder, has changed something that was not told yet.
    pub(in crate::ladders) is_behind: bool,
}

/// Asked under the member's lock, so that no ladder that members are judged by meanwhile is missed.
pub(in crate::ladders) async fn find_behind_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    now: DateTime<Utc>,
) -> Result<Behind, StorageError> {
    Ok(sqlx::query_as!(
        Behind,
        r#"SELECT EXISTS (SELECT 1 FROM ladder l WHERE l.program = $1) AS "has_ladders!",
                  EXISTS (SELECT 1 FROM member_ladder r
                          JOIN ladder l ON l.program = r.program AND l.ladder_code = r.ladder_code
                          WHERE r.program = $1 AND r.member_id = $2
                            AND (r.revision <> l.revision OR r.due_time <= $3)) AS "is_behind!""#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        now,
    )
    .fetch_one(tx)
    .await?)
}
