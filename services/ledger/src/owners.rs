//! Owners: who can hold points.

pub mod domain;
pub mod grpc;
mod storage;

use fealty_postgres::requests::Made;
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{OwnerId, ProgramId, SharedClock};
use sqlx::{PgConnection, PgPool};

use crate::refusal::{LedgerError, Refusal, Resource};
use domain::{Owner, OwnerKind};

/// The use cases of owners.
#[derive(Debug, Clone)]
pub struct Owners {
    pool: PgPool,
    clock: SharedClock,
}

impl Owners {
    /// Over the service's own role.
    #[must_use]
    pub const fn new(pool: PgPool, clock: SharedClock) -> Self {
        Self { pool, clock }
    }

    /// Opens an owner, or answers the one that is open under that id: the id is the caller's, so it is also what tells
    /// one attempt from another.
    pub async fn open(
        &self,
        program: ProgramId,
        owner_id: OwnerId,
        kind: OwnerKind,
    ) -> Result<Made<Owner>, LedgerError> {
        let new = Owner::open(owner_id, kind, self.clock.now());
        let options = TransactOptions::default().repeatable();
        transact(&self.pool, "open_owner", Scope::Program(program), options, |tx| {
            in_tx(async move {
                if storage::insert_in_tx(&mut *tx, program, &new).await? {
                    return Ok(Made::now(new));
                }
                let open = get_in_tx(tx, program, owner_id).await?;
                if open.kind == kind {
                    Ok(Made::before(open))
                } else {
                    Err(Refusal::exists(Resource::Owner, owner_id).into())
                }
            })
        })
        .await
    }

    /// One owner.
    pub async fn get(&self, program: ProgramId, owner_id: OwnerId) -> Result<Owner, LedgerError> {
        let options = TransactOptions::read_only();
        transact(&self.pool, "get_owner", Scope::Program(program), options, |tx| {
            in_tx(async move { get_in_tx(tx, program, owner_id).await })
        })
        .await
    }
}

/// Refuses an owner that the program does not have, as seen in the caller's transaction.
pub async fn require_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<(), LedgerError> {
    get_in_tx(tx, program, owner_id).await.map(drop)
}

async fn get_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<Owner, LedgerError> {
    let found = storage::find_in_tx(tx, program, owner_id).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::Owner, owner_id).into())
}
