//! The one table from what the rooms refuse to what a caller is told.

use std::time::Duration;

use fealty_postgres::{Fault, StorageError};
use fealty_rpc::errors::ApiError;
use fealty_rpc::violations::Violations;

use crate::refusal::{MembersError, Refusal};

/// When those who lost against neighbours may try again: a few commits later.
const RETRY_AFTER: Duration = Duration::from_millis(100);

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { resource, id } => Self::not_found(resource.as_str(), id),
            Refusal::Exists { resource, id } => Self::already_exists(resource.as_str(), id),
            Refusal::EtagMismatch { resource, id } => Self::etag_mismatch(resource.as_str(), id),
            Refusal::RequestIdReused(request_id) => Self::request_id_reused(request_id),
            Refusal::ScopeMissing(scope) => Self::scope_missing(scope),
            Refusal::StaffInactive(staff_id) => Self::staff_inactive(staff_id),
            Refusal::FieldInvalid { field, description } => field_invalid(field, description),
            Refusal::PositionInvalid => Self::page_token_invalid(),
        }
    }
}

fn field_invalid(field: &'static str, description: &'static str) -> ApiError {
    let mut violations = Violations::default();
    violations.add(field, description);
    violations
        .finish()
        .expect_err("a violation was noted a line above")
}

/// What a caller is told of a fault of the storage. What is our own mistake is logged, not told.
#[must_use]
pub fn storage_status(error: &StorageError) -> ApiError {
    match error.fault() {
        Fault::Unavailable(dependency) => ApiError::dependency_unavailable(dependency),
        Fault::Contention => ApiError::contention(RETRY_AFTER),
        Fault::Deadline => ApiError::deadline_exceeded(),
        Fault::Internal => ApiError::internal(error),
    }
}

impl From<MembersError> for ApiError {
    fn from(error: MembersError) -> Self {
        match error {
            MembersError::Refused(refusal) => refusal.into(),
            MembersError::Storage(error) => storage_status(&error),
        }
    }
}
