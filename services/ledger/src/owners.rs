//! Owners: who can hold points, what they may do, and whose account they use.
//!
//! What is said here holds for every posting from the answer on: postings read it under the owner's lock, which a change
//! takes too.

pub mod domain;
pub mod grpc;
pub mod limits;
mod moves;
mod storage;

use fealty_postgres::requests::{Made, Request};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{OwnerId, ProgramId, SharedClock};
use sqlx::{PgConnection, PgPool};

use crate::posting::Posting;
use crate::refusal::{LedgerError, Refusal, Resource};
use domain::{DissolvePolicy, Owner, OwnerKind, OwnerStatus};
use moves::What;

/// The use cases of owners.
#[derive(Debug, Clone)]
pub struct Owners {
    pool: PgPool,
    posting: Posting,
    clock: SharedClock,
}

impl Owners {
    /// Over the service's own role; what moves between owners goes through `posting`.
    #[must_use]
    pub const fn new(pool: PgPool, posting: Posting, clock: SharedClock) -> Self {
        Self { pool, posting, clock }
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

    /// Says what an owner may do, unless something newer was said before.
    pub async fn set_status(
        &self,
        program: ProgramId,
        owner_id: OwnerId,
        status: OwnerStatus,
        revision: i64,
    ) -> Result<Owner, LedgerError> {
        // Said twice it is said once.
        let options = TransactOptions::default().repeatable();
        transact(
            &self.pool,
            "set_owner_status",
            Scope::Program(program),
            options,
            |tx| {
                in_tx(async move {
                    storage::set_status_in_tx(&mut *tx, program, owner_id, (status, revision)).await?;
                    let owner = get_in_tx(tx, program, owner_id).await?;
                    if owner.status_revision < revision {
                        return Err(domain::merged(&owner).into());
                    }
                    Ok(owner)
                })
            },
        )
        .await
    }

    /// Gives an owner the account of a household.
    pub async fn join(
        &self,
        program: ProgramId,
        attempt: &Attempt,
        (owner_id, household_owner_id): (OwnerId, OwnerId),
    ) -> Result<Made<Owner>, LedgerError> {
        let made = self
            .move_owner(
                program,
                attempt,
                What::Join {
                    owner_id,
                    household_owner_id,
                },
            )
            .await?;
        Ok(made.map(|moved| moved.owner))
    }

    /// Gives an owner an account of their own again.
    pub async fn leave(
        &self,
        program: ProgramId,
        attempt: &Attempt,
        owner_id: OwnerId,
    ) -> Result<Made<Owner>, LedgerError> {
        let made = self
            .move_owner(program, attempt, What::Leave { owner_id })
            .await?;
        Ok(made.map(|moved| moved.owner))
    }

    /// Ends a household; what it has goes to whoever used its account, as the policy says.
    pub async fn dissolve(
        &self,
        program: ProgramId,
        attempt: &Attempt,
        (household_owner_id, heir_owner_id): (OwnerId, OwnerId),
        policy: DissolvePolicy,
    ) -> Result<Made<Owner>, LedgerError> {
        let what = What::Dissolve {
            household_owner_id,
            heir_owner_id,
            policy,
        };
        let made = self.move_owner(program, attempt, what).await?;
        Ok(made.map(|moved| moved.owner))
    }

    /// Merges an owner into another. Answers both.
    pub async fn merge(
        &self,
        program: ProgramId,
        attempt: &Attempt,
        (from_owner_id, into_owner_id): (OwnerId, OwnerId),
    ) -> Result<Made<(Owner, Owner)>, LedgerError> {
        let made = self
            .move_owner(
                program,
                attempt,
                What::Merge {
                    from_owner_id,
                    into_owner_id,
                },
            )
            .await?;
        Ok(made.map(|moved| (moved.owner, moved.other)))
    }
}

/// Who asks for a move, and by which request.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The request, which takes effect once.
    pub request: Request,
    /// Who asks.
    pub actor: String,
}

/// Refuses an owner that the program does not have, as seen in the caller's transaction.
pub async fn require_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<(), LedgerError> {
    get_in_tx(tx, program, owner_id).await.map(drop)
}

/// Whether there is such an owner, and it is a partner.
pub async fn is_partner_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<bool, StorageError> {
    let found = storage::find_in_tx(tx, program, owner_id).await?;
    Ok(found.is_some_and(|owner| owner.kind == OwnerKind::Partner))
}

/// Who is meant by an owner, and everybody who was merged into them: one person under several names.
pub async fn one_person_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<Vec<OwnerId>, LedgerError> {
    let owner = get_in_tx(&mut *tx, program, owner_id).await?;
    let meant = owner.merged_into_owner_id.unwrap_or(owner_id);
    Ok(storage::find_names_in_tx(tx, program, meant).await?)
}

async fn get_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<Owner, LedgerError> {
    let found = storage::find_in_tx(tx, program, owner_id).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::Owner, owner_id).into())
}
