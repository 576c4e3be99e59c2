//! Locks owners and reads what they have.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{LotId, OwnerId, Points, ProgramId, UnitCode, Version};
use sqlx::PgConnection;
use uuid::Uuid;

use super::holds;
use crate::owners::domain::OwnerStatus;
use crate::posting::domain::{Account, ChainHash, Lot, OwnerState, Standing};

/// Locks the owners for a posting, and those whose accounts they use and who are meant by them, all in the order of their
/// ids, so that nobody waits in a circle. Answers whom it locked.
///
/// `NO KEY` is enough to keep other postings out. What was read before the lock came may be old: read again after it. An
/// owner who was led elsewhere meanwhile is led to somebody who is not locked: then it has to be done again.
pub(crate) async fn lock_owners_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
) -> Result<Vec<OwnerId>, StorageError> {
    let locked = sqlx::query_scalar!(
        r#"SELECT o.owner_id AS "owner_id: OwnerId"
           FROM owner o
           JOIN (SELECT u.owner_id FROM unnest($2::uuid[]) AS u (owner_id)
                 UNION SELECT unnest(ARRAY[n.account_owner_id, n.merged_into_owner_id]) FROM owner n
                       WHERE n.program = $1 AND n.owner_id = ANY($2) AND n.account_owner_id IS NOT NULL)
                AS named (owner_id) ON o.owner_id = named.owner_id
           WHERE o.program = $1 ORDER BY o.owner_id FOR NO KEY UPDATE OF o"#,
        program.as_uuid(),
        &uuids(owner_ids),
    )
    .fetch_all(tx)
    .await?;
    Ok(locked)
}

/// Postgres's clock, as the statement that read something began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now(pub(crate) DateTime<Utc>);

/// Reads owners with their accounts and open lots, in one statement, and with it the time. Owners that are not there
/// are not in the answer; with no owner there is no time either.
pub(crate) async fn find_states_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
) -> Result<(HashMap<OwnerId, OwnerState>, Option<Now>), StorageError> {
    // statement_timestamp() is the same for the whole statement, unlike clock_timestamp(), and later than the locks of
    // the statement before, unlike now().
    let rows = sqlx::query_as!(
        StateRow,
        r#"SELECT statement_timestamp() AS "now!", o.owner_id AS "owner_id: OwnerId", o.version AS "version: Version",
                  o.last_time, o.chain_head, o.status, o.account_owner_id AS "account_owner_id: OwnerId",
                  o.merged_into_owner_id AS "merged_into_owner_id: OwnerId", a.unit_code AS "unit_code?: UnitCode", a.available AS "available?: Points",
                  a.held AS "held?: Points", a.debt AS "debt?: Points", a.sliding_end AS "sliding_end?",
                  l.lot_id AS "lot_id?: LotId",
                  l.value_left AS "value_left?: Points", l.value_held AS "value_held?: Points",
                  l.value_credited AS "value_credited?: Points", l.expire_time AS "expire_time?",
                  l.slides AS "slides?", l.create_time AS "create_time?"
           FROM owner o
           LEFT JOIN account a ON a.program = o.program AND a.owner_id = o.owner_id
           LEFT JOIN lot l ON l.program = a.program AND l.owner_id = a.owner_id AND l.unit_code = a.unit_code
                              AND l.open
           WHERE o.program = $1 AND o.owner_id = ANY($2)
           ORDER BY o.owner_id, a.unit_code, l.expire_time NULLS LAST, l.slides, l.create_time, l.lot_id"#,
        program.as_uuid(),
        &uuids(owner_ids),
    )
    .fetch_all(&mut *tx)
    .await?;
    let now = rows.first().map(|row| Now(row.now));
    let mut states: HashMap<OwnerId, OwnerState> = HashMap::with_capacity(owner_ids.len());
    for row in rows {
        let state = match states.entry(row.owner_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(row.owner()?),
        };
        row.add_to(state)?;
    }
    add_holds_in_tx(tx, program, &mut states).await?;
    Ok((states, now))
}

/// Reads the holds of those who have something held; nobody else has one open.
async fn add_holds_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    states: &mut HashMap<OwnerId, OwnerState>,
) -> Result<(), StorageError> {
    let holds_any = |state: &OwnerState| state.accounts.values().any(|account| account.held.is_positive());
    let holders: Vec<OwnerId> = states
        .iter()
        .filter(|(_, state)| holds_any(state))
        .map(|(owner_id, _)| *owner_id)
        .collect();
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

struct StateRow {
    now: DateTime<Utc>,
    owner_id: OwnerId,
    version: Version,
    last_time: DateTime<Utc>,
    chain_head: Option<Vec<u8>>,
    status: String,
    account_owner_id: Option<OwnerId>,
    merged_into_owner_id: Option<OwnerId>,
    unit_code: Option<UnitCode>,
    available: Option<Points>,
    held: Option<Points>,
    debt: Option<Points>,
    sliding_end: Option<DateTime<Utc>>,
    lot_id: Option<LotId>,
    value_left: Option<Points>,
    value_held: Option<Points>,
    value_credited: Option<Points>,
    expire_time: Option<DateTime<Utc>>,
    slides: Option<bool>,
    create_time: Option<DateTime<Utc>>,
}

impl StateRow {
    /// The owner without accounts.
    fn owner(&self) -> Result<OwnerState, StorageError> {
        let status = self.status.parse::<OwnerStatus>();
        let chain_head = self.chain_head.clone().map(ChainHash::try_from).transpose();
        Ok(OwnerState {
            version: self.version,
            chain_head: chain_head.map_err(|error| StorageError::corrupt("owner.chain_head", error))?,
            standing: Standing {
                status: status.map_err(|error| StorageError::corrupt("owner.status", error))?,
                account_owner_id: self.account_owner_id,
                merged_into_owner_id: self.merged_into_owner_id,
            },
            ..OwnerState::opened_at(self.last_time)
        })
    }

    fn add_to(self, state: &mut OwnerState) -> Result<(), StorageError> {
        let (Some(unit_code), Some(available), Some(held), Some(debt)) =
            (self.unit_code, self.available, self.held, self.debt)
        else {
            return Ok(());
        };
        let account = state.accounts.entry(unit_code).or_insert_with(|| Account {
            available,
            held,
            debt,
            lots: vec![],
            holds: vec![],
            sliding_end: self.sliding_end,
        });
        let Some(lot_id) = self.lot_id else { return Ok(()) };
        let (Some(value_left), Some(value_held), Some(value_credited), Some(slides), Some(create_time)) = (
            self.value_left,
            self.value_held,
            self.value_credited,
            self.slides,
            self.create_time,
        ) else {
            return Err(StorageError::corrupt("lot", "a column is missing"));
        };
        account.lots.push(Lot {
            lot_id,
            value_left,
            value_held,
            value_credited,
            expire_time: self.expire_time,
            slides,
            create_time,
        });
        Ok(())
    }
}

pub(super) fn uuids<'a, T>(ids: impl IntoIterator<Item = &'a T>) -> Vec<Uuid>
where
    T: Copy + Into<Uuid> + 'a,
{
    ids.into_iter().map(|id| (*id).into()).collect()
}
