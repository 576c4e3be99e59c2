//! Reads holds by their ids. The posting room writes them.

use fealty_postgres::StorageError;
use fealty_types::{HoldId, OwnerId, Points, ProgramId, UnitCode};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::domain::OwnersHold;
use crate::posting::{HoldRow, PinRow};

/// Those that are there, in no order.
pub(super) async fn find_many_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    hold_ids: &[HoldId],
) -> Result<Vec<OwnersHold>, StorageError> {
    let hold_ids: Vec<Uuid> = hold_ids.iter().map(HoldId::as_uuid).collect();
    let rows = sqlx::query_as!(
        HoldRow,
        r#"SELECT hold_id AS "hold_id: HoldId", owner_id AS "owner_id: OwnerId", unit_code AS "unit_code: UnitCode",
                  value AS "value: Points", captured_value AS "captured: Points", status, expire_time, create_time, source,
                  on_behalf_of AS "on_behalf_of: OwnerId", pins AS "pins: Json<Vec<PinRow>>"
           FROM hold WHERE program = $1 AND hold_id = ANY($2)"#,
        program.as_uuid(),
        &hold_ids,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let (owner_id, hold) = row.into_hold()?;
            Ok(OwnersHold { owner_id, hold })
        })
        .collect()
}
