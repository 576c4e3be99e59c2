//! Loyalty programs: the tenants that everything else belongs to.

pub mod domain;
pub mod grpc;
pub(crate) mod storage;

use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{ProgramId, SharedClock, Version};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::access::domain::RecordKind;
use crate::access::note_change_in_tx;
use crate::ladders;
use crate::refusal::{MembersError, Refusal, Resource};
use domain::{NewProgram, Program, ProgramChange};

/// What can be done with programs.
#[derive(Debug, Clone)]
pub struct Programs {
    service: PgPool,
    jobs: PgPool,
    clock: SharedClock,
}

impl Programs {
    /// Over the pools of the service's role (one program at a time) and of the jobs' role (all of them).
    #[must_use]
    pub const fn new(service: PgPool, jobs: PgPool, clock: SharedClock) -> Self {
        Self { service, jobs, clock }
    }

    /// Creates a program.
    pub async fn create(&self, request: &Request, new: NewProgram) -> Result<Made<Program>, MembersError> {
        let now = self.clock.now();
        let program = &new.start(ProgramId::generate_at(now), now);
        let options = TransactOptions::default().repeatable();
        transact(&self.jobs, "create_program", Scope::Suite, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, program.program_id.as_uuid(), now).await?;
                if let Some(made) = claimed {
                    return find_made_in_tx(tx, made).await.map(Made::before);
                }
                insert_in_tx(tx, program).await?;
                Ok(Made::now(program.clone()))
            })
        })
        .await
    }

    /// A program.
    pub async fn get(&self, program_id: ProgramId) -> Result<Program, MembersError> {
        let scope = Scope::Program(program_id);
        let found = transact(
            &self.service,
            "get_program",
            scope,
            TransactOptions::read_only(),
            |tx| in_tx(async move { storage::find_in_tx(tx, program_id).await }),
        )
        .await?;
        found.ok_or_else(|| Refusal::not_found(Resource::Program, program_id).into())
    }

    /// Changes a program, if it still is at the revision that the change is meant for.
    pub async fn update(
        &self,
        program_id: ProgramId,
        meant_for: Option<Version>,
        change: &ProgramChange,
    ) -> Result<Program, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        transact(
            &self.service,
            "update_program",
            scope,
            TransactOptions::default(),
            |tx| {
                in_tx(async move {
                    let current = storage::lock_in_tx(&mut *tx, program_id)
                        .await?
                        .ok_or_else(|| Refusal::not_found(Resource::Program, program_id))?;
                    if meant_for.is_some_and(|revision| revision != current.revision) {
                        return Err(Refusal::etag_mismatch(Resource::Program, program_id).into());
                    }
                    let Some(changed) = current.changed(change, now) else {
                        return Ok(current);
                    };
                    storage::update_in_tx(&mut *tx, &changed).await?;
                    if changed.time_zone != current.time_zone {
                        // Their days end at other instants from here on.
                        ladders::distrust_in_tx(&mut *tx, program_id).await?;
                    }
                    note_in_tx(tx, program_id).await?;
                    Ok(changed)
                })
            },
        )
        .await
    }

    /// The programs after one, oldest first.
    pub async fn list(&self, after: Option<ProgramId>, count_max: i64) -> Result<Vec<Program>, MembersError> {
        let options = TransactOptions::read_only();
        transact(&self.jobs, "list_programs", Scope::Suite, options, |tx| {
            in_tx(async move { Ok(storage::list_in_tx(tx, after, count_max).await?) })
        })
        .await
    }
}

/// Inserts a program together with its change.
pub(crate) async fn insert_in_tx(tx: &mut PgConnection, program: &Program) -> Result<(), MembersError> {
    storage::insert_in_tx(&mut *tx, program).await?;
    note_in_tx(tx, program.program_id).await
}

async fn note_in_tx(tx: &mut PgConnection, program_id: ProgramId) -> Result<(), MembersError> {
    let id = program_id.as_uuid();
    Ok(note_change_in_tx(tx, id, RecordKind::Program, id).await?)
}

async fn find_made_in_tx(tx: &mut PgConnection, made: Uuid) -> Result<Program, MembersError> {
    let program_id =
        ProgramId::try_from(made).map_err(|error| StorageError::corrupt("request.resource_id", error))?;
    let found = storage::find_in_tx(tx, program_id).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::Program, program_id).into())
}
