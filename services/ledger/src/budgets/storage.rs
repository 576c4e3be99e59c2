//! Budgets in the database.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{BudgetCode, OwnerId, Points, ProgramId, UnitCode};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Budget, NewBudget, Span};
use super::funds::{Fund, Funds};

struct BudgetRow {
    budget_code: BudgetCode,
    display_name: String,
    unit_code: UnitCode,
    value_max: Points,
    value_used: Points,
    partner_id: Option<OwnerId>,
    begin_time: Option<DateTime<Utc>>,
    end_time: Option<DateTime<Utc>>,
    revision: i64,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
}

impl From<BudgetRow> for Budget {
    fn from(row: BudgetRow) -> Self {
        Self {
            terms: NewBudget {
                code: row.budget_code,
                display_name: row.display_name,
                unit_code: row.unit_code,
                value_max: row.value_max,
                partner_id: row.partner_id,
                span: Span {
                    begin: row.begin_time,
                    end: row.end_time,
                },
            },
            used: row.value_used,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        }
    }
}

struct FundRow {
    budget_code: BudgetCode,
    unit_code: UnitCode,
    value_max: Points,
    value_used: Points,
    begin_time: Option<DateTime<Utc>>,
    end_time: Option<DateTime<Utc>>,
}

impl From<FundRow> for (BudgetCode, Fund) {
    fn from(row: FundRow) -> Self {
        let fund = Fund {
            unit_code: row.unit_code,
            value_max: row.value_max,
            used: row.value_used,
            span: Span {
                begin: row.begin_time,
                end: row.end_time,
            },
        };
        (row.budget_code, fund)
    }
}

fn texts(codes: &BTreeSet<BudgetCode>) -> Vec<String> {
    codes.iter().map(ToString::to_string).collect()
}

/// Locks the budgets that a posting names, in the order of their codes, after its owners. Whoever waited for a lock gets
/// the row as it is then. Those that are not there are not in the answer.
pub(crate) async fn lock_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    codes: &BTreeSet<BudgetCode>,
) -> Result<Funds, StorageError> {
    if codes.is_empty() {
        return Ok(Funds::default());
    }
    let rows = sqlx::query_as!(
        FundRow,
        r#"SELECT budget_code AS "budget_code: BudgetCode", unit_code AS "unit_code: UnitCode",
                  value_max AS "value_max: Points", value_used AS "value_used: Points", begin_time, end_time
           FROM budget WHERE program = $1 AND budget_code = ANY($2) ORDER BY budget_code FOR NO KEY UPDATE"#,
        program.as_uuid(),
        &texts(codes),
    )
    .fetch_all(tx)
    .await?;
    Ok(Funds::of(rows.into_iter().map(Into::into).collect()))
}

/// The same with those that nobody else has locked; answers also the codes of the others.
pub(crate) async fn lock_idle_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    codes: &BTreeSet<BudgetCode>,
) -> Result<(Funds, BTreeSet<BudgetCode>), StorageError> {
    if codes.is_empty() {
        return Ok((Funds::default(), BTreeSet::new()));
    }
    let rows = sqlx::query_as!(
        FundRow,
        r#"SELECT budget_code AS "budget_code: BudgetCode", unit_code AS "unit_code: UnitCode",
                  value_max AS "value_max: Points", value_used AS "value_used: Points", begin_time, end_time
           FROM budget WHERE program = $1 AND budget_code = ANY($2)
           ORDER BY budget_code FOR NO KEY UPDATE SKIP LOCKED"#,
        program.as_uuid(),
        &texts(codes),
    )
    .fetch_all(&mut *tx)
    .await?;
    let funds: BTreeMap<BudgetCode, Fund> = rows.into_iter().map(Into::into).collect();
    if funds.len() == codes.len() {
        return Ok((Funds::of(funds), BTreeSet::new()));
    }
    let mut busy = list_existing_in_tx(tx, program, codes).await?;
    busy.retain(|code| !funds.contains_key(code));
    Ok((Funds::of(funds), busy))
}

async fn list_existing_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    codes: &BTreeSet<BudgetCode>,
) -> Result<BTreeSet<BudgetCode>, StorageError> {
    let existing = sqlx::query_scalar!(
        r#"SELECT budget_code AS "budget_code: BudgetCode" FROM budget WHERE program = $1 AND budget_code = ANY($2)"#,
        program.as_uuid(),
        &texts(codes),
    )
    .fetch_all(tx)
    .await?;
    Ok(existing.into_iter().collect())
}

/// Writes what is used of the budgets that a posting changed.
pub(crate) async fn write_used_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    funds: &Funds,
) -> Result<(), StorageError> {
    let (codes, used): (Vec<String>, Vec<i64>) = funds
        .changed()
        .map(|(code, used)| (code.to_string(), used.get()))
        .unzip();
    if codes.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        r#"UPDATE budget b SET value_used = u.value_used
           FROM unnest($2::text[], $3::bigint[]) AS u (budget_code, value_used)
           WHERE b.program = $1 AND b.budget_code = u.budget_code"#,
        program.as_uuid(),
        &codes,
        &used,
    )
    .execute(tx)
    .await?;
    if usize::try_from(written.rows_affected()) == Ok(codes.len()) {
        Ok(())
    } else {
        Err(StorageError::corrupt("budget", "a row that is locked is gone"))
    }
}

/// Writes a new budget. False when the program has one of that code.
pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    budget_id: Uuid,
    budget: &Budget,
) -> Result<bool, StorageError> {
    let terms = &budget.terms;
    let inserted = sqlx::query!(
        "INSERT INTO budget (program, budget_code, budget_id, display_name, unit_code, value_max, value_used, partner_id, \
         begin_time, end_time, revision, create_time, update_time) \
         SELECT p.program, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM program AS p WHERE p.program = $1 \
         ON CONFLICT (program, budget_code) DO NOTHING",
        program.as_uuid(),
        terms.code.as_str(),
        budget_id,
        terms.display_name,
        terms.unit_code.as_str(),
        terms.value_max.get(),
        budget.used.get(),
        terms.partner_id.map(Uuid::from),
        terms.span.begin,
        terms.span.end,
        budget.revision,
        budget.create_time,
        budget.update_time,
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Writes the fields that a call may change.
pub(super) async fn update_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    budget: &Budget,
) -> Result<(), StorageError> {
    let terms = &budget.terms;
    sqlx::query!(
        "UPDATE budget SET display_name = $3, value_max = $4, begin_time = $5, end_time = $6, revision = $7, \
         update_time = $8 WHERE program = $1 AND budget_code = $2",
        program.as_uuid(),
        terms.code.as_str(),
        terms.display_name,
        terms.value_max.get(),
        terms.span.begin,
        terms.span.end,
        budget.revision,
        budget.update_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Which budgets are read. A program has so few of them that one statement serves all, and an index none.
#[derive(Debug, Default)]
struct Which<'a> {
    code: Option<&'a BudgetCode>,
    budget_id: Option<Uuid>,
    after: Option<&'a BudgetCode>,
}

/// Those for which all that is said of them is true, by code.
async fn select_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    which: Which<'_>,
    count_max: i64,
) -> Result<Vec<Budget>, StorageError> {
    let rows = sqlx::query_as!(
        BudgetRow,
        r#"SELECT budget_code AS "budget_code: BudgetCode", display_name, unit_code AS "unit_code: UnitCode",
                  value_max AS "value_max: Points", value_used AS "value_used: Points",
                  partner_id AS "partner_id: OwnerId", begin_time, end_time, revision, create_time, update_time
           FROM budget WHERE program = $1 AND ($2::text IS NULL OR budget_code = $2)
             AND ($3::uuid IS NULL OR budget_id = $3) AND ($4::text IS NULL OR budget_code > $4)
           ORDER BY budget_code LIMIT $5"#,
        program.as_uuid(),
        which.code.map(BudgetCode::as_str),
        which.budget_id,
        which.after.map(BudgetCode::as_str),
        count_max,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Budget::from).collect())
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    code: &BudgetCode,
) -> Result<Option<Budget>, StorageError> {
    let which = Which {
        code: Some(code),
        ..Which::default()
    };
    Ok(select_in_tx(tx, program, which, 1).await?.pop())
}

/// The same, and keeps postings from it until this transaction ends.
pub(super) async fn find_locked_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    code: &BudgetCode,
) -> Result<Option<Budget>, StorageError> {
    lock_in_tx(&mut *tx, program, &BTreeSet::from([code.clone()])).await?;
    find_in_tx(tx, program, code).await
}

/// The budget that a request made.
pub(super) async fn find_made_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    budget_id: Uuid,
) -> Result<Option<Budget>, StorageError> {
    let which = Which {
        budget_id: Some(budget_id),
        ..Which::default()
    };
    Ok(select_in_tx(tx, program, which, 1).await?.pop())
}

/// The budgets after a code, by code.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    after: Option<&BudgetCode>,
    count_max: i64,
) -> Result<Vec<Budget>, StorageError> {
    let which = Which {
        after,
        ..Which::default()
    };
    select_in_tx(tx, program, which, count_max).await
}

pub(super) async fn count_in_tx(tx: &mut PgConnection, program: ProgramId) -> Result<i64, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM budget WHERE program = $1"#,
        program.as_uuid()
    )
    .fetch_one(tx)
    .await?)
}
