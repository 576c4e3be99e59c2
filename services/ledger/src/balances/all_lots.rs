//! Lots that an account ever had, those with nothing left included.

use fealty_postgres::transact::Isolation;
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_redis::BalanceKey;
use fealty_types::{BudgetCode, Clock as _, LotId, OwnerId, Points, ProgramId, TransactionId, UnitCode};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use super::domain::{LotsOf, UnitLot};
use super::shared_reads::look_in_tx;
use crate::clock::RecordClock;
use crate::posting::LotRow;
use crate::posting::domain::OwnerState;
use crate::refusal::{LedgerError, Refusal, Resource};

/// By their ids, so that a page reads as many rows as it shows, however many an owner has emptied. What is open is shown
/// as it is by now, also where time did something that nobody has written down.
pub(super) async fn list(
    pool: &PgPool,
    key: BalanceKey,
    asked: &LotsOf,
    clock: &RecordClock,
) -> Result<Vec<UnitLot>, LedgerError> {
    // Several statements, of one instant.
    let options = TransactOptions::read_only().isolation(Isolation::RepeatableRead);
    let (read, mut lots) = transact(
        pool,
        "list_all_lots",
        Scope::Program(key.program),
        options,
        |tx| {
            in_tx(async move {
                let read = look_in_tx(&mut *tx, key, clock).await?;
                let read = read.ok_or_else(|| Refusal::not_found(Resource::Owner, key.owner))?;
                let lots = list_in_tx(tx, key.program, read.account_owner_id, asked).await?;
                Ok::<_, LedgerError>((read, lots))
            })
        },
    )
    .await?;
    let state = read.state.as_of(read.not_before(clock.now()));
    for lot in &mut lots {
        bring_up(&state, lot);
    }
    Ok(lots)
}

/// As the state has it; what is not open has nothing left.
fn bring_up(state: &OwnerState, UnitLot { unit_code, lot }: &mut UnitLot) {
    let account = state.accounts.get(unit_code);
    let open = account.and_then(|account| {
        account
            .lots
            .iter()
            .chain(&account.pending_lots)
            .find(|open| open.lot_id == lot.lot_id)
    });
    if let Some(open) = open {
        lot.clone_from(open);
    } else {
        lot.value_left = Points::ZERO;
        lot.wait = None;
    }
}

async fn list_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
    asked: &LotsOf,
) -> Result<Vec<UnitLot>, StorageError> {
    let rows = sqlx::query_as!(
        LotRow,
        r#"SELECT owner_id AS "owner_id: OwnerId", unit_code AS "unit_code: UnitCode", lot_id AS "lot_id: LotId",
                  value_left AS "value_left: Points", value_held AS "value_held: Points",
                  value_credited AS "value_credited: Points", expire_time, slides, create_time,
                  budget_code AS "budget_code: BudgetCode", begin_time, credited_by AS "credited_by: TransactionId"
           FROM lot WHERE program = $1 AND owner_id = $2 AND ($3::uuid IS NULL OR lot_id > $3)
           ORDER BY lot_id LIMIT $4"#,
        program.as_uuid(),
        owner_id.as_uuid(),
        asked.after.as_ref().map(|after| after.lot_id.as_uuid()),
        asked.count_max,
    )
    .fetch_all(tx)
    .await?;
    let lots = rows.into_iter().map(|row| UnitLot {
        unit_code: row.unit_code.clone(),
        lot: row.into(),
    });
    Ok(lots.collect())
}
