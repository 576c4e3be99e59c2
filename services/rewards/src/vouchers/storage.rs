//! Vouchers in the database.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId, RedemptionId, RewardId, VoucherId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Till, Used, Voucher};

struct VoucherRow {
    voucher_id: VoucherId,
    redemption_id: RedemptionId,
    member_id: MemberId,
    reward_id: RewardId,
    code: String,
    code_key: String,
    expire_time: Option<DateTime<Utc>>,
    use_time: Option<DateTime<Utc>>,
    use_source: Option<String>,
    use_receipt_id: Option<String>,
    create_time: DateTime<Utc>,
}

impl From<VoucherRow> for Voucher {
    fn from(row: VoucherRow) -> Self {
        Self {
            voucher_id: row.voucher_id,
            redemption_id: row.redemption_id,
            member_id: row.member_id,
            reward_id: row.reward_id,
            code: row.code,
            code_key: row.code_key,
            expire_time: row.expire_time,
            used: row.use_time.map(|time| Used {
                time,
                at: Till {
                    source: row.use_source.unwrap_or_default(),
                    receipt_id: row.use_receipt_id.unwrap_or_default(),
                },
            }),
            create_time: row.create_time,
        }
    }
}

/// Stores a new voucher.
pub(crate) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    voucher: &Voucher,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO voucher \
         (program, voucher_id, redemption_id, member_id, reward_id, code, code_key, expire_time, create_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        program_id.as_uuid(),
        voucher.voucher_id.as_uuid(),
        voucher.redemption_id.as_uuid(),
        voucher.member_id.as_uuid(),
        voucher.reward_id.as_uuid(),
        voucher.code,
        voucher.code_key,
        voucher.expire_time,
        voucher.create_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes that a voucher was used.
pub(super) async fn update_use_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    voucher: &Voucher,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE voucher SET use_time = $3, use_source = $4, use_receipt_id = $5 \
         WHERE program = $1 AND voucher_id = $2",
        program_id.as_uuid(),
        voucher.voucher_id.as_uuid(),
        voucher.used.as_ref().map(|used| used.time),
        voucher.used.as_ref().map(|used| used.at.source.as_str()),
        voucher.used.as_ref().map(|used| used.at.receipt_id.as_str()),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps everybody else from using it until the end of the transaction.
pub(super) async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    voucher_id: VoucherId,
) -> Result<(), StorageError> {
    sqlx::query!(
        "SELECT voucher_id FROM voucher WHERE program = $1 AND voucher_id = $2 FOR NO KEY UPDATE",
        program_id.as_uuid(),
        voucher_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(())
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    voucher_id: VoucherId,
) -> Result<Option<Voucher>, StorageError> {
    let row = sqlx::query_as!(
        VoucherRow,
        r#"SELECT voucher_id AS "voucher_id: VoucherId", redemption_id AS "redemption_id: RedemptionId",
                  member_id AS "member_id: MemberId", reward_id AS "reward_id: RewardId", code, code_key, expire_time,
                  use_time, use_source, use_receipt_id, create_time
           FROM voucher WHERE program = $1 AND voucher_id = $2"#,
        program_id.as_uuid(),
        voucher_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Voucher::from))
}

/// The voucher that is found by one of these keys; by the first of them that finds one.
pub(super) async fn find_by_code_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    keys: &[String],
) -> Result<Option<Voucher>, StorageError> {
    let row = sqlx::query_as!(
        VoucherRow,
        r#"SELECT voucher_id AS "voucher_id: VoucherId", redemption_id AS "redemption_id: RedemptionId",
                  member_id AS "member_id: MemberId", reward_id AS "reward_id: RewardId", code, code_key, expire_time,
                  use_time, use_source, use_receipt_id, create_time
           FROM voucher WHERE program = $1 AND code_key = ANY($2)
           ORDER BY array_position($2, code_key) LIMIT 1"#,
        program_id.as_uuid(),
        keys,
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Voucher::from))
}

/// Which of these keys lead to a voucher.
pub(super) async fn find_taken_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    keys: &[String],
) -> Result<HashSet<String>, StorageError> {
    let taken = sqlx::query_scalar!(
        "SELECT code_key FROM voucher WHERE program = $1 AND code_key = ANY($2)",
        program_id.as_uuid(),
        keys,
    )
    .fetch_all(tx)
    .await?;
    Ok(taken.into_iter().collect())
}

/// A page of a member's vouchers, newest first.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    after: Option<(DateTime<Utc>, VoucherId)>,
    count_max: i64,
) -> Result<Vec<Voucher>, StorageError> {
    // Nothing is newer than the largest id of the last instant.
    let (after_time, after_id) = after
        .map_or((DateTime::<Utc>::MAX_UTC, Uuid::max()), |(time, voucher_id)| {
            (time, voucher_id.as_uuid())
        });
    let rows = sqlx::query_as!(
        VoucherRow,
        r#"SELECT voucher_id AS "voucher_id: VoucherId", redemption_id AS "redemption_id: RedemptionId",
                  member_id AS "member_id: MemberId", reward_id AS "reward_id: RewardId", code, code_key, expire_time,
                  use_time, use_source, use_receipt_id, create_time
           FROM voucher WHERE program = $1 AND member_id = $2 AND (create_time, voucher_id) < ($3, $4)
           ORDER BY create_time DESC, voucher_id DESC LIMIT $5"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        after_time,
        after_id,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Voucher::from).collect())
}
