//! Reads what owners have.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{BudgetCode, LotId, OwnerId, Points, ProgramId, TransactionId, UnitCode, Version};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::holds;
use super::lot_row::LotRow;
use crate::owners::domain::OwnerStatus;
use crate::posting::domain::{Account, ChainHash, OwnerState, Standing};
use crate::spending::LimitRow;

/// Postgres's clock, as the statement that read something began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now(pub(crate) DateTime<Utc>);

/// Reads owners with their accounts, open lots and open holds, and with it the time. Owners that are not there are not in
/// the answer; with no owner there is no time either.
///
/// These are statements of one table each: a join of them, planned while the tables are small, reads all of a program. So
/// they have to be of one instant, under the owners' locks or in a REPEATABLE READ transaction.
pub(crate) async fn find_states_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
) -> Result<(HashMap<OwnerId, OwnerState>, Option<Now>), StorageError> {
    let owner_ids = uuids(owner_ids);
    // statement_timestamp() is the same for the whole statement, unlike clock_timestamp(), and later than the locks of
    // the statement before, unlike now().
    let rows = sqlx::query_as!(
        OwnerRow,
        r#"SELECT statement_timestamp() AS "now!", owner_id AS "owner_id: OwnerId", version AS "version: Version",
                  last_time, chain_head, status, account_owner_id AS "account_owner_id: OwnerId",
                  merged_into_owner_id AS "merged_into_owner_id: OwnerId",
                  spending_limits AS "spending_limits: Json<Vec<LimitRow>>"
           FROM owner WHERE program = $1 AND owner_id = ANY($2)"#,
        program.as_uuid(),
        &owner_ids,
    )
    .fetch_all(&mut *tx)
    .await?;
    let now = rows.first().map(|row| Now(row.now));
    let mut states: HashMap<OwnerId, OwnerState> = HashMap::with_capacity(rows.len());
    for row in rows {
        let owner_id = row.owner_id;
        states.insert(owner_id, row.owner()?);
    }
    let owner_ids: Vec<OwnerId> = states.keys().copied().collect();
    add_holdings_in_tx(tx, program, &owner_ids, &mut states).await?;
    Ok((states, now))
}

/// Locks owners in the order of their ids, and reads them without what they have, by the lock that is given: sqlx wants
/// literals. `NO KEY` is enough to keep other postings out.
macro_rules! lock_owners {
    ($lock:literal, $tx:ident, $program:ident, $owner_ids:ident) => {{
        let rows = sqlx::query_as!(
            OwnerRow,
            r#"SELECT now() AS "now!", owner_id AS "owner_id: OwnerId", version AS "version: Version",
                      last_time, chain_head, status, account_owner_id AS "account_owner_id: OwnerId",
                      merged_into_owner_id AS "merged_into_owner_id: OwnerId",
                      spending_limits AS "spending_limits: Json<Vec<LimitRow>>"
               FROM owner WHERE program = $1 AND owner_id = ANY($2) ORDER BY owner_id "#
                + $lock,
            $program.as_uuid(),
            &uuids($owner_ids),
        )
        .fetch_all($tx)
        .await?;
        rows.into_iter()
            .map(|row| Ok((row.owner_id, row.owner()?)))
            .collect()
    }};
}

/// Waits for whoever has them. What comes is as it is under the lock, whatever it was when the wait began.
pub(super) async fn lock_rows_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
) -> Result<HashMap<OwnerId, OwnerState>, StorageError> {
    lock_owners!("FOR NO KEY UPDATE", tx, program, owner_ids)
}

/// Without any wait: those whom nobody else has locked.
pub(super) async fn lock_idle_rows_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
) -> Result<HashMap<OwnerId, OwnerState>, StorageError> {
    lock_owners!("FOR NO KEY UPDATE SKIP LOCKED", tx, program, owner_ids)
}

/// Adds what these of the owners have, who are locked or seen by a REPEATABLE READ transaction.
pub(crate) async fn add_holdings_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
    states: &mut HashMap<OwnerId, OwnerState>,
) -> Result<(), StorageError> {
    if owner_ids.is_empty() {
        return Ok(());
    }
    let ids = uuids(owner_ids);
    add_accounts_in_tx(&mut *tx, program, &ids, states).await?;
    add_lots_in_tx(&mut *tx, program, &ids, states).await?;
    add_holds_in_tx(tx, program, owner_ids, states).await
}

async fn add_accounts_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[Uuid],
    states: &mut HashMap<OwnerId, OwnerState>,
) -> Result<(), StorageError> {
    let rows = sqlx::query!(
        r#"SELECT owner_id AS "owner_id: OwnerId", unit_code AS "unit_code: UnitCode", available AS "available: Points",
                  held AS "held: Points", debt AS "debt: Points", pending AS "pending: Points", sliding_end
           FROM account WHERE program = $1 AND owner_id = ANY($2)"#,
        program.as_uuid(),
        owner_ids,
    )
    .fetch_all(tx)
    .await?;
    for row in rows {
        let account = Account {
            available: row.available,
            held: row.held,
            debt: row.debt,
            pending: row.pending,
            lots: Vec::new(),
            pending_lots: Vec::new(),
            holds: Vec::new(),
            sliding_end: row.sliding_end,
        };
        let state = states.get_mut(&row.owner_id);
        let state = state.ok_or_else(|| StorageError::corrupt("account", "it has no owner"))?;
        state.accounts.insert(row.unit_code, account);
    }
    Ok(())
}

/// Reads the open lots: those that count in the order in which they are spent, those that wait in that in which they
/// begin.
async fn add_lots_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[Uuid],
    states: &mut HashMap<OwnerId, OwnerState>,
) -> Result<(), StorageError> {
    let rows = sqlx::query_as!(
        LotRow,
        r#"SELECT owner_id AS "owner_id: OwnerId", unit_code AS "unit_code: UnitCode", lot_id AS "lot_id: LotId",
                  value_left AS "value_left: Points", value_held AS "value_held: Points",
                  value_credited AS "value_credited: Points", expire_time, slides, create_time,
                  budget_code AS "budget_code: BudgetCode", begin_time, credited_by AS "credited_by: TransactionId"
           FROM lot WHERE program = $1 AND owner_id = ANY($2) AND open
           ORDER BY owner_id, unit_code, begin_time NULLS LAST, expire_time NULLS LAST, slides, create_time, lot_id"#,
        program.as_uuid(),
        owner_ids,
    )
    .fetch_all(tx)
    .await?;
    for row in rows {
        let state = states.get_mut(&row.owner_id);
        let account = state.and_then(|state| state.accounts.get_mut(&row.unit_code));
        let account = account.ok_or_else(|| StorageError::corrupt("lot", "it has no account"))?;
        account.keep(row.into());
    }
    Ok(())
}

/// What was ever credited to an owner's lots of these ids that are not open.
pub(crate) async fn find_closed_lots_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
    lot_ids: &[LotId],
) -> Result<BTreeMap<LotId, Points>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT lot_id AS "lot_id: LotId", value_credited AS "value_credited: Points"
           FROM lot WHERE program = $1 AND owner_id = $2 AND lot_id = ANY($3) AND NOT open"#,
        program.as_uuid(),
        owner_id.as_uuid(),
        &uuids(lot_ids),
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.lot_id, row.value_credited))
        .collect())
}

/// Reads the holds of those who have something held; nobody else has one open.
async fn add_holds_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
    states: &mut HashMap<OwnerId, OwnerState>,
) -> Result<(), StorageError> {
    let holds_any = |state: &OwnerState| state.accounts.values().any(|account| account.held.is_positive());
    let holders = owner_ids
        .iter()
        .filter(|owner_id| states.get(owner_id).is_some_and(holds_any));
    let holders: Vec<OwnerId> = holders.copied().collect();
    if holders.is_empty() {
        return Ok(());
    }
    for (owner_id, hold) in holds::find_open_in_tx(tx, program, &holders).await? {
        let state = states.get_mut(&owner_id);
        let account = state.and_then(|state| state.accounts.get_mut(&hold.unit_code));
        let account = account.ok_or_else(|| StorageError::corrupt("hold", "it has no account"))?;
        account.holds.push(hold);
    }
    Ok(())
}

struct OwnerRow {
    now: DateTime<Utc>,
    owner_id: OwnerId,
    version: Version,
    last_time: DateTime<Utc>,
    chain_head: Option<Vec<u8>>,
    status: String,
    account_owner_id: Option<OwnerId>,
    merged_into_owner_id: Option<OwnerId>,
    spending_limits: Option<Json<Vec<LimitRow>>>,
}

impl OwnerRow {
    /// The owner without accounts.
    fn owner(self) -> Result<OwnerState, StorageError> {
        let status = self.status.parse::<OwnerStatus>();
        let limits = self
            .spending_limits
            .map(|Json(rows)| LimitRow::limits(rows))
            .transpose()?;
        let chain_head = self.chain_head.map(ChainHash::try_from).transpose();
        Ok(OwnerState {
            version: self.version,
            chain_head: chain_head.map_err(|error| StorageError::corrupt("owner.chain_head", error))?,
            standing: Standing {
                status: status.map_err(|error| StorageError::corrupt("owner.status", error))?,
                account_owner_id: self.account_owner_id,
                merged_into_owner_id: self.merged_into_owner_id,
            },
            limits: limits.map(Arc::new),
            ..OwnerState::opened_at(self.last_time)
        })
    }
}

pub(super) fn uuids<'a, T>(ids: impl IntoIterator<Item = &'a T>) -> Vec<Uuid>
where
    T: Copy + Into<Uuid> + 'a,
{
    ids.into_iter().map(|id| (*id).into()).collect()
}
