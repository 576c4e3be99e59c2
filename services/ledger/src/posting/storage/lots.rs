//! Lots in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId, UnitCode};
use sqlx::PgConnection;
use uuid::Uuid;

use super::write::{OwnerChange, all_written};
use crate::posting::domain::Lot;

/// Writes the lots that a batch opened or changed. Of most it is known whether there is a row: to let Postgres find out
/// (`ON CONFLICT`) costs three times what an update does.
pub(super) async fn write_lots_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owners: &[OwnerChange],
) -> Result<(), StorageError> {
    let changed = Columns::of(owners, |owner| &owner.lots);
    if !changed.lot_ids.is_empty() {
        update_lots_in_tx(&mut *tx, program, &changed).await?;
    }
    let new = Columns::of(owners, |owner| &owner.new_lots);
    if !new.lot_ids.is_empty() {
        insert_lots_in_tx(&mut *tx, program, &new).await?;
    }
    let returned = Columns::of(owners, |owner| &owner.returned_lots);
    if !returned.lot_ids.is_empty() {
        upsert_lots_in_tx(tx, program, &returned).await?;
    }
    Ok(())
}

async fn update_lots_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    columns: &Columns,
) -> Result<(), StorageError> {
    let written = sqlx::query!(
        r#"UPDATE lot l SET value_left = u.value_left, value_held = u.value_held, value_credited = u.value_credited,
                          expire_time = u.expire_time, slides = u.slides, pending = u.credited_by IS NOT NULL,
                          begin_time = u.begin_time, credited_by = u.credited_by
           FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[],
                       $8::boolean[], $9::timestamptz[], $10::uuid[])
                AS u (owner_id, lot_id, value_left, value_held, value_credited, expire_time, slides, begin_time,
                      credited_by)
           WHERE l.program = $1 AND l.owner_id = u.owner_id AND l.lot_id = u.lot_id"#,
        program.as_uuid(),
        &columns.owner_ids,
        &columns.lot_ids,
        &columns.left,
        &columns.held,
        &columns.credited,
        &columns.expire_times as &[Option<DateTime<Utc>>],
        &columns.slide,
        &columns.begin_times as &[Option<DateTime<Utc>>],
        &columns.credited_by as &[Option<Uuid>],
    )
    .execute(tx)
    .await?;
    all_written("lot", columns.lot_ids.len(), written.rows_affected())
}

/// Inserts lots, and does what is given where there is one already: sqlx wants literals.
macro_rules! insert_lots {
    ($otherwise:literal, $tx:ident, $program:ident, $columns:ident) => {{
        let written = sqlx::query!(
            r#"INSERT INTO lot AS l
                      (program, owner_id, lot_id, unit_code, value_left, value_held, value_credited, expire_time,
                       create_time, slides, budget_code, pending, begin_time, credited_by)
               SELECT p.program, u.owner_id, u.lot_id, u.unit_code, u.value_left, u.value_held, u.value_credited,
                      u.expire_time, u.create_time, u.slides, u.budget_code, u.credited_by IS NOT NULL, u.begin_time,
                      u.credited_by
               FROM program p, unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
                                      $8::timestamptz[], $9::timestamptz[], $10::boolean[], $11::text[],
                                      $12::timestamptz[], $13::uuid[])
                    AS u (owner_id, lot_id, unit_code, value_left, value_held, value_credited, expire_time, create_time,
                          slides, budget_code, begin_time, credited_by)
               WHERE p.program = $1 ORDER BY u.owner_id, u.lot_id "# + $otherwise,
            $program.as_uuid(),
            &$columns.owner_ids,
            &$columns.lot_ids,
            &$columns.unit_codes,
            &$columns.left,
            &$columns.held,
            &$columns.credited,
            &$columns.expire_times as &[Option<DateTime<Utc>>],
            &$columns.create_times,
            &$columns.slide,
            &$columns.budget_codes as &[Option<String>],
            &$columns.begin_times as &[Option<DateTime<Utc>>],
            &$columns.credited_by as &[Option<Uuid>],
        )
        .execute($tx)
        .await?;
        all_written("lot", $columns.lot_ids.len(), written.rows_affected())
    }};
}

/// The usual way of a credit: lots whose ids were drawn just now, so that there is nothing to look for.
async fn insert_lots_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    columns: &Columns,
) -> Result<(), StorageError> {
    insert_lots!("", tx, program, columns)
}

/// Of lots that are there already, or were once: what moves to another account keeps its id.
async fn upsert_lots_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    columns: &Columns,
) -> Result<(), StorageError> {
    insert_lots!(
        "ON CONFLICT (program, owner_id, lot_id)
         DO UPDATE SET value_left = EXCLUDED.value_left, value_held = EXCLUDED.value_held,
                       value_credited = EXCLUDED.value_credited, expire_time = EXCLUDED.expire_time,
                       slides = EXCLUDED.slides, pending = EXCLUDED.pending, begin_time = EXCLUDED.begin_time,
                       credited_by = EXCLUDED.credited_by",
        tx,
        program,
        columns
    )
}

/// The rows turned into columns.
#[derive(Default)]
struct Columns {
    owner_ids: Vec<Uuid>,
    lot_ids: Vec<Uuid>,
    unit_codes: Vec<String>,
    left: Vec<i64>,
    held: Vec<i64>,
    credited: Vec<i64>,
    expire_times: Vec<Option<DateTime<Utc>>>,
    create_times: Vec<DateTime<Utc>>,
    slide: Vec<bool>,
    budget_codes: Vec<Option<String>>,
    begin_times: Vec<Option<DateTime<Utc>>>,
    credited_by: Vec<Option<Uuid>>,
}

impl Columns {
    fn of(owners: &[OwnerChange], lots: impl Fn(&OwnerChange) -> &Vec<(UnitCode, Lot)>) -> Self {
        let mut columns = Self::default();
        for owner in owners {
            for (unit_code, lot) in lots(owner) {
                columns.push(owner.owner_id, unit_code, lot);
            }
        }
        columns
    }

    fn push(&mut self, owner_id: OwnerId, unit_code: &UnitCode, lot: &Lot) {
        self.owner_ids.push(owner_id.as_uuid());
        self.lot_ids.push(lot.lot_id.as_uuid());
        self.unit_codes.push(unit_code.to_string());
        self.left.push(lot.value_left.get());
        self.held.push(lot.value_held.get());
        self.credited.push(lot.value_credited.get());
        self.expire_times.push(lot.expire_time);
        self.create_times.push(lot.create_time);
        self.slide.push(lot.slides);
        self.budget_codes
            .push(lot.budget_code.as_ref().map(ToString::to_string));
        self.begin_times.push(lot.begin_time());
        self.credited_by
            .push(lot.wait.map(|wait| wait.credited_by.as_uuid()));
    }
}
