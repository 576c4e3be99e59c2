//! Units in the database.

mod expiry;
mod transfers;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{Points, ProgramId, UnitCode, UnitScale};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::domain::{EndedLotPolicy, ExpiryPolicy, ShortfallPolicy, Unit, UnitTerms};
use expiry::ExpiryRow;
use transfers::TransferRow;

/// Written down and read back by the same two functions.
const DEBT: &str = "DEBT";
const WAIVE: &str = "WAIVE";

fn policy_name(policy: ShortfallPolicy) -> &'static str {
    match policy {
        ShortfallPolicy::Debt => DEBT,
        ShortfallPolicy::Waive => WAIVE,
    }
}

fn policy_of(name: &str) -> Result<ShortfallPolicy, StorageError> {
    match name {
        DEBT => Ok(ShortfallPolicy::Debt),
        WAIVE => Ok(ShortfallPolicy::Waive),
        other => Err(StorageError::corrupt("unit.shortfall_policy", other)),
    }
}

const GONE: &str = "GONE";
const AS_EARNED_NOW: &str = "AS_EARNED_NOW";

fn ended_name(policy: EndedLotPolicy) -> &'static str {
    match policy {
        EndedLotPolicy::Gone => GONE,
        EndedLotPolicy::AsEarnedNow => AS_EARNED_NOW,
    }
}

fn ended_of(name: &str) -> Result<EndedLotPolicy, StorageError> {
    match name {
        GONE => Ok(EndedLotPolicy::Gone),
        AS_EARNED_NOW => Ok(EndedLotPolicy::AsEarnedNow),
        other => Err(StorageError::corrupt("unit.ended_lot_policy", other)),
    }
}

struct TermsRow {
    unit_code: UnitCode,
    scale: i32,
    expiry_policy: Option<Json<ExpiryRow>>,
    shortfall_policy: String,
    debt_max: i64,
    transfer_rules: Option<Json<TransferRow>>,
    ended_lot_policy: String,
}

impl TryFrom<TermsRow> for UnitTerms {
    type Error = StorageError;

    fn try_from(row: TermsRow) -> Result<Self, StorageError> {
        Ok(Self {
            code: row.unit_code,
            scale: UnitScale::try_from(row.scale)
                .map_err(|error| StorageError::corrupt("unit.scale", error))?,
            expiry_policy: row
                .expiry_policy
                .map_or(Ok(ExpiryPolicy::Never), |Json(row)| row.into_policy())?,
            shortfall_policy: policy_of(&row.shortfall_policy)?,
            debt_max: Points::new(row.debt_max),
            transfer_rules: row.transfer_rules.map(|Json(row)| row.into()),
            ended_lot_policy: ended_of(&row.ended_lot_policy)?,
        })
    }
}

struct UnitRow {
    unit_code: UnitCode,
    display_name: String,
    scale: i32,
    expiry_policy: Option<Json<ExpiryRow>>,
    shortfall_policy: String,
    debt_max: i64,
    transfer_rules: Option<Json<TransferRow>>,
    ended_lot_policy: String,
    expire_notice_days: i32,
    revision: i64,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
}

impl TryFrom<UnitRow> for Unit {
    type Error = StorageError;

    fn try_from(row: UnitRow) -> Result<Self, StorageError> {
        Ok(Self {
            terms: TermsRow {
                unit_code: row.unit_code,
                scale: row.scale,
                expiry_policy: row.expiry_policy,
                shortfall_policy: row.shortfall_policy,
                debt_max: row.debt_max,
                transfer_rules: row.transfer_rules,
                ended_lot_policy: row.ended_lot_policy,
            }
            .try_into()?,
            display_name: row.display_name,
            expire_notice_days: row.expire_notice_days,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

fn expiry_row(terms: &UnitTerms) -> Option<Json<ExpiryRow>> {
    ExpiryRow::of(&terms.expiry_policy).map(Json)
}

fn transfer_row(terms: &UnitTerms) -> Option<Json<TransferRow>> {
    terms.transfer_rules.as_ref().map(|rules| Json(rules.into()))
}

/// Writes a new unit. False when the program has one of that code.
pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    unit_id: Uuid,
    unit: &Unit,
) -> Result<bool, StorageError> {
    let inserted = sqlx::query!(
        "INSERT INTO unit (program, unit_code, unit_id, display_name, scale, expiry_policy, shortfall_policy, \
         debt_max, revision, create_time, update_time, expire_notice_days, transfer_rules, ended_lot_policy) \
         SELECT p.program, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 FROM program AS p WHERE p.program = $1 \
         ON CONFLICT (program, unit_code) DO NOTHING",
        program.as_uuid(),
        unit.terms.code.as_str(),
        unit_id,
        unit.display_name,
        i32::from(unit.terms.scale),
        expiry_row(&unit.terms) as Option<Json<ExpiryRow>>,
        policy_name(unit.terms.shortfall_policy),
        unit.terms.debt_max.get(),
        unit.revision,
        unit.create_time,
        unit.update_time,
        unit.expire_notice_days,
        transfer_row(&unit.terms) as Option<Json<TransferRow>>,
        ended_name(unit.terms.ended_lot_policy),
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Writes the fields that may change.
pub(super) async fn update_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    unit: &Unit,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE unit SET display_name = $3, expiry_policy = $4, shortfall_policy = $5, debt_max = $6, \
         revision = $7, update_time = $8, expire_notice_days = $9, transfer_rules = $10, ended_lot_policy = $11 \
         WHERE program = $1 AND unit_code = $2",
        program.as_uuid(),
        unit.terms.code.as_str(),
        unit.display_name,
        expiry_row(&unit.terms) as Option<Json<ExpiryRow>>,
        policy_name(unit.terms.shortfall_policy),
        unit.terms.debt_max.get(),
        unit.revision,
        unit.update_time,
        unit.expire_notice_days,
        transfer_row(&unit.terms) as Option<Json<TransferRow>>,
        ended_name(unit.terms.ended_lot_policy),
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    code: &UnitCode,
) -> Result<Option<Unit>, StorageError> {
    sqlx::query_as!(
        UnitRow,
        r#"SELECT unit_code AS "unit_code: UnitCode", display_name, scale, expiry_policy AS "expiry_policy: Json<ExpiryRow>",
                  shortfall_policy, debt_max, transfer_rules AS "transfer_rules: Json<TransferRow>", ended_lot_policy,
                  expire_notice_days, revision, create_time, update_time
           FROM unit WHERE program = $1 AND unit_code = $2"#,
        program.as_uuid(),
        code.as_str(),
    )
    .fetch_optional(tx)
    .await?
    .map(Unit::try_from)
    .transpose()
}

/// The unit that a request made.
pub(super) async fn find_made_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    unit_id: Uuid,
) -> Result<Option<Unit>, StorageError> {
    sqlx::query_as!(
        UnitRow,
        r#"SELECT unit_code AS "unit_code: UnitCode", display_name, scale, expiry_policy AS "expiry_policy: Json<ExpiryRow>",
                  shortfall_policy, debt_max, transfer_rules AS "transfer_rules: Json<TransferRow>", ended_lot_policy,
                  expire_notice_days, revision, create_time, update_time
           FROM unit WHERE program = $1 AND unit_id = $2"#,
        program.as_uuid(),
        unit_id,
    )
    .fetch_optional(tx)
    .await?
    .map(Unit::try_from)
    .transpose()
}

/// The units after a code, by code.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    after: Option<&UnitCode>,
    count_max: i64,
) -> Result<Vec<Unit>, StorageError> {
    sqlx::query_as!(
        UnitRow,
        r#"SELECT unit_code AS "unit_code: UnitCode", display_name, scale, expiry_policy AS "expiry_policy: Json<ExpiryRow>",
                  shortfall_policy, debt_max, transfer_rules AS "transfer_rules: Json<TransferRow>", ended_lot_policy,
                  expire_notice_days, revision, create_time, update_time
           FROM unit WHERE program = $1 AND ($2::text IS NULL OR unit_code > $2)
           ORDER BY unit_code LIMIT $3"#,
        program.as_uuid(),
        after.map(UnitCode::as_str),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Unit::try_from)
    .collect()
}

pub(super) async fn count_in_tx(tx: &mut PgConnection, program: ProgramId) -> Result<i64, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM unit WHERE program = $1"#,
        program.as_uuid()
    )
    .fetch_one(tx)
    .await?)
}

pub(super) async fn list_terms_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
) -> Result<Vec<UnitTerms>, StorageError> {
    sqlx::query_as!(
        TermsRow,
        r#"SELECT unit_code AS "unit_code: UnitCode", scale, expiry_policy AS "expiry_policy: Json<ExpiryRow>",
                  shortfall_policy, debt_max, transfer_rules AS "transfer_rules: Json<TransferRow>", ended_lot_policy
           FROM unit WHERE program = $1"#,
        program.as_uuid(),
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(UnitTerms::try_from)
    .collect()
}

/// The units whose ends are told ahead, and how many days.
pub(super) async fn list_notice_days_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
) -> Result<Vec<(UnitCode, i32)>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT unit_code AS "unit_code: UnitCode", expire_notice_days
           FROM unit WHERE program = $1 AND expire_notice_days > 0"#,
        program.as_uuid(),
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.unit_code, row.expire_notice_days))
        .collect())
}
