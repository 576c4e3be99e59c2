//! Budgets: how much a campaign, a partner or the program gives at the most.
//!
//! A posting that a budget pays for locks its row after the owners (`lock_in_tx`), decides by what is left
//! ([`Funds`]), and writes what is used then (`write_used_in_tx`): one lock for a whole batch. What transactions say is
//! the record; the row only sums it up, and `fealty verify` holds it to them.

pub mod domain;
mod funds;
pub mod grpc;
mod storage;

use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{BudgetCode, OwnerId, ProgramId, SharedClock};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::refusal::{LedgerError, Refusal, Resource};
use crate::{owners, terms, units};
use domain::{BUDGETS_PER_PROGRAM_MAX, Budget, BudgetChange, Contradiction, NewBudget};
pub use funds::{Fund, Funds};
pub(crate) use storage::{lock_idle_in_tx, lock_in_tx, write_used_in_tx};

/// The use cases of budgets.
#[derive(Debug, Clone)]
pub struct Budgets {
    pool: PgPool,
    clock: SharedClock,
}

impl Budgets {
    /// Over the service's own role.
    #[must_use]
    pub const fn new(pool: PgPool, clock: SharedClock) -> Self {
        Self { pool, clock }
    }

    /// Sets a budget up.
    pub async fn create(
        &self,
        program: ProgramId,
        request: &Request,
        new: &NewBudget,
    ) -> Result<Made<Budget>, LedgerError> {
        let now = self.clock.now();
        let budget_id = Uuid::new_v4();
        let options = TransactOptions::default().repeatable();
        transact(
            &self.pool,
            "create_budget",
            Scope::Program(program),
            options,
            |tx| {
                in_tx(async move {
                    if let Some(made) = claim_in_tx(&mut *tx, request, budget_id, now).await? {
                        return Ok(Made::before(get_made_in_tx(tx, program, made).await?));
                    }
                    terms::lock_in_tx(&mut *tx, program).await?;
                    require_fit_in_tx(&mut *tx, program, new).await?;
                    let budget = Budget::new(new.clone(), now);
                    if storage::insert_in_tx(&mut *tx, program, budget_id, &budget).await? {
                        Ok(Made::now(budget))
                    } else {
                        Err(Refusal::exists(Resource::Budget, &new.code).into())
                    }
                })
            },
        )
        .await
    }

    /// One budget.
    pub async fn get(&self, program: ProgramId, code: &BudgetCode) -> Result<Budget, LedgerError> {
        let options = TransactOptions::read_only();
        transact(&self.pool, "get_budget", Scope::Program(program), options, |tx| {
            in_tx(async move {
                let found = storage::find_in_tx(tx, program, code).await?;
                found.ok_or_else(|| Refusal::not_found(Resource::Budget, code).into())
            })
        })
        .await
    }

    /// Changes a budget, if `revision` (where given) is still its newest.
    pub async fn update(
        &self,
        program: ProgramId,
        code: &BudgetCode,
        revision: Option<i64>,
        change: &BudgetChange,
    ) -> Result<Budget, LedgerError> {
        let now = self.clock.now();
        let options = TransactOptions::default();
        transact(
            &self.pool,
            "update_budget",
            Scope::Program(program),
            options,
            |tx| {
                in_tx(async move {
                    let budget = storage::find_locked_in_tx(&mut *tx, program, code).await?;
                    let budget = budget.ok_or_else(|| Refusal::not_found(Resource::Budget, code))?;
                    if revision.is_some_and(|revision| revision != budget.revision) {
                        return Err(Refusal::etag_mismatch(Resource::Budget, code).into());
                    }
                    let budget = budget.changed(change.clone(), now).map_err(refusal_of)?;
                    storage::update_in_tx(tx, program, &budget).await?;
                    Ok(budget)
                })
            },
        )
        .await
    }

    /// The budgets after a code, by code.
    pub async fn list(
        &self,
        program: ProgramId,
        after: Option<&BudgetCode>,
        count_max: i64,
    ) -> Result<Vec<Budget>, LedgerError> {
        let options = TransactOptions::read_only();
        transact(
            &self.pool,
            "list_budgets",
            Scope::Program(program),
            options,
            |tx| in_tx(async move { Ok(storage::list_in_tx(tx, program, after, count_max).await?) }),
        )
        .await
    }
}

/// Refuses one more than there may be, and what names a unit or partner that is none.
async fn require_fit_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    new: &NewBudget,
) -> Result<(), LedgerError> {
    if storage::count_in_tx(&mut *tx, program).await? >= BUDGETS_PER_PROGRAM_MAX {
        return Err(Refusal::CountExceeded {
            resource: Resource::Budget,
            count_max: BUDGETS_PER_PROGRAM_MAX,
        }
        .into());
    }
    if !units::exists_in_tx(&mut *tx, program, &new.unit_code).await? {
        return Err(Refusal::not_found(Resource::Unit, &new.unit_code).into());
    }
    match new.partner_id {
        Some(partner_id) => require_partner_in_tx(tx, program, partner_id).await,
        None => Ok(()),
    }
}

async fn require_partner_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    partner_id: OwnerId,
) -> Result<(), LedgerError> {
    if owners::is_partner_in_tx(tx, program, partner_id).await? {
        Ok(())
    } else {
        Err(Refusal::FieldInvalid {
            field: "budget.partner_id",
            description: "must be an owner of kind partner",
        }
        .into())
    }
}

/// Budgets are never deleted, so what a request made is there.
async fn get_made_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    budget_id: Uuid,
) -> Result<Budget, LedgerError> {
    let found = storage::find_made_in_tx(tx, program, budget_id).await?;
    found.ok_or_else(|| StorageError::corrupt("request.resource_id", "there is no such budget").into())
}

const fn refusal_of(contradiction: Contradiction) -> Refusal {
    match contradiction {
        Contradiction::BelowUsed => Refusal::FieldInvalid {
            field: "budget.value_max",
            description: "must not be less than what is used",
        },
        Contradiction::EndsFirst => Refusal::FieldInvalid {
            field: "budget.end_time",
            description: "must be after begin_time",
        },
    }
}
