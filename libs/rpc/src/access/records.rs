//! The access records as a service keeps its copy of them, and the door to that copy.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_proto::access::v1::Scope;
use fealty_types::{ApiKeyId, CurrencyCode, ProgramId, StaffId};

use super::key::SecretHash;
use super::member_token::TokenPublicKey;

/// What is known of a key.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// The key.
    pub api_key_id: ApiKeyId,
    /// The program that it is bound to; None for a key of the whole suite.
    pub program_id: Option<ProgramId>,
    /// The staff member who holds it; None for a machine's key.
    pub staff: Option<StaffState>,
    /// SHA-256 of its secret.
    pub secret_sha256: SecretHash,
    /// By what member tokens are verified that it signed. None for one that was made before there were any.
    pub token_public_key: Option<TokenPublicKey>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// None while it has not been revoked.
    pub revoke_time: Option<DateTime<Utc>>,
    /// None when it never ends by itself.
    pub expire_time: Option<DateTime<Utc>>,
}

/// What is known of the staff member who holds a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaffState {
    /// The staff member.
    pub staff_id: StaffId,
    /// Whether their keys are taken.
    pub active: bool,
}

/// What is known of a program.
#[derive(Debug, Clone)]
pub struct ProgramRecord {
    /// The program.
    pub program_id: ProgramId,
    /// Its "today" and "month end".
    pub time_zone: Tz,
    /// The money it counts in.
    pub currency: CurrencyCode,
    /// Whether calls in it are taken.
    pub active: bool,
}

/// A fault of the store that the records lie in.
pub type RecordsError = Box<dyn Error + Send + Sync>;

/// What a look-up answers.
pub type Lookup<'a, T> = Pin<Box<dyn Future<Output = Result<Option<T>, RecordsError>> + Send + 'a>>;

/// A service's own copy of the access records.
///
/// The futures are boxed so that one [`Authenticator`](super::Authenticator) type serves every service.
pub trait AccessRecords: Send + Sync + 'static {
    /// The key with that short id, whether it is still valid or not, with the state of its staff member as it is now.
    fn find_key<'a>(&'a self, short_id: &'a str) -> Lookup<'a, KeyRecord>;

    /// A program, whether it is active or not.
    fn find_program(&self, program_id: ProgramId) -> Lookup<'_, ProgramRecord>;
}
