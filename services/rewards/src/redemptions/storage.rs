//! Redemptions in the database.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{HoldId, MemberId, Points, ProgramId, RedemptionId, RewardId, UnitCode, VoucherId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::domain::{Failure, Hold, Redemption, Step, Terms};
use crate::catalogue::domain::Price;
use crate::catalogue::{code_source_name, code_source_of};

const STEPS: [(Step, &str); 8] = [
    (Step::Begun, "BEGUN"),
    (Step::Held, "HELD"),
    (Step::Reserved, "RESERVED"),
    (Step::Capturing, "CAPTURING"),
    (Step::Captured, "CAPTURED"),
    (Step::Redeemed, "REDEEMED"),
    (Step::Undoing, "UNDOING"),
    (Step::Undone, "UNDONE"),
];

fn step_name(step: Step) -> &'static str {
    let found = STEPS.iter().find(|(known, _)| *known == step);
    found.map_or("", |(_, name)| name)
}

fn step_of(name: &str) -> Option<Step> {
    STEPS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(step, _)| *step)
}

type Details = Json<BTreeMap<String, String>>;

struct RedemptionRow {
    redemption_id: RedemptionId,
    member_id: MemberId,
    reward_id: RewardId,
    unit_code: Option<UnitCode>,
    price_value: Option<i64>,
    code_source: String,
    stock_counted: bool,
    voucher_life_days: i32,
    step: String,
    hold_id: Option<HoldId>,
    hold_unknown: bool,
    reserved: bool,
    failure_reason: Option<String>,
    failure_details: Option<Details>,
    voucher_id: Option<VoucherId>,
    create_time: DateTime<Utc>,
    end_time: Option<DateTime<Utc>>,
}

impl TryFrom<RedemptionRow> for Redemption {
    type Error = StorageError;

    fn try_from(row: RedemptionRow) -> Result<Self, StorageError> {
        let hold = match row.hold_id {
            Some(hold_id) => Hold::Known(hold_id),
            None if row.hold_unknown => Hold::Unknown,
            None => Hold::None,
        };
        let price = row
            .unit_code
            .zip(row.price_value)
            .map(|(unit_code, value)| Price {
                unit_code,
                value: Points::new(value),
            });
        let details = row.failure_details.map(|details| details.0);
        Ok(Self {
            redemption_id: row.redemption_id,
            member_id: row.member_id,
            reward_id: row.reward_id,
            terms: Terms {
                price,
                code_source: code_source_of(&row.code_source)
                    .ok_or_else(|| StorageError::corrupt("redemption.code_source", &row.code_source))?,
                stock_counted: row.stock_counted,
                voucher_life_days: row.voucher_life_days,
            },
            step: step_of(&row.step).ok_or_else(|| StorageError::corrupt("redemption.step", &row.step))?,
            hold,
            reserved: row.reserved,
            failure: row.failure_reason.map(|reason| Failure {
                reason,
                details: details.unwrap_or_default(),
            }),
            voucher_id: row.voucher_id,
            create_time: row.create_time,
            end_time: row.end_time,
        })
    }
}

pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption: &Redemption,
    lease_time: DateTime<Utc>,
) -> Result<(), StorageError> {
    let terms = &redemption.terms;
    sqlx::query!(
        "INSERT INTO redemption \
         (program, redemption_id, member_id, reward_id, unit_code, price_value, code_source, stock_counted, \
          voucher_life_days, step, hold_unknown, reserved, lease_time, create_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        program_id.as_uuid(),
        redemption.redemption_id.as_uuid(),
        redemption.member_id.as_uuid(),
        redemption.reward_id.as_uuid(),
        terms.price.as_ref().map(|price| price.unit_code.as_str()),
        terms.price.as_ref().map(|price| price.value.get()),
        code_source_name(terms.code_source),
        terms.stock_counted,
        terms.voucher_life_days,
        step_name(redemption.step),
        redemption.hold == Hold::Unknown,
        redemption.reserved,
        lease_time,
        redemption.create_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes how far a redemption is. Until `lease_time` whoever works on it is left alone; one that has ended needs none.
pub(super) async fn update_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption: &Redemption,
    lease_time: DateTime<Utc>,
) -> Result<(), StorageError> {
    let hold_id = match redemption.hold {
        Hold::Known(hold_id) => Some(hold_id.as_uuid()),
        Hold::Unknown | Hold::None => None,
    };
    let failure = redemption.failure.as_ref();
    let details = failure.map(|failure| Json(failure.details.clone()));
    sqlx::query!(
        "UPDATE redemption SET step = $3, hold_id = $4, hold_unknown = $5, reserved = $6, failure_reason = $7, \
         failure_details = $8, voucher_id = $9, end_time = $10, lease_time = $11 \
         WHERE program = $1 AND redemption_id = $2",
        program_id.as_uuid(),
        redemption.redemption_id.as_uuid(),
        step_name(redemption.step),
        hold_id,
        redemption.hold == Hold::Unknown,
        redemption.reserved,
        failure.map(|failure| failure.reason.as_str()),
        details as Option<Details>,
        redemption.voucher_id.map(|voucher_id| voucher_id.as_uuid()),
        redemption.end_time,
        (!redemption.step.is_end()).then_some(lease_time),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Leaves whoever works on a redemption alone until then. One that has ended needs none.
pub(super) async fn extend_lease_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption_id: RedemptionId,
    lease_time: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE redemption SET lease_time = $3 WHERE program = $1 AND redemption_id = $2 AND lease_time < $3",
        program_id.as_uuid(),
        redemption_id.as_uuid(),
        lease_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes redemptions on which nobody works any more, the longest left first, and keeps others from them until
/// `lease_time`. Across programs: needs the jobs' role.
///
/// What is locked is materialised: a subselect that locks could be run again, and would then take more than it may.
pub(super) async fn claim_left_in_tx(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    lease_time: DateTime<Utc>,
    count_max: i64,
) -> Result<Vec<(ProgramId, RedemptionId)>, StorageError> {
    let rows = sqlx::query!(
        r#"WITH left_behind AS MATERIALIZED (
               SELECT program, redemption_id FROM redemption WHERE lease_time <= $1
               ORDER BY lease_time LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
           UPDATE redemption SET lease_time = $2
           WHERE (program, redemption_id) IN (SELECT program, redemption_id FROM left_behind)
           RETURNING program AS "program: ProgramId", redemption_id AS "redemption_id: RedemptionId""#,
        now,
        lease_time,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.program, row.redemption_id))
        .collect())
}

/// Keeps everybody else from changing a redemption until the end of the transaction, and then reads it: what another one
/// wrote while we waited is seen.
pub(super) async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption_id: RedemptionId,
) -> Result<Option<Redemption>, StorageError> {
    sqlx::query!(
        "SELECT redemption_id FROM redemption WHERE program = $1 AND redemption_id = $2 FOR NO KEY UPDATE",
        program_id.as_uuid(),
        redemption_id.as_uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    find_in_tx(tx, program_id, redemption_id).await
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption_id: RedemptionId,
) -> Result<Option<Redemption>, StorageError> {
    sqlx::query_as!(
        RedemptionRow,
        r#"SELECT redemption_id AS "redemption_id: RedemptionId", member_id AS "member_id: MemberId",
                  reward_id AS "reward_id: RewardId", unit_code AS "unit_code: UnitCode", price_value, code_source,
                  stock_counted, voucher_life_days, step, hold_id AS "hold_id: HoldId", hold_unknown, reserved,
                  failure_reason, failure_details AS "failure_details: Details",
                  voucher_id AS "voucher_id: VoucherId", create_time, end_time
           FROM redemption WHERE program = $1 AND redemption_id = $2"#,
        program_id.as_uuid(),
        redemption_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Redemption::try_from)
    .transpose()
}

/// A page of a member's redemptions, newest first.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    after: Option<(DateTime<Utc>, RedemptionId)>,
    count_max: i64,
) -> Result<Vec<Redemption>, StorageError> {
    // Nothing is newer than the largest id of the last instant.
    let (after_time, after_id) = after.map_or((DateTime::<Utc>::MAX_UTC, Uuid::max()), |(time, id)| {
        (time, id.as_uuid())
    });
    sqlx::query_as!(
        RedemptionRow,
        r#"SELECT redemption_id AS "redemption_id: RedemptionId", member_id AS "member_id: MemberId",
                  reward_id AS "reward_id: RewardId", unit_code AS "unit_code: UnitCode", price_value, code_source,
                  stock_counted, voucher_life_days, step, hold_id AS "hold_id: HoldId", hold_unknown, reserved,
                  failure_reason, failure_details AS "failure_details: Details",
                  voucher_id AS "voucher_id: VoucherId", create_time, end_time
           FROM redemption WHERE program = $1 AND member_id = $2 AND (create_time, redemption_id) < ($3, $4)
           ORDER BY create_time DESC, redemption_id DESC LIMIT $5"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        after_time,
        after_id,
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Redemption::try_from)
    .collect()
}

/// Counts one more redemption of a reward by a member, unless they have as many as one may; 0 allows any number. Whoever
/// counts for the same member and reward meanwhile waits.
pub(super) async fn count_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption: &Redemption,
    count_max: i32,
) -> Result<bool, StorageError> {
    let counted = sqlx::query!(
        "INSERT INTO member_reward AS t (program, member_id, reward_id, redemption_count) \
         SELECT p.program, $2, $3, 1 FROM program AS p WHERE p.program = $1 \
         ON CONFLICT (program, member_id, reward_id) DO UPDATE SET redemption_count = t.redemption_count + 1 \
         WHERE $4::bigint = 0 OR t.redemption_count < $4",
        program_id.as_uuid(),
        redemption.member_id.as_uuid(),
        redemption.reward_id.as_uuid(),
        i64::from(count_max),
    )
    .execute(tx)
    .await?;
    Ok(counted.rows_affected() == 1)
}

/// Counts one less.
pub(super) async fn uncount_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption: &Redemption,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE member_reward SET redemption_count = redemption_count - 1 \
         WHERE program = $1 AND member_id = $2 AND reward_id = $3",
        program_id.as_uuid(),
        redemption.member_id.as_uuid(),
        redemption.reward_id.as_uuid(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// How often a member has redeemed a reward, redemptions under way included.
pub(super) async fn find_count_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    reward_id: RewardId,
) -> Result<i64, StorageError> {
    let count = sqlx::query_scalar!(
        "SELECT redemption_count FROM member_reward WHERE program = $1 AND member_id = $2 AND reward_id = $3",
        program_id.as_uuid(),
        member_id.as_uuid(),
        reward_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(count.unwrap_or(0))
}
