//! Rewards in the database.

pub(super) mod codes;
pub(super) mod stock;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{Points, ProgramId, RewardId, UnitCode, Version};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ListRange;
use super::domain::{CodeSource, Price, Reward, RewardStatus, Terms};

pub(crate) const fn code_source_name(code_source: CodeSource) -> &'static str {
    match code_source {
        CodeSource::Generated => "GENERATED",
        CodeSource::Pool => "POOL",
    }
}

pub(crate) fn code_source_of(name: &str) -> Option<CodeSource> {
    match name {
        "GENERATED" => Some(CodeSource::Generated),
        "POOL" => Some(CodeSource::Pool),
        _ => None,
    }
}

const fn status_name(status: RewardStatus) -> &'static str {
    match status {
        RewardStatus::Draft => "DRAFT",
        RewardStatus::Active => "ACTIVE",
        RewardStatus::Ended => "ENDED",
    }
}

fn status_of(name: &str) -> Option<RewardStatus> {
    match name {
        "DRAFT" => Some(RewardStatus::Draft),
        "ACTIVE" => Some(RewardStatus::Active),
        "ENDED" => Some(RewardStatus::Ended),
        _ => None,
    }
}

struct RewardRow {
    reward_id: RewardId,
    display_name: String,
    description: String,
    unit_code: Option<UnitCode>,
    price_value: Option<i64>,
    status: String,
    start_time: Option<DateTime<Utc>>,
    end_time: Option<DateTime<Utc>>,
    tier_codes: Vec<String>,
    per_member_count_max: i32,
    code_source: String,
    voucher_life_days: i32,
    stock_unlimited: bool,
    stock_left: i64,
    revision: i64,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
}

impl TryFrom<RewardRow> for Reward {
    type Error = StorageError;

    fn try_from(row: RewardRow) -> Result<Self, StorageError> {
        let tier_codes: Result<Vec<_>, _> = row.tier_codes.iter().map(|code| code.parse()).collect();
        let price = row
            .unit_code
            .zip(row.price_value)
            .map(|(unit_code, value)| Price {
                unit_code,
                value: Points::new(value),
            });
        Ok(Self {
            reward_id: row.reward_id,
            terms: Terms {
                display_name: row.display_name,
                description: row.description,
                price,
                status: status_of(&row.status)
                    .ok_or_else(|| StorageError::corrupt("reward.status", &row.status))?,
                start_time: row.start_time,
                end_time: row.end_time,
                tier_codes: tier_codes.map_err(|error| StorageError::corrupt("reward.tier_codes", error))?,
                per_member_count_max: row.per_member_count_max,
                voucher_life_days: row.voucher_life_days,
            },
            code_source: code_source_of(&row.code_source)
                .ok_or_else(|| StorageError::corrupt("reward.code_source", &row.code_source))?,
            stock_unlimited: row.stock_unlimited,
            stock_left: row.stock_left,
            revision: Version::try_new(row.revision)
                .map_err(|error| StorageError::corrupt("reward.revision", error))?,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

fn tier_codes(terms: &Terms) -> Vec<String> {
    terms.tier_codes.iter().map(ToString::to_string).collect()
}

pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward: &Reward,
) -> Result<(), StorageError> {
    let terms = &reward.terms;
    sqlx::query!(
        "INSERT INTO reward \
         (program, reward_id, display_name, description, unit_code, price_value, status, start_time, end_time, \
          tier_codes, per_member_count_max, code_source, voucher_life_days, stock_unlimited, revision, create_time, \
          update_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        program_id.as_uuid(),
        reward.reward_id.as_uuid(),
        terms.display_name,
        terms.description,
        terms.price.as_ref().map(|price| price.unit_code.as_str()),
        terms.price.as_ref().map(|price| price.value.get()),
        status_name(terms.status),
        terms.start_time,
        terms.end_time,
        &tier_codes(terms),
        terms.per_member_count_max,
        code_source_name(reward.code_source),
        terms.voucher_life_days,
        reward.stock_unlimited,
        reward.revision.get(),
        reward.create_time,
        reward.update_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn update_terms_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward: &Reward,
) -> Result<(), StorageError> {
    let terms = &reward.terms;
    sqlx::query!(
        "UPDATE reward SET display_name = $3, description = $4, unit_code = $5, price_value = $6, status = $7, \
         start_time = $8, end_time = $9, tier_codes = $10, per_member_count_max = $11, voucher_life_days = $12, \
         revision = $13, update_time = $14 \
         WHERE program = $1 AND reward_id = $2",
        program_id.as_uuid(),
        reward.reward_id.as_uuid(),
        terms.display_name,
        terms.description,
        terms.price.as_ref().map(|price| price.unit_code.as_str()),
        terms.price.as_ref().map(|price| price.value.get()),
        status_name(terms.status),
        terms.start_time,
        terms.end_time,
        &tier_codes(terms),
        terms.per_member_count_max,
        terms.voucher_life_days,
        reward.revision.get(),
        reward.update_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps everybody else from changing the terms until the end of the transaction. False when the program has no such
/// reward.
pub(super) async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
) -> Result<bool, StorageError> {
    let locked = sqlx::query!(
        "SELECT reward_id FROM reward WHERE program = $1 AND reward_id = $2 FOR NO KEY UPDATE",
        program_id.as_uuid(),
        reward_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(locked.is_some())
}

/// A reward with what is left of it.
pub(crate) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
) -> Result<Option<Reward>, StorageError> {
    sqlx::query_as!(
        RewardRow,
        r#"SELECT r.reward_id AS "reward_id: RewardId", display_name, description,
                  unit_code AS "unit_code: UnitCode", price_value, status, start_time, end_time, tier_codes,
                  per_member_count_max, code_source, voucher_life_days, stock_unlimited, stock_left, revision,
                  create_time, update_time
           FROM reward AS r JOIN reward_stock AS s ON s.program = r.program AND s.reward_id = r.reward_id
           WHERE r.program = $1 AND r.reward_id = $2"#,
        program_id.as_uuid(),
        reward_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Reward::try_from)
    .transpose()
}

/// A page of rewards, in the order in which they were added.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    range: ListRange,
    count_max: i64,
) -> Result<Vec<Reward>, StorageError> {
    // Nil lies before every id.
    let (after_time, after_id) = range
        .after
        .map_or((DateTime::UNIX_EPOCH, Uuid::nil()), |(time, reward_id)| {
            (time, reward_id.as_uuid())
        });
    sqlx::query_as!(
        RewardRow,
        r#"SELECT r.reward_id AS "reward_id: RewardId", display_name, description,
                  unit_code AS "unit_code: UnitCode", price_value, status, start_time, end_time, tier_codes,
                  per_member_count_max, code_source, voucher_life_days, stock_unlimited, stock_left, revision,
                  create_time, update_time
           FROM reward AS r JOIN reward_stock AS s ON s.program = r.program AND s.reward_id = r.reward_id
           WHERE r.program = $1 AND (r.create_time, r.reward_id) > ($2, $3)
             AND ($4::timestamptz IS NULL
                  OR (r.status = 'ACTIVE' AND (r.start_time IS NULL OR r.start_time <= $4)
                      AND (r.end_time IS NULL OR $4 < r.end_time)))
           ORDER BY r.create_time, r.reward_id LIMIT $5"#,
        program_id.as_uuid(),
        after_time,
        after_id,
        range.offered_at,
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Reward::try_from)
    .collect()
}
