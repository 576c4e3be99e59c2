//! Earning rules: what purchases earn, as data.
//!
//! A purchase is judged by the rules of its own time. Postings read them in their own transaction ([`all_in_tx`]);
//! two rules of one unit never hold at the same instant, which is decided while the program's terms are locked.

pub mod domain;
pub mod grpc;
mod storage;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{ProgramId, RuleId, SharedClock};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::refusal::{LedgerError, Refusal, Resource};
use crate::{terms, units};
use domain::{EarningRule, EndError, NewRule, RULES_PER_PROGRAM_MAX, Span, decide_end};

/// The use cases of earning rules.
#[derive(Debug, Clone)]
pub struct Rules {
    pool: PgPool,
    clock: SharedClock,
}

impl Rules {
    /// Over the service's own role.
    #[must_use]
    pub const fn new(pool: PgPool, clock: SharedClock) -> Self {
        Self { pool, clock }
    }

    /// Makes a rule.
    pub async fn create(
        &self,
        program: ProgramId,
        request: &Request,
        new: &NewRule,
    ) -> Result<Made<EarningRule>, LedgerError> {
        let now = self.clock.now();
        let rule_id = RuleId::generate_at(now);
        let options = TransactOptions::default().repeatable();
        transact(
            &self.pool,
            "create_earning_rule",
            Scope::Program(program),
            options,
            |tx| {
                in_tx(async move {
                    if let Some(made) = claim_in_tx(&mut *tx, request, rule_id.as_uuid(), now).await? {
                        return Ok(Made::before(get_made_in_tx(tx, program, made).await?));
                    }
                    terms::lock_in_tx(&mut *tx, program).await?;
                    refuse_in_tx(&mut *tx, program, new).await?;
                    let rule = EarningRule::make(rule_id, new.clone(), now);
                    storage::insert_in_tx(tx, program, &rule).await?;
                    Ok(Made::now(rule))
                })
            },
        )
        .await
    }

    /// One rule.
    pub async fn get(&self, program: ProgramId, rule_id: RuleId) -> Result<EarningRule, LedgerError> {
        let options = TransactOptions::read_only();
        transact(
            &self.pool,
            "get_earning_rule",
            Scope::Program(program),
            options,
            |tx| in_tx(async move { get_in_tx(tx, program, rule_id).await }),
        )
        .await
    }

    /// Ends a rule, at once unless a time is given.
    pub async fn end(
        &self,
        program: ProgramId,
        rule_id: RuleId,
        end_time: Option<DateTime<Utc>>,
    ) -> Result<EarningRule, LedgerError> {
        let now = self.clock.now();
        let options = TransactOptions::default().repeatable();
        transact(
            &self.pool,
            "end_earning_rule",
            Scope::Program(program),
            options,
            |tx| {
                in_tx(async move {
                    terms::lock_in_tx(&mut *tx, program).await?;
                    let mut rule = get_in_tx(&mut *tx, program, rule_id).await?;
                    if let Some(end) = decide_end(rule.span, end_time, now).map_err(end_refusal)? {
                        storage::set_end_in_tx(tx, program, rule_id, end).await?;
                        rule.span.end = Some(end);
                    }
                    Ok(rule)
                })
            },
        )
        .await
    }

    /// The rules made before one, newest first.
    pub async fn list(
        &self,
        program: ProgramId,
        before: Option<RuleId>,
        count_max: i64,
    ) -> Result<Vec<EarningRule>, LedgerError> {
        let options = TransactOptions::read_only();
        transact(
            &self.pool,
            "list_earning_rules",
            Scope::Program(program),
            options,
            |tx| in_tx(async move { Ok(storage::list_in_tx(tx, program, before, count_max).await?) }),
        )
        .await
    }
}

/// All rules of a program, whenever they hold, read in the caller's transaction. At most [`RULES_PER_PROGRAM_MAX`]. Which
/// of them hold is the purchase's to say: its time is known only once it is decided.
pub async fn all_in_tx(tx: &mut PgConnection, program: ProgramId) -> Result<Vec<EarningRule>, StorageError> {
    storage::list_all_in_tx(tx, program).await
}

/// Refuses a rule that cannot be made. The program's terms are locked, so what is seen here stays so until the commit.
async fn refuse_in_tx(tx: &mut PgConnection, program: ProgramId, new: &NewRule) -> Result<(), LedgerError> {
    if !units::exists_in_tx(&mut *tx, program, &new.unit_code).await? {
        return Err(Refusal::not_found(Resource::Unit, &new.unit_code).into());
    }
    if storage::count_in_tx(&mut *tx, program).await? >= RULES_PER_PROGRAM_MAX {
        return Err(too_many().into());
    }
    let others = storage::list_of_unit_in_tx(tx, program, &new.unit_code).await?;
    match find_overlap(&others, new.span) {
        Some(other) => Err(Refusal::RuleOverlaps(other.rule_id).into()),
        None => Ok(()),
    }
}

fn find_overlap(rules: &[EarningRule], span: Span) -> Option<&EarningRule> {
    rules.iter().find(|rule| rule.span.overlaps(span))
}

async fn get_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    rule_id: RuleId,
) -> Result<EarningRule, LedgerError> {
    let found = storage::find_in_tx(tx, program, rule_id).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::EarningRule, rule_id).into())
}

/// Rules are never deleted, so what a request made is there.
async fn get_made_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    made: Uuid,
) -> Result<EarningRule, LedgerError> {
    let rule_id =
        RuleId::try_from(made).map_err(|error| StorageError::corrupt("request.resource_id", error))?;
    get_in_tx(tx, program, rule_id).await
}

fn end_refusal(error: EndError) -> Refusal {
    Refusal::FieldInvalid {
        field: "end_time",
        description: match error {
            EndError::InThePast => "must not be in the past",
            EndError::AfterItsEnd => "must not be after the end that the rule has: an end only comes nearer",
        },
    }
}

fn too_many() -> Refusal {
    Refusal::CountExceeded {
        resource: Resource::EarningRule,
        count_max: RULES_PER_PROGRAM_MAX,
    }
}
