//! The terms that people accept when they join: published in versions, never changed afterwards.

pub mod domain;
pub mod grpc;
pub(crate) mod storage;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{PolicyId, ProgramId, SharedClock};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use crate::programs;
use crate::refusal::{MembersError, Refusal, Resource};
use domain::{NewPolicy, Policy, PolicyHead, PolicyVersion};

/// What can be done with the policies of a program.
#[derive(Debug, Clone)]
pub struct Policies {
    service: PgPool,
    clock: SharedClock,
}

impl Policies {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, clock: SharedClock) -> Self {
        Self { service, clock }
    }

    /// Publishes the next version.
    pub async fn publish(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &NewPolicy,
    ) -> Result<Made<Policy>, MembersError> {
        let now = self.clock.now();
        let policy_id = PolicyId::generate_at(now);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "publish_policy", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, policy_id.as_uuid(), now).await? {
                    return find_made_in_tx(tx, program_id, made).await.map(Made::before);
                }
                // One version at a time: the next number is the next one's.
                programs::storage::lock_alone_in_tx(&mut *tx, program_id).await?;
                let newest = storage::find_newest_in_tx(&mut *tx, program_id).await?;
                // The time after the wait for those before us.
                let policy = new.publish(policy_id, newest.as_ref(), self.clock.now())?;
                storage::insert_in_tx(tx, program_id, &policy).await?;
                Ok(Made::now(policy))
            })
        })
        .await
    }

    /// A version, or the one in force.
    pub async fn get(
        &self,
        program_id: ProgramId,
        version: Option<PolicyVersion>,
    ) -> Result<Policy, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "get_policy", scope, options, |tx| {
            in_tx(async move {
                let version = match version {
                    Some(version) => version,
                    None => find_in_force_in_tx(&mut *tx, program_id, now)
                        .await?
                        .map(|policy| policy.version)
                        .ok_or(Refusal::PolicyMissing)?,
                };
                let found = storage::find_by_version_in_tx(tx, program_id, version).await?;
                found.ok_or_else(|| Refusal::not_found(Resource::Policy, version).into())
            })
        })
        .await
    }

    /// The versions before one of them, newest first, without their texts.
    pub async fn list(
        &self,
        program_id: ProgramId,
        before: Option<PolicyVersion>,
        count_max: i64,
    ) -> Result<Vec<PolicyHead>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "list_policies", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_in_tx(tx, program_id, before, count_max).await?) })
        })
        .await
    }
}

/// The version in force at a time: what somebody who joins then has to accept.
pub(crate) async fn find_in_force_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    time: DateTime<Utc>,
) -> Result<Option<PolicyHead>, StorageError> {
    storage::find_in_force_in_tx(tx, program_id, time).await
}

async fn find_made_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    made: uuid::Uuid,
) -> Result<Policy, MembersError> {
    let policy_id =
        PolicyId::try_from(made).map_err(|error| StorageError::corrupt("request.resource_id", error))?;
    storage::find_in_tx(tx, program_id, policy_id)
        .await?
        .ok_or_else(|| StorageError::corrupt("request.resource_id", "names no policy").into())
}
