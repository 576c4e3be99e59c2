//! Attempts to make something: the first makes it, every further one finds what the first made.

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{self, Claim, Request};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::refusal::{LedgerError, Refusal};

/// Something that was made, now or by an earlier attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made<T> {
    /// As it is now.
    pub resource: T,
    /// An earlier attempt of the same request made it.
    pub replayed: bool,
}

impl<T> Made<T> {
    /// Made by this attempt.
    pub const fn now(resource: T) -> Self {
        Self {
            resource,
            replayed: false,
        }
    }

    /// Made by an earlier one.
    pub const fn before(resource: T) -> Self {
        Self {
            resource,
            replayed: true,
        }
    }
}

/// Claims the request for the resource `made`. Answers None when it is this attempt that makes it, else what an earlier
/// one made.
pub async fn claim_in_tx(
    tx: &mut PgConnection,
    request: &Request,
    made: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, LedgerError> {
    match requests::try_claim_in_tx(tx, request, made, now).await? {
        Claim::New => Ok(None),
        Claim::Replay { resource_id } => Ok(Some(resource_id)),
        Claim::Reused => Err(Refusal::RequestIdReused(request.request_id).into()),
    }
}
