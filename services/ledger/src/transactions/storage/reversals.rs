//! Reversals in the database, and what they take back.

use std::collections::{BTreeSet, HashMap};

use fealty_postgres::StorageError;
use fealty_types::{BudgetCode, HoldId, LotId, OwnerId, Points, ProgramId, TransactionId, UnitCode};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::holds;
use crate::posting::domain::{Entry, Hold, LotMovement, TransactionKind};
use crate::posting::{EntryRow, LotRow, MovementRow};
use crate::transactions::domain::{Ground, Reversible};
use crate::transactions::reversing::Reversed;

/// Reads the transactions that are named, what was taken back of them, and the lots that they took from. All of it lies
/// under the locks of the transactions' owners.
pub(in crate::transactions) async fn load_reversed_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    mut ground: Ground,
) -> Result<Ground, StorageError> {
    let rows = find_named_in_tx(&mut *tx, program, &ground).await?;
    let held: BTreeSet<HoldId> = rows.iter().filter_map(|row| row.hold_id).collect();
    let held: Vec<HoldId> = held.into_iter().collect();
    let holds: HashMap<HoldId, Hold> = holds::find_many_in_tx(&mut *tx, program, &held)
        .await?
        .into_iter()
        .map(|found| (found.hold.hold_id, found.hold))
        .collect();
    for row in rows {
        let transaction_id = row.transaction_id;
        ground
            .transactions
            .insert(transaction_id, row.reversible(&holds)?);
    }
    let owners: BTreeSet<Uuid> = ground
        .transactions
        .values()
        .map(|found| found.owner_id.as_uuid())
        .collect();
    let owners: Vec<Uuid> = owners.into_iter().collect();
    let led = sqlx::query!(
        r#"SELECT owner_id AS "owner_id: OwnerId", account_owner_id AS "account_owner_id!: OwnerId"
           FROM owner WHERE program = $1 AND owner_id = ANY($2) AND account_owner_id IS NOT NULL"#,
        program.as_uuid(),
        &owners,
    )
    .fetch_all(&mut *tx)
    .await?;
    ground
        .accounts
        .extend(led.into_iter().map(|row| (row.owner_id, row.account_owner_id)));
    add_lots_in_tx(tx, program, ground).await
}

struct NamedRow {
    transaction_id: TransactionId,
    owner_id: OwnerId,
    kind: String,
    entries: Json<Vec<EntryRow>>,
    lot_movements: Json<Vec<MovementRow>>,
    hold_id: Option<HoldId>,
    reversed: Option<Points>,
}

impl NamedRow {
    fn reversible(self, holds: &HashMap<HoldId, Hold>) -> Result<Reversible, StorageError> {
        let kind = self.kind.parse::<TransactionKind>();
        let kind = kind.map_err(|error| StorageError::corrupt("transaction.kind", error))?;
        let entries: Vec<Entry> = self.entries.0.into_iter().map(Entry::from).collect();
        let movements: Vec<LotMovement> = self.lot_movements.0.into_iter().map(LotMovement::from).collect();
        let hold = self.hold_id.and_then(|hold_id| holds.get(&hold_id));
        Ok(Reversible {
            reversed: self.reversed.unwrap_or(Points::ZERO),
            ..Reversible::new(self.owner_id, kind, (&entries, &movements), hold)
        })
    }
}

/// The last reversal of each says how far it has come. It is looked up one by one: at the end of its part of the key.
async fn find_named_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    ground: &Ground,
) -> Result<Vec<NamedRow>, StorageError> {
    let named: Vec<Uuid> = ground.waiting.named.iter().map(TransactionId::as_uuid).collect();
    let rows = sqlx::query_as!(
        NamedRow,
        r#"SELECT t.transaction_id AS "transaction_id: TransactionId", t.owner_id AS "owner_id: OwnerId", t.kind,
                  t.entries AS "entries: Json<Vec<EntryRow>>", t.lot_movements AS "lot_movements: Json<Vec<MovementRow>>",
                  t.hold_id AS "hold_id: HoldId",
                  (SELECT r.value_before + r.value FROM reversal r
                   WHERE r.program = t.program AND r.transaction_id = t.transaction_id
                   ORDER BY r.value_before DESC LIMIT 1) AS "reversed: Points"
           FROM transaction t
           WHERE t.program = $1 AND t.transaction_id = ANY($2) AND t.version IS NOT NULL"#,
        program.as_uuid(),
        &named,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

async fn add_lots_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    mut ground: Ground,
) -> Result<Ground, StorageError> {
    let taken: BTreeSet<(OwnerId, LotId)> = ground
        .transactions
        .values()
        .flat_map(|found| found.taken_from().map(|lot_id| (found.owner_id, lot_id)))
        .collect();
    if taken.is_empty() {
        return Ok(ground);
    }
    let owner_ids: BTreeSet<Uuid> = taken
        .iter()
        .flat_map(|(owner_id, _)| [Some(owner_id), ground.accounts.get(owner_id)])
        .flatten()
        .map(OwnerId::as_uuid)
        .collect();
    let lot_ids: BTreeSet<Uuid> = taken.iter().map(|(_, lot_id)| lot_id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        LotRow,
        r#"SELECT owner_id AS "owner_id: OwnerId", unit_code AS "unit_code: UnitCode", lot_id AS "lot_id: LotId",
                  value_left AS "value_left: Points", value_held AS "value_held: Points",
                  value_credited AS "value_credited: Points", expire_time, slides, create_time,
                  budget_code AS "budget_code: BudgetCode", begin_time, credited_by AS "credited_by: TransactionId"
           FROM lot WHERE program = $1 AND owner_id = ANY($2) AND lot_id = ANY($3)"#,
        program.as_uuid(),
        &owner_ids.into_iter().collect::<Vec<Uuid>>(),
        &lot_ids.into_iter().collect::<Vec<Uuid>>(),
    )
    .fetch_all(tx)
    .await?;
    for row in rows {
        let known = ground.lots.entry(row.lot_id).or_default();
        known.insert(row.owner_id, row.into());
    }
    let is_known = |(owner_id, lot_id): &(OwnerId, LotId)| {
        let known = ground.lots.get(lot_id);
        known.is_some_and(|known| known.contains_key(owner_id))
    };
    match taken.iter().find(|key| !is_known(key)) {
        None => Ok(ground),
        Some((_, lot_id)) => Err(StorageError::corrupt(
            "lot",
            format!("{lot_id} was moved, and has no row"),
        )),
    }
}

/// Writes what was taken back.
pub(in crate::transactions) async fn insert_reversals_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    rows: &[Reversed],
) -> Result<(), StorageError> {
    let transaction_ids: Vec<Uuid> = rows.iter().map(|row| row.new.transaction_id.as_uuid()).collect();
    let before: Vec<i64> = rows.iter().map(|row| row.new.value_before.get()).collect();
    let values: Vec<i64> = rows.iter().map(|row| row.new.value.get()).collect();
    let reversal_ids: Vec<Uuid> = rows.iter().map(|row| row.reversal_id.as_uuid()).collect();
    let written = sqlx::query!(
        r#"INSERT INTO reversal AS r (program, transaction_id, value_before, value, reversal_id)
           SELECT p.program, u.transaction_id, u.value_before, u.value, u.reversal_id
           FROM program p, unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::uuid[])
                AS u (transaction_id, value_before, value, reversal_id)
           WHERE p.program = $1 ORDER BY u.transaction_id, u.value_before"#,
        program.as_uuid(),
        &transaction_ids,
        &before,
        &values,
        &reversal_ids,
    )
    .execute(tx)
    .await?;
    if u64::try_from(rows.len()) == Ok(written.rows_affected()) {
        Ok(())
    } else {
        let written = written.rows_affected();
        Err(StorageError::corrupt(
            "reversal",
            format!("{written} of {} rows were written", rows.len()),
        ))
    }
}
