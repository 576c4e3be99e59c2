//! Holds in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{HoldId, OwnerId, Points, ProgramId, UnitCode};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::rows::PinRow;
use super::state::uuids;
use super::write::{OwnerChange, all_written};
use crate::posting::domain::{Hold, HoldStatus, Pin};

/// The open holds of owners, each with its owner, in the order in which they end; those included whose time has passed.
pub(super) async fn find_open_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
) -> Result<Vec<(OwnerId, Hold)>, StorageError> {
    sqlx::query_as!(
        HoldRow,
        r#"SELECT hold_id AS "hold_id: HoldId", owner_id AS "owner_id: OwnerId", unit_code AS "unit_code: UnitCode",
                  value AS "value: Points", captured_value AS "captured: Points", status, expire_time, create_time, source,
                  on_behalf_of AS "on_behalf_of: OwnerId", pins AS "pins: Json<Vec<PinRow>>"
           FROM hold WHERE program = $1 AND owner_id = ANY($2) AND status = 'open' ORDER BY expire_time, hold_id"#,
        program.as_uuid(),
        &uuids(owner_ids),
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(HoldRow::into_hold)
    .collect()
}

/// Writes the holds that a batch made or changed. Of a hold that is there already, what it claims and what became of it.
pub(super) async fn upsert_holds_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owners: &[OwnerChange],
) -> Result<(), StorageError> {
    let mut holds: Vec<(OwnerId, &Hold)> = owners
        .iter()
        .flat_map(|owner| owner.holds.iter().map(|hold| (owner.owner_id, hold)))
        .collect();
    if holds.is_empty() {
        return Ok(());
    }
    holds.sort_unstable_by_key(|(_, hold)| hold.hold_id);
    let hold_ids: Vec<Uuid> = column(&holds, |_, hold| hold.hold_id.as_uuid());
    let pins: Vec<Json<Vec<PinRow>>> = column(&holds, |_, hold| {
        Json(hold.pins.iter().map(PinRow::from).collect())
    });
    let on_behalf_of: Vec<Option<Uuid>> = column(&holds, |_, hold| hold.on_behalf_of.map(Uuid::from));
    let written = sqlx::query!(
        r#"INSERT INTO hold AS h
                  (program, hold_id, owner_id, unit_code, value, captured_value, status, expire_time, create_time, source,
                   on_behalf_of, pins)
           SELECT p.program, u.hold_id, u.owner_id, u.unit_code, u.value, u.captured_value, u.status, u.expire_time,
                  u.create_time, u.source, u.on_behalf_of, u.pins
           FROM program p, unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::text[],
                                  $8::timestamptz[], $9::timestamptz[], $10::text[], $11::uuid[], $12::jsonb[])
                AS u (hold_id, owner_id, unit_code, value, captured_value, status, expire_time, create_time, source,
                      on_behalf_of, pins)
           WHERE p.program = $1 ORDER BY u.hold_id
           ON CONFLICT (program, hold_id)
           DO UPDATE SET captured_value = EXCLUDED.captured_value, status = EXCLUDED.status, pins = EXCLUDED.pins"#,
        program.as_uuid(),
        &hold_ids,
        &column(&holds, |owner_id, _| owner_id.as_uuid()),
        &column(&holds, |_, hold| hold.unit_code.to_string()),
        &column(&holds, |_, hold| hold.value.get()),
        &column(&holds, |_, hold| hold.captured.get()),
        &column(&holds, |_, hold| hold.status.to_string()),
        &column(&holds, |_, hold| hold.expire_time),
        &column(&holds, |_, hold| hold.create_time),
        &column(&holds, |_, hold| hold.source.clone()),
        &on_behalf_of as &[Option<Uuid>],
        &pins as &[Json<Vec<PinRow>>],
    )
    .execute(tx)
    .await?;
    all_written("hold", holds.len(), written.rows_affected())
}

fn column<T>(holds: &[(OwnerId, &Hold)], value: impl Fn(OwnerId, &Hold) -> T) -> Vec<T> {
    holds
        .iter()
        .map(|(owner_id, hold)| value(*owner_id, hold))
        .collect()
}

/// A row of the table.
pub(crate) struct HoldRow {
    pub(crate) hold_id: HoldId,
    pub(crate) owner_id: OwnerId,
    pub(crate) unit_code: UnitCode,
    pub(crate) value: Points,
    pub(crate) captured: Points,
    pub(crate) status: String,
    pub(crate) expire_time: DateTime<Utc>,
    pub(crate) create_time: DateTime<Utc>,
    pub(crate) source: String,
    pub(crate) on_behalf_of: Option<OwnerId>,
    pub(crate) pins: Json<Vec<PinRow>>,
}

impl HoldRow {
    /// The hold, and whose it is.
    pub(crate) fn into_hold(self) -> Result<(OwnerId, Hold), StorageError> {
        let status = self.status.parse::<HoldStatus>();
        let hold = Hold {
            hold_id: self.hold_id,
            unit_code: self.unit_code,
            value: self.value,
            captured: self.captured,
            status: status.map_err(|error| StorageError::corrupt("hold.status", error))?,
            expire_time: self.expire_time,
            create_time: self.create_time,
            source: self.source,
            on_behalf_of: self.on_behalf_of,
            pins: self.pins.0.into_iter().map(Pin::from).collect(),
        };
        Ok((self.owner_id, hold))
    }
}
