//! The people who work with a program.

pub mod domain;
pub mod grpc;
pub(crate) mod storage;

use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{ProgramId, SharedClock, StaffId, Version};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use crate::access::domain::RecordKind;
use crate::access::note_change_in_tx;
use crate::refusal::{MembersError, Refusal, Resource};
use domain::{NewStaffMember, StaffChange, StaffExternalId, StaffMember};

/// What can be done with the staff of a program.
#[derive(Debug, Clone)]
pub struct Staff {
    service: PgPool,
    clock: SharedClock,
}

impl Staff {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, clock: SharedClock) -> Self {
        Self { service, clock }
    }

    /// Adds a staff member.
    pub async fn create(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: NewStaffMember,
    ) -> Result<Made<StaffMember>, MembersError> {
        let now = self.clock.now();
        let member = &new.start(StaffId::generate_at(now), now);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let created = transact(&self.service, "create_staff_member", scope, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, member.staff_id.as_uuid(), now).await?;
                if let Some(made) = claimed {
                    let staff_id = StaffId::try_from(made)
                        .map_err(|error| StorageError::corrupt("request.resource_id", error))?;
                    return find_in_tx(tx, program_id, staff_id).await.map(Made::before);
                }
                storage::insert_in_tx(&mut *tx, program_id, member).await?;
                note_in_tx(tx, program_id, member.staff_id).await?;
                Ok(Made::now(member.clone()))
            })
        })
        .await;
        match created {
            Err(error) => Err(self.taken(program_id, member.external_id.as_ref(), error).await),
            created => created,
        }
    }

    /// A staff member.
    pub async fn get(&self, program_id: ProgramId, staff_id: StaffId) -> Result<StaffMember, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "get_staff_member", scope, options, |tx| {
            in_tx(async move { find_in_tx(tx, program_id, staff_id).await })
        })
        .await
    }

    /// Changes a staff member, if they still are at the revision that the change is meant for.
    pub async fn update(
        &self,
        program_id: ProgramId,
        staff_id: StaffId,
        meant_for: Option<Version>,
        change: &StaffChange,
    ) -> Result<StaffMember, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default();
        let updated = transact(&self.service, "update_staff_member", scope, options, |tx| {
            in_tx(async move {
                let current = storage::lock_in_tx(&mut *tx, program_id, staff_id)
                    .await?
                    .ok_or_else(|| Refusal::not_found(Resource::StaffMember, staff_id))?;
                if meant_for.is_some_and(|revision| revision != current.revision) {
                    return Err(Refusal::etag_mismatch(Resource::StaffMember, staff_id).into());
                }
                let Some(changed) = current.changed(change, now) else {
                    return Ok(current);
                };
                storage::update_in_tx(&mut *tx, program_id, &changed).await?;
                note_in_tx(tx, program_id, staff_id).await?;
                Ok(changed)
            })
        })
        .await;
        match updated {
            Err(error) => {
                let external_id = change.external_id.as_ref().and_then(Option::as_ref);
                Err(self.taken(program_id, external_id, error).await)
            }
            updated => updated,
        }
    }

    /// The staff after one of them, oldest first.
    pub async fn list(
        &self,
        program_id: ProgramId,
        after: Option<StaffId>,
        count_max: i64,
    ) -> Result<Vec<StaffMember>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "list_staff_members", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_in_tx(tx, program_id, after, count_max).await?) })
        })
        .await
    }

    /// The refusal in place of a broken constraint: who has the number already. Asked in a transaction of its own,
    /// since the one that broke the constraint is over.
    async fn taken(
        &self,
        program_id: ProgramId,
        external_id: Option<&StaffExternalId>,
        error: MembersError,
    ) -> MembersError {
        let (MembersError::Storage(storage_error), Some(external_id)) = (&error, external_id) else {
            return error;
        };
        if storage_error.unique_violation().as_deref() != Some(storage::EXTERNAL_ID_CONSTRAINT) {
            return error;
        }
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        let holder = transact(&self.service, "find_staff_by_external_id", scope, options, |tx| {
            in_tx(async move { storage::find_by_external_id_in_tx(tx, program_id, external_id).await })
        })
        .await;
        match holder {
            Ok(Some(staff_id)) => Refusal::exists(Resource::StaffMember, staff_id).into(),
            // The number has just become free: what broke was true a moment ago, and a retry goes through.
            Ok(None) => error,
            Err(error) => error.into(),
        }
    }
}

/// The staff member, who must exist.
pub(crate) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    staff_id: StaffId,
) -> Result<StaffMember, MembersError> {
    let found = storage::find_in_tx(tx, program_id, staff_id).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::StaffMember, staff_id).into())
}

/// Refuses a staff member who is not there, or no longer active.
pub(crate) async fn check_active_in_tx(
    tx: &mut PgConnection,
    program_id: Option<ProgramId>,
    staff_id: StaffId,
) -> Result<(), MembersError> {
    let Some(program_id) = program_id else {
        // The whole suite employs nobody.
        return Err(Refusal::not_found(Resource::StaffMember, staff_id).into());
    };
    if find_in_tx(tx, program_id, staff_id).await?.active {
        Ok(())
    } else {
        Err(Refusal::StaffInactive(staff_id).into())
    }
}

async fn note_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    staff_id: StaffId,
) -> Result<(), MembersError> {
    Ok(note_change_in_tx(tx, program_id.as_uuid(), RecordKind::Staff, staff_id.as_uuid()).await?)
}
