//! Households: members who share one account. Who joins and leaves, on what terms, and how it ends are changes that the
//! ledger knows first ([`crate::changes`]); invitations are this room's own until one is accepted.

pub mod domain;
pub mod grpc;
mod inviting;
mod storage;

use fealty_postgres::requests::{Made, Request};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{HouseholdId, MemberId, ProgramId, SharedClock};
use sqlx::postgres::PgPool;

use crate::changes::domain::{Asked, ChangeKind};
use crate::changes::{Because, Changes};
use crate::refusal::{HouseholdRefusal, MembersError, Refusal, Resource};
use domain::{DissolvePolicy, Household, Terms};

pub(crate) use storage::{
    LimitRows, limit_rows, limits_of, lock_invitation_in_tx, parse_role, set_status_in_tx, withdraw_all_in_tx,
};

/// What can be done with households.
#[derive(Debug, Clone)]
pub struct Households {
    service: PgPool,
    changes: Changes,
    clock: SharedClock,
    waker: FeedWaker,
}

/// Who is to have a place in which household.
pub type Place = (HouseholdId, MemberId);

impl Households {
    /// Over the pool of the service's role, and what carries changes out.
    #[must_use]
    pub const fn new(service: PgPool, changes: Changes, clock: SharedClock, waker: FeedWaker) -> Self {
        Self {
            service,
            changes,
            clock,
            waker,
        }
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
        ((household_id, member_id), terms): (Place, Terms),
        because: &Because,
    ) -> Result<Made<Household>, MembersError> {
        let asked = Asked::JoinHousehold {
            member_id,
            household_id,
            terms,
            invitation_id: None,
        };
        self.change(program_id, request, (household_id, &asked), because)
            .await
    }

    /// Takes a member out. Who does not belong to it stays as they are.
    pub async fn remove_member(
        &self,
        program_id: ProgramId,
        request: &Request,
        ((household_id, member_id), by): (Place, Option<MemberId>),
        because: &Because,
    ) -> Result<Made<Household>, MembersError> {
        let asked = Asked::LeaveHousehold {
            member_id,
            household_id,
            by,
        };
        self.change(program_id, request, (household_id, &asked), because)
            .await
    }

    /// Says what a member may do in their household, and spend.
    pub async fn set_terms(
        &self,
        program_id: ProgramId,
        request: &Request,
        ((household_id, member_id), terms, by): (Place, Terms, Option<MemberId>),
        because: &Because,
    ) -> Result<Made<Household>, MembersError> {
        let asked = Asked::HouseholdTerms {
            member_id,
            household_id,
            terms,
            by,
        };
        self.change(program_id, request, (household_id, &asked), because)
            .await
    }

    /// Ends a household.
    pub async fn dissolve(
        &self,
        program_id: ProgramId,
        request: &Request,
        (household_id, policy, by): (HouseholdId, DissolvePolicy, Option<MemberId>),
        because: &Because,
    ) -> Result<Made<Household>, MembersError> {
        let household = self.get(program_id, household_id).await?;
        if household.dissolve_time.is_some() {
            return Ok(Made::before(household));
        }
        let head = household.head();
        let asked = Asked::DissolveHousehold {
            head_member_id: head.ok_or(Refusal::Household(HouseholdRefusal::Empty(household_id)))?,
            household_id,
            policy,
            by,
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
