//! Accounts in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{OwnerId, Points, ProgramId, UnitCode};
use sqlx::PgConnection;
use uuid::Uuid;

use super::write::{OwnerChange, all_written};
use crate::posting::domain::Account;

/// What a batch made of one account.
#[derive(Debug)]
pub(crate) struct AccountChange {
    pub(crate) unit_code: UnitCode,
    /// Whether the owner has had none of that unit.
    pub(crate) is_new: bool,
    available: Points,
    held: Points,
    debt: Points,
    pending: Points,
    sliding_end: Option<DateTime<Utc>>,
}

impl AccountChange {
    /// Of an account as it is now, and as it was read.
    pub(crate) fn new(unit_code: &UnitCode, now: &Account, before: Option<&Account>) -> Self {
        Self {
            unit_code: unit_code.clone(),
            is_new: before.is_none(),
            available: now.available,
            held: now.held,
            debt: now.debt,
            pending: now.pending,
            sliding_end: now.sliding_end,
        }
    }
}

#[cfg(test)]
impl AccountChange {
    /// As it is read again, without its lots.
    pub(crate) fn account(&self) -> Account {
        Account {
            available: self.available,
            held: self.held,
            debt: self.debt,
            pending: self.pending,
            sliding_end: self.sliding_end,
            ..Account::default()
        }
    }
}

/// Writes the accounts that a batch opened or changed. Whether there is one is known from the read under the owner's
/// lock: to let Postgres find out (`ON CONFLICT`) would lock each row and write that down before it is changed.
pub(super) async fn write_accounts_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owners: &[OwnerChange],
) -> Result<(), StorageError> {
    let (mut new, mut changed) = (Columns::default(), Columns::default());
    for owner in owners {
        for account in &owner.accounts {
            let columns = if account.is_new { &mut new } else { &mut changed };
            columns.push(owner.owner_id, account);
        }
    }
    if !changed.owner_ids.is_empty() {
        update_accounts_in_tx(&mut *tx, program, &changed).await?;
    }
    if !new.owner_ids.is_empty() {
        insert_accounts_in_tx(tx, program, &new).await?;
    }
    Ok(())
}

/// Runs a statement about accounts: sqlx wants literals.
macro_rules! write_accounts {
    ($statement:literal, $tx:ident, $program:ident, $columns:ident) => {{
        let written = sqlx::query!(
            $statement,
            $program.as_uuid(),
            &$columns.owner_ids,
            &$columns.unit_codes,
            &$columns.available,
            &$columns.held,
            &$columns.debt,
            &$columns.pending,
            &$columns.sliding_ends as &[Option<DateTime<Utc>>],
        )
        .execute($tx)
        .await?;
        all_written("account", $columns.owner_ids.len(), written.rows_affected())
    }};
}

async fn update_accounts_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    columns: &Columns,
) -> Result<(), StorageError> {
    write_accounts!(
        r#"UPDATE account a SET available = u.available, held = u.held, debt = u.debt, pending = u.pending,
                              sliding_end = u.sliding_end
           FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                       $8::timestamptz[])
                AS u (owner_id, unit_code, available, held, debt, pending, sliding_end)
           WHERE a.program = $1 AND a.owner_id = u.owner_id AND a.unit_code = u.unit_code"#,
        tx,
        program,
        columns
    )
}

async fn insert_accounts_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    columns: &Columns,
) -> Result<(), StorageError> {
    write_accounts!(
        r#"INSERT INTO account (program, owner_id, unit_code, available, held, debt, pending, sliding_end)
           SELECT p.program, u.owner_id, u.unit_code, u.available, u.held, u.debt, u.pending, u.sliding_end
           FROM program p, unnest($2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                                  $8::timestamptz[])
                AS u (owner_id, unit_code, available, held, debt, pending, sliding_end)
           WHERE p.program = $1 ORDER BY u.owner_id, u.unit_code"#,
        tx,
        program,
        columns
    )
}

/// The rows turned into columns.
#[derive(Default)]
struct Columns {
    owner_ids: Vec<Uuid>,
    unit_codes: Vec<String>,
    available: Vec<i64>,
    held: Vec<i64>,
    debt: Vec<i64>,
    pending: Vec<i64>,
    sliding_ends: Vec<Option<DateTime<Utc>>>,
}

impl Columns {
    fn push(&mut self, owner_id: OwnerId, account: &AccountChange) {
        self.owner_ids.push(owner_id.as_uuid());
        self.unit_codes.push(account.unit_code.to_string());
        self.available.push(account.available.get());
        self.held.push(account.held.get());
        self.debt.push(account.debt.get());
        self.pending.push(account.pending.get());
        self.sliding_ends.push(account.sliding_end);
    }
}
