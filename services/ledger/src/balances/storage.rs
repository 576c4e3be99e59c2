//! The SQL of balances and lots.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{LotId, Points, ProgramId, UnitCode};
use sqlx::PgConnection;

use super::domain::{LotsOf, UnitLot};
use crate::posting::domain::Lot;

/// Open lots that have not ended by `now`.
pub(super) async fn list_lots_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    asked: &LotsOf,
    now: DateTime<Utc>,
) -> Result<Vec<UnitLot>, StorageError> {
    let after = asked.after.as_ref();
    let rows = sqlx::query_as!(
        LotRow,
        r#"SELECT lot_id AS "lot_id: LotId", unit_code AS "unit_code: UnitCode", value_left AS "value_left: Points",
                  value_credited AS "value_credited: Points", expire_time, create_time
           FROM lot
           WHERE program = $1 AND owner_id = $2 AND open AND (expire_time IS NULL OR expire_time > $3)
                 AND ($4::text IS NULL OR unit_code = $4)
                 AND ($5::uuid IS NULL OR (coalesce(expire_time, 'infinity'), create_time, lot_id)
                                          > (coalesce($6::timestamptz, 'infinity'), $7::timestamptz, $5))
           ORDER BY coalesce(expire_time, 'infinity'), create_time, lot_id LIMIT $8"#,
        program.as_uuid(),
        asked.owner_id.as_uuid(),
        now,
        asked.unit_code.as_ref().map(UnitCode::as_str),
        after.map(|after| after.lot_id.as_uuid()),
        after.and_then(|after| after.expire_time),
        after.map(|after| after.create_time),
        asked.count_max,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(UnitLot::from).collect())
}

struct LotRow {
    lot_id: LotId,
    unit_code: UnitCode,
    value_left: Points,
    value_credited: Points,
    expire_time: Option<DateTime<Utc>>,
    create_time: DateTime<Utc>,
}

impl From<LotRow> for UnitLot {
    fn from(row: LotRow) -> Self {
        Self {
            unit_code: row.unit_code,
            lot: Lot {
                lot_id: row.lot_id,
                value_left: row.value_left,
                value_credited: row.value_credited,
                expire_time: row.expire_time,
                create_time: row.create_time,
            },
        }
    }
}
