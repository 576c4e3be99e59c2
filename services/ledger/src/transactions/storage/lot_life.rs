//! Reads what moved a lot. Movements lie in the rows of transactions, in no index: postings would have to write into it. So
//! an owner's transactions are looked through, in the order of their versions, from the one that was recorded when the lot
//! was opened.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{LotId, OwnerId, ProgramId, TransactionId, Version};
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::posting::MovementRow;
use crate::posting::domain::{LotMovement, TransactionKind};

/// When the lot was opened, if that owner has it.
pub(in crate::transactions) async fn find_lot_time_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
    lot_id: LotId,
) -> Result<Option<DateTime<Utc>>, StorageError> {
    let time = sqlx::query_scalar!(
        "SELECT create_time FROM lot WHERE program = $1 AND owner_id = $2 AND lot_id = $3",
        program.as_uuid(),
        owner_id.as_uuid(),
        lot_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(time)
}

/// The owner's last version that was recorded before a time; zero if there is none. An owner's time never runs backwards, so
/// that it is found by halves: twenty looks for a million versions.
pub(in crate::transactions) async fn find_version_before_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
    time: DateTime<Utc>,
) -> Result<Version, StorageError> {
    let newest = super::find_version_in_tx(&mut *tx, program, owner_id).await?;
    let (mut before, mut after) = (0, newest.unwrap_or_default().get() + 1);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        let recorded = sqlx::query_scalar!(
            "SELECT record_time FROM transaction WHERE program = $1 AND owner_id = $2 AND version = $3",
            program.as_uuid(),
            owner_id.as_uuid(),
            middle,
        )
        .fetch_one(&mut *tx)
        .await?;
        if recorded < time {
            before = middle;
        } else {
            after = middle;
        }
    }
    Version::try_new(before).map_err(|error| StorageError::corrupt("transaction.version", error))
}

/// A transaction that moved the lot.
pub(in crate::transactions) struct Moving {
    pub(in crate::transactions) transaction_id: TransactionId,
    pub(in crate::transactions) version: Version,
    pub(in crate::transactions) kind: TransactionKind,
    pub(in crate::transactions) movements: Vec<LotMovement>,
    pub(in crate::transactions) occur_time: DateTime<Utc>,
    pub(in crate::transactions) record_time: DateTime<Utc>,
}

/// Those among the owner's versions from one to another.
pub(in crate::transactions) async fn list_moving_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    (owner_id, lot_id): (OwnerId, LotId),
    (from, upto): (i64, i64),
    count_max: i64,
) -> Result<Vec<Moving>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT transaction_id AS "transaction_id: TransactionId", version AS "version!: Version", kind,
                  lot_movements AS "lot_movements: Json<Vec<MovementRow>>", occur_time, record_time
           FROM transaction
           WHERE program = $1 AND owner_id = $2 AND version >= $3 AND version <= $4 AND lot_movements @> $5
           ORDER BY version LIMIT $6"#,
        program.as_uuid(),
        owner_id.as_uuid(),
        from,
        upto,
        json!([{ "lot": lot_id }]),
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = row.kind.parse::<TransactionKind>();
            Ok(Moving {
                transaction_id: row.transaction_id,
                version: row.version,
                kind: kind.map_err(|error| StorageError::corrupt("transaction.kind", error))?,
                movements: row.lot_movements.0.into_iter().map(LotMovement::from).collect(),
                occur_time: row.occur_time,
                record_time: row.record_time,
            })
        })
        .collect()
}
