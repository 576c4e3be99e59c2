//! What each request id was used for: a retry finds what the first attempt made, instead of making it again.
//!
//! A service that makes things keeps a table `request` (below). The ledger's postings do not use it: there the
//! transaction row is itself the record of its request, kept for ever.
//!
//! ```sql
//! CREATE TABLE request (
//!     program uuid NOT NULL, -- the nil UUID for calls that speak about the whole suite
//!     request_id uuid NOT NULL,
//!     method text NOT NULL,
//!     command_hash bytea NOT NULL CHECK (octet_length(command_hash) = 32),
//!     resource_id uuid NOT NULL,
//!     create_time timestamptz NOT NULL,
//!     PRIMARY KEY (program, request_id)
//! );
//! CREATE INDEX request_create_time ON request (create_time);
//! ```
//!
//! A use case makes the id of its resource first, claims the request with it, and goes on only if the claim is new:
//!
//! ```no_run
//! # use chrono::{DateTime, Utc};
//! # use fealty_postgres::requests::{ClaimError, Made, Request, claim_in_tx};
//! # use sqlx::PgConnection;
//! # use uuid::Uuid;
//! # struct Thing;
//! # async fn get_in_tx(tx: &mut PgConnection, id: Uuid) -> Result<Thing, ClaimError> { Ok(Thing) }
//! # async fn insert_in_tx(tx: &mut PgConnection, id: Uuid) -> Result<Thing, ClaimError> { Ok(Thing) }
//! # async fn example(
//! #     tx: &mut PgConnection, request: &Request, id: Uuid, now: DateTime<Utc>,
//! # ) -> Result<Made<Thing>, ClaimError> {
//! if let Some(earlier) = claim_in_tx(&mut *tx, request, id, now).await? {
//!     return Ok(Made::before(get_in_tx(tx, earlier).await?));
//! }
//! Ok(Made::now(insert_in_tx(tx, id).await?))
//! # }
//! ```
//!
//! A service's own error is made from [`ClaimError`]: an id that belongs to another command becomes its refusal
//! `REQUEST_ID_REUSED`.
//!
//! A refusal rolls the claim back with everything else, so the caller can correct the cause and try the same id again.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{ProgramId, RequestId};
use sqlx::postgres::PgPool;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::error::{StorageError, TransactError};
use crate::transact::{Scope, TransactOptions, in_tx, transact};

/// How long a request id is remembered: longer than any caller's queue of retries, and short enough that the table
/// stays small.
pub const REQUEST_RETENTION: TimeDelta = TimeDelta::days(30);

/// Requests forgotten in one transaction: some tens of milliseconds of work, so that nobody waits for the purge.
const PURGE_STEP_COUNT: i64 = 1_000;

/// Steps of one run of the purge: a million requests a run keeps up with any rate of creation, and ends.
const PURGE_STEPS_MAX: u32 = 1_000;

/// A row can vanish between the insert that met it and the read that looks for it only by the purge, which touches
/// what is 30 days old: a second look is one more than ever needed.
const CLAIM_ATTEMPTS_MAX: u32 = 3;

/// One attempt of a caller to make something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The program in which the id is unique; nil for calls that speak about the whole suite.
    pub program: Uuid,
    /// The caller's id for the attempt.
    pub request_id: RequestId,
    /// The gRPC path of the method.
    pub method: &'static str,
    /// SHA-256 of the command: equal for equal commands, whatever their wire bytes.
    pub command_hash: [u8; 32],
}

impl Request {
    /// An attempt within a program.
    #[must_use]
    pub fn of_program(
        program_id: ProgramId,
        request_id: RequestId,
        method: &'static str,
        command_hash: [u8; 32],
    ) -> Self {
        Self {
            program: program_id.as_uuid(),
            request_id,
            method,
            command_hash,
        }
    }

    /// An attempt that speaks about the whole suite.
    #[must_use]
    pub const fn of_suite(request_id: RequestId, method: &'static str, command_hash: [u8; 32]) -> Self {
        Self {
            program: Uuid::nil(),
            request_id,
            method,
            command_hash,
        }
    }
}

/// What a request id turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The first attempt: make the resource.
    New,
    /// The same command was carried out before and made this.
    Replay {
        /// What it made.
        resource_id: Uuid,
    },
    /// The id belongs to another command.
    Reused,
}

/// Why a request was not claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The database, or the way to it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The id belongs to another command.
    #[error("the request id {0} belongs to another command")]
    Reused(RequestId),
}

impl TransactError for ClaimError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Reused(_) => None,
        }
    }
}

/// Something that was made, now or by an earlier attempt of the same request.
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

    /// The same answer about something that comes with it.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Made<U> {
        Made {
            resource: with(self.resource),
            replayed: self.replayed,
        }
    }
}

/// Claims the request id for the resource `made`. Answers None when it is this attempt that makes it, else what an
/// earlier one made. [`try_claim_in_tx`] says how.
pub async fn claim_in_tx(
    tx: &mut PgConnection,
    request: &Request,
    made: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, ClaimError> {
    match try_claim_in_tx(tx, request, made, now).await? {
        Claim::New => Ok(None),
        Claim::Replay { resource_id } => Ok(Some(resource_id)),
        Claim::Reused => Err(ClaimError::Reused(request.request_id)),
    }
}

/// Claims the request id for `resource_id`, or sees what it was used for. While another transaction holds the same id,
/// this waits for its end: it sees what that one committed, or claims the id if that one rolled back.
///
/// Runs in a READ COMMITTED transaction, because it must see what was committed while it waited.
pub async fn try_claim_in_tx(
    tx: &mut PgConnection,
    request: &Request,
    resource_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Claim, StorageError> {
    for _ in 0..CLAIM_ATTEMPTS_MAX {
        if insert_in_tx(&mut *tx, request, resource_id, now).await? {
            return Ok(Claim::New);
        }
        if let Some(seen) = find_in_tx(&mut *tx, request).await? {
            return Ok(seen);
        }
    }
    Err(StorageError::corrupt(
        "request",
        "the id is taken, and no row of it can be seen",
    ))
}

/// What the request id was used for, if anything: for use cases that must know before they write.
pub async fn find_in_tx(tx: &mut PgConnection, request: &Request) -> Result<Option<Claim>, StorageError> {
    let row = sqlx::query(
        "SELECT method, command_hash, resource_id FROM request WHERE program = $1 AND request_id = $2",
    )
    .bind(request.program)
    .bind(request.request_id)
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let method: String = row.try_get("method")?;
    let command_hash: Vec<u8> = row.try_get("command_hash")?;
    Ok(Some(
        if method == request.method && command_hash == request.command_hash {
            Claim::Replay {
                resource_id: row.try_get("resource_id")?,
            }
        } else {
            Claim::Reused
        },
    ))
}

async fn insert_in_tx(
    tx: &mut PgConnection,
    request: &Request,
    resource_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let inserted = sqlx::query(
        "INSERT INTO request (program, request_id, method, command_hash, resource_id, create_time) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (program, request_id) DO NOTHING",
    )
    .bind(request.program)
    .bind(request.request_id)
    .bind(request.method)
    .bind(request.command_hash.as_slice())
    .bind(resource_id)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Forgets the requests of all programs that are older than [`REQUEST_RETENTION`], in steps that hold nobody up. Needs
/// the jobs' role. Returns how many it forgot.
pub async fn purge(jobs: &PgPool, now: DateTime<Utc>) -> Result<u64, StorageError> {
    let before = now - REQUEST_RETENTION;
    let mut forgotten_count = 0;
    for _ in 0..PURGE_STEPS_MAX {
        let step = transact(
            jobs,
            "purge_requests",
            Scope::Suite,
            TransactOptions::default(),
            |tx| in_tx(purge_step_in_tx(tx, before)),
        )
        .await?;
        if step == 0 {
            break;
        }
        forgotten_count += step;
    }
    Ok(forgotten_count)
}

async fn purge_step_in_tx(tx: &mut PgConnection, before: DateTime<Utc>) -> Result<u64, StorageError> {
    let deleted = sqlx::query(
        "DELETE FROM request WHERE (program, request_id) IN \
         (SELECT program, request_id FROM request WHERE create_time < $1 ORDER BY create_time LIMIT $2)",
    )
    .bind(before)
    .bind(PURGE_STEP_COUNT)
    .execute(tx)
    .await?;
    Ok(deleted.rows_affected())
}
