//! What callers are told of faults that every service can have. A service's own table goes on from here.

use std::time::Duration;

use fealty_postgres::{Fault, StorageError};
use fealty_rpc::errors::ApiError;
use fealty_telemetry::Throttle;

/// When those who lost against neighbours may try again: a few commits later.
pub const CONTENTION_RETRY_AFTER: Duration = Duration::from_millis(100);

/// What keeps callers from being served, such as a full disk, is told to nobody but the log: once a second, since in an
/// outage it is the same for all.
static CAUSES: Throttle = Throttle::new(1);

/// What a caller is told of a fault of the storage. What is our own mistake is logged, not told.
#[must_use]
pub fn storage_status(error: &StorageError) -> ApiError {
    match error.fault() {
        Fault::Unavailable(dependency) => {
            if let Some(held_back) = CAUSES.pass() {
                tracing::warn!(%error, held_back, "{dependency} fails callers");
            }
            ApiError::dependency_unavailable(dependency)
        }
        Fault::Contention => ApiError::contention(CONTENTION_RETRY_AFTER),
        Fault::Deadline => ApiError::deadline_exceeded(),
        Fault::Internal => ApiError::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    #[test]
    fn each_fault_has_its_code_and_our_mistakes_are_not_told() {
        let table = [
            (
                StorageError::DeadlineExceeded { transaction: "t" },
                Code::DeadlineExceeded,
            ),
            (StorageError::LimitExceeded { transaction: "t" }, Code::Aborted),
            (StorageError::from(sqlx::Error::PoolTimedOut), Code::Unavailable),
            (
                StorageError::corrupt("program.time_zone", "Nowhere"),
                Code::Internal,
            ),
        ];
        for (error, code) in table {
            let told = storage_status(&error);
            assert_eq!(told.code(), code, "{error}");
            assert!(!told.message().contains("Nowhere"));
        }
    }
}
