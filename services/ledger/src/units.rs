//! Units: what a program counts, and on what terms.
//!
//! Postings read the terms in their own transaction ([`terms_in_tx`]), so a change holds for every posting that is
//! decided after it was confirmed. There is no copy in memory that could be older than that: a program has a handful of
//! units, and one statement reads them for a whole batch.

pub mod domain;
pub mod grpc;
mod storage;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_rpc::access::ProgramContext;
use fealty_types::{ProgramId, SharedClock, UnitCode};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::refusal::{LedgerError, Refusal, Resource};
use crate::terms;
use domain::{ExpiryPolicy, NewUnit, UNITS_PER_PROGRAM_MAX, Unit, UnitChange, UnitTerms};

/// The use cases of units.
#[derive(Debug, Clone)]
pub struct Units {
    pool: PgPool,
    clock: SharedClock,
}

impl Units {
    /// Over the service's own role.
    #[must_use]
    pub const fn new(pool: PgPool, clock: SharedClock) -> Self {
        Self { pool, clock }
    }

    /// Defines a unit.
    pub async fn create(
        &self,
        program: &ProgramContext,
        request: &Request,
        new: &NewUnit,
    ) -> Result<Made<Unit>, LedgerError> {
        let (program, zone) = (program.program_id, program.time_zone);
        let now = self.clock.now();
        let unit_id = Uuid::new_v4();
        let options = TransactOptions::default().repeatable();
        transact(
            &self.pool,
            "create_unit",
            Scope::Program(program),
            options,
            |tx| {
                in_tx(async move {
                    if let Some(made) = claim_in_tx(&mut *tx, request, unit_id, now).await? {
                        return Ok(Made::before(get_made_in_tx(tx, program, made).await?));
                    }
                    terms::lock_in_tx(&mut *tx, program).await?;
                    if storage::count_in_tx(&mut *tx, program).await? >= UNITS_PER_PROGRAM_MAX {
                        return Err(too_many().into());
                    }
                    require_ahead(&new.terms.expiry_policy, now, zone)?;
                    let unit = Unit::define(new.clone(), now);
                    if storage::insert_in_tx(&mut *tx, program, unit_id, &unit).await? {
                        Ok(Made::now(unit))
                    } else {
                        Err(Refusal::exists(Resource::Unit, &unit.terms.code).into())
                    }
                })
            },
        )
        .await
    }

    /// One unit.
    pub async fn get(&self, program: ProgramId, code: &UnitCode) -> Result<Unit, LedgerError> {
        let options = TransactOptions::read_only();
        transact(&self.pool, "get_unit", Scope::Program(program), options, |tx| {
            in_tx(async move { get_in_tx(tx, program, code).await })
        })
        .await
    }

    /// Changes a unit, if `revision` (where given) is still its newest.
    pub async fn update(
        &self,
        program: &ProgramContext,
        code: &UnitCode,
        revision: Option<i64>,
        change: &UnitChange,
    ) -> Result<Unit, LedgerError> {
        let (program, zone) = (program.program_id, program.time_zone);
        let now = self.clock.now();
        let options = TransactOptions::default();
        transact(
            &self.pool,
            "update_unit",
            Scope::Program(program),
            options,
            |tx| {
                in_tx(async move {
                    terms::lock_in_tx(&mut *tx, program).await?;
                    let unit = get_in_tx(&mut *tx, program, code).await?;
                    if revision.is_some_and(|revision| revision != unit.revision) {
                        return Err(Refusal::etag_mismatch(Resource::Unit, code).into());
                    }
                    // What it has already may have passed since.
                    let policy = change.expiry_policy;
                    if let Some(policy) = policy.filter(|policy| *policy != unit.terms.expiry_policy) {
                        require_ahead(&policy, now, zone)?;
                    }
                    let unit = unit.changed(change.clone(), now);
                    storage::update_in_tx(tx, program, &unit).await?;
                    Ok(unit)
                })
            },
        )
        .await
    }

    /// The units after a code, by code.
    pub async fn list(
        &self,
        program: ProgramId,
        after: Option<&UnitCode>,
        count_max: i64,
    ) -> Result<Vec<Unit>, LedgerError> {
        let options = TransactOptions::read_only();
        transact(&self.pool, "list_units", Scope::Program(program), options, |tx| {
            in_tx(async move { Ok(storage::list_in_tx(tx, program, after, count_max).await?) })
        })
        .await
    }
}

/// The terms of all units of a program, read in the caller's transaction. At most [`UNITS_PER_PROGRAM_MAX`].
pub async fn terms_in_tx(tx: &mut PgConnection, program: ProgramId) -> Result<Vec<UnitTerms>, StorageError> {
    storage::list_terms_in_tx(tx, program).await
}

/// How long ahead of their ends points are told of; units that are not told of are not in it.
pub async fn notice_times_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
) -> Result<BTreeMap<UnitCode, TimeDelta>, StorageError> {
    let days = storage::list_notice_days_in_tx(tx, program).await?;
    Ok(days
        .into_iter()
        .map(|(unit_code, days)| (unit_code, TimeDelta::days(days.into())))
        .collect())
}

/// Whether the program has such a unit, seen in the caller's transaction.
pub async fn exists_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    code: &UnitCode,
) -> Result<bool, StorageError> {
    Ok(storage::find_in_tx(tx, program, code).await?.is_some())
}

async fn get_in_tx(tx: &mut PgConnection, program: ProgramId, code: &UnitCode) -> Result<Unit, LedgerError> {
    let found = storage::find_in_tx(tx, program, code).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::Unit, code).into())
}

/// Units are never deleted, so what a request made is there.
async fn get_made_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    unit_id: Uuid,
) -> Result<Unit, LedgerError> {
    let found = storage::find_made_in_tx(tx, program, unit_id).await?;
    found.ok_or_else(|| StorageError::corrupt("request.resource_id", "there is no such unit").into())
}

/// Refuses a day that has passed: nobody could keep what they earn.
fn require_ahead(policy: &ExpiryPolicy, now: DateTime<Utc>, zone: Tz) -> Result<(), Refusal> {
    if policy.has_passed(now, zone) {
        return Err(Refusal::FieldInvalid {
            field: "unit.expiry_policy.on_date",
            description: "must not have passed",
        });
    }
    Ok(())
}

fn too_many() -> Refusal {
    Refusal::CountExceeded {
        resource: Resource::Unit,
        count_max: UNITS_PER_PROGRAM_MAX,
    }
}
