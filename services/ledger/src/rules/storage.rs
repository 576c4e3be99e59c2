//! Earning rules in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{ProgramId, Rate, Rounding, RuleId, UnitCode};
use sqlx::PgConnection;

use super::domain::{Cashback, EarningRule, Span};

const DOWN: &str = "DOWN";
const HALF_EVEN: &str = "HALF_EVEN";
const HALF_UP: &str = "HALF_UP";

fn rounding_name(rounding: Rounding) -> Result<&'static str, StorageError> {
    match rounding {
        Rounding::Down => Ok(DOWN),
        Rounding::HalfEven => Ok(HALF_EVEN),
        Rounding::HalfUp => Ok(HALF_UP),
        // No caller can ask for it.
        Rounding::Up => Err(StorageError::corrupt(
            "earning_rule.rounding",
            "no rule rounds up",
        )),
    }
}

fn rounding_of(name: &str) -> Result<Rounding, StorageError> {
    match name {
        DOWN => Ok(Rounding::Down),
        HALF_EVEN => Ok(Rounding::HalfEven),
        HALF_UP => Ok(Rounding::HalfUp),
        other => Err(StorageError::corrupt("earning_rule.rounding", other)),
    }
}

struct RuleRow {
    rule_id: RuleId,
    display_name: String,
    unit_code: UnitCode,
    rate: Rate,
    rounding: String,
    start_time: Option<DateTime<Utc>>,
    end_time: Option<DateTime<Utc>>,
    create_time: DateTime<Utc>,
}

impl TryFrom<RuleRow> for EarningRule {
    type Error = StorageError;

    fn try_from(row: RuleRow) -> Result<Self, StorageError> {
        Ok(Self {
            rule_id: row.rule_id,
            display_name: row.display_name,
            unit_code: row.unit_code,
            cashback: Cashback {
                rate: row.rate,
                rounding: rounding_of(&row.rounding)?,
            },
            span: Span {
                start: row.start_time,
                end: row.end_time,
            },
            create_time: row.create_time,
        })
    }
}

pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    rule: &EarningRule,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO earning_rule \
         (program, rule_id, display_name, unit_code, rate, rounding, start_time, end_time, create_time) \
         SELECT p.program, $2, $3, $4, $5, $6, $7, $8, $9 FROM program AS p WHERE p.program = $1",
        program.as_uuid(),
        rule.rule_id.as_uuid(),
        rule.display_name,
        rule.unit_code.as_str(),
        rule.cashback.rate.to_string(),
        rounding_name(rule.cashback.rounding)?,
        rule.span.start,
        rule.span.end,
        rule.create_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn set_end_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    rule_id: RuleId,
    end_time: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE earning_rule SET end_time = $3 WHERE program = $1 AND rule_id = $2",
        program.as_uuid(),
        rule_id.as_uuid(),
        end_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    rule_id: RuleId,
) -> Result<Option<EarningRule>, StorageError> {
    sqlx::query_as!(
        RuleRow,
        r#"SELECT rule_id AS "rule_id: RuleId", display_name, unit_code AS "unit_code: UnitCode",
                  rate AS "rate: Rate", rounding, start_time, end_time, create_time
           FROM earning_rule WHERE program = $1 AND rule_id = $2"#,
        program.as_uuid(),
        rule_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(EarningRule::try_from)
    .transpose()
}

/// The rules of a unit. At most as many as a program may have.
pub(super) async fn list_of_unit_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    unit_code: &UnitCode,
) -> Result<Vec<EarningRule>, StorageError> {
    sqlx::query_as!(
        RuleRow,
        r#"SELECT rule_id AS "rule_id: RuleId", display_name, unit_code AS "unit_code: UnitCode",
                  rate AS "rate: Rate", rounding, start_time, end_time, create_time
           FROM earning_rule WHERE program = $1 AND unit_code = $2 ORDER BY rule_id"#,
        program.as_uuid(),
        unit_code.as_str(),
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(EarningRule::try_from)
    .collect()
}

/// All rules of a program. At most as many as it may have.
pub(super) async fn list_all_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
) -> Result<Vec<EarningRule>, StorageError> {
    sqlx::query_as!(
        RuleRow,
        r#"SELECT rule_id AS "rule_id: RuleId", display_name, unit_code AS "unit_code: UnitCode",
                  rate AS "rate: Rate", rounding, start_time, end_time, create_time
           FROM earning_rule WHERE program = $1"#,
        program.as_uuid(),
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(EarningRule::try_from)
    .collect()
}

/// The rules made before one, newest first.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    before: Option<RuleId>,
    count_max: i64,
) -> Result<Vec<EarningRule>, StorageError> {
    sqlx::query_as!(
        RuleRow,
        r#"SELECT rule_id AS "rule_id: RuleId", display_name, unit_code AS "unit_code: UnitCode",
                  rate AS "rate: Rate", rounding, start_time, end_time, create_time
           FROM earning_rule WHERE program = $1 AND ($2::uuid IS NULL OR rule_id < $2)
           ORDER BY rule_id DESC LIMIT $3"#,
        program.as_uuid(),
        before.map(|rule_id| rule_id.as_uuid()),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(EarningRule::try_from)
    .collect()
}

pub(super) async fn count_in_tx(tx: &mut PgConnection, program: ProgramId) -> Result<i64, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM earning_rule WHERE program = $1"#,
        program.as_uuid()
    )
    .fetch_one(tx)
    .await?)
}
