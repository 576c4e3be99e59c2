//! Households: members who share one account. Who joins and leaves is a change that the ledger knows first
//! ([`crate::changes`]).

pub mod domain;
pub mod grpc;
mod storage;

use fealty_postgres::requests::{Made, Request};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{HouseholdId, MemberId, ProgramId};
use sqlx::postgres::PgPool;

use crate::changes::domain::{Asked, ChangeKind};
use crate::changes::{Because, Changes};
use crate::refusal::{MembersError, Refusal, Resource};
use domain::Household;

/// What can be done with households.
#[derive(Debug, Clone)]
pub struct Households {
    service: PgPool,
    changes: Changes,
}

impl Households {
    /// Over the pool of the service's role, and what carries changes out.
    #[must_use]
    pub const fn new(service: PgPool, changes: Changes) -> Self {
        Self { service, changes }
    }

    /// Makes a household of one member.
    pub async fn create(
        &self,
        program_id: ProgramId,
        request: &Request,
        member_id: MemberId,
        because: &Because,
    ) -> Result<Made<Household>, MembersError> {
        let asked = Asked::CreateHousehold { member_id };
        let made = self
            .changes
            .carry_out(program_id, request, &asked, because)
            .await?;
        let created = made.resource.map(|change| change.kind);
        let Some(ChangeKind::CreateHousehold { household_id }) = created else {
            return Err(StorageError::corrupt("request.resource_id", "made no household").into());
        };
        let household = self.get(program_id, household_id).await?;
        Ok(Made {
            resource: household,
            replayed: made.replayed,
        })
    }

    /// One household.
    pub async fn get(
        &self,
        program_id: ProgramId,
        household_id: HouseholdId,
    ) -> Result<Household, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        let found = transact(&self.service, "get_household", scope, options, |tx| {
            in_tx(async move { storage::find_in_tx(tx, program_id, household_id).await })
        })
        .await?;
        found.ok_or_else(|| Refusal::not_found(Resource::Household, household_id).into())
    }

    /// Adds a member. Who belongs to it already stays.
    pub async fn add_member(
        &self,
        program_id: ProgramId,
        request: &Request,
        (household_id, member_id): (HouseholdId, MemberId),
        because: &Because,
    ) -> Result<Made<Household>, MembersError> {
        let asked = Asked::JoinHousehold {
            member_id,
            household_id,
        };
        self.change(program_id, request, (household_id, &asked), because)
            .await
    }

    /// Takes a member out. Who does not belong to it stays as they are.
    pub async fn remove_member(
        &self,
        program_id: ProgramId,
        request: &Request,
        (household_id, member_id): (HouseholdId, MemberId),
        because: &Because,
    ) -> Result<Made<Household>, MembersError> {
        let asked = Asked::LeaveHousehold {
            member_id,
            household_id,
        };
        self.change(program_id, request, (household_id, &asked), because)
            .await
    }

    async fn change(
        &self,
        program_id: ProgramId,
        request: &Request,
        (household_id, asked): (HouseholdId, &Asked),
        because: &Because,
    ) -> Result<Made<Household>, MembersError> {
        let made = self
            .changes
            .carry_out(program_id, request, asked, because)
            .await?;
        Ok(Made {
            resource: self.get(program_id, household_id).await?,
            replayed: made.replayed,
        })
    }
}
