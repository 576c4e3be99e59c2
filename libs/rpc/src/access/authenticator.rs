//! Decides who calls and what they may do. All rules of access are here, in the order in which they are applied.

use std::fmt;
use std::sync::Arc;

use fealty_proto::Method;
use fealty_proto::access::v1::Scope;
use fealty_types::{ProgramId, SharedClock};
use http::HeaderMap;

use super::cache::RecordCache;
use super::caller::{Caller, CallerKey, ProgramContext};
use super::key::{ApiKeySecret, SHORT_ID_LENGTH};
use super::nudge::Nudge;
use super::records::{AccessRecords, KeyRecord, ProgramRecord};
use crate::errors::ApiError;

/// The header in which a key of the whole suite names the program of a call.
pub const PROGRAM_HEADER: &str = "fealty-program-id";

/// What the authorization header begins with.
const BEARER: &str = "bearer ";

type ShortId = [u8; SHORT_ID_LENGTH];

/// Verifies keys against a service's copy of the access records.
pub struct Authenticator {
    records: Arc<dyn AccessRecords>,
    clock: SharedClock,
    nudge: Nudge,
    keys: RecordCache<ShortId, KnownKey>,
    programs: RecordCache<ProgramId, ProgramRecord>,
}

/// A key's record, with the part of it that callers see made ready once.
struct KnownKey {
    record: KeyRecord,
    caller: Arc<CallerKey>,
}

impl Authenticator {
    /// Over the service's copy of the records. `nudge` asks for news when a well-formed key is unknown.
    #[must_use]
    pub fn new(records: Arc<dyn AccessRecords>, clock: SharedClock, nudge: Nudge) -> Self {
        Self {
            records,
            clock,
            nudge,
            keys: RecordCache::new(),
            programs: RecordCache::new(),
        }
    }

    /// The caller of a method, or why the call is refused.
    ///
    /// In this order: the key is there, well-formed, known and its secret right; not revoked, not past its end, its
    /// staff member active; it carries the scope; it fits the method (methods of the whole suite take no key of a
    /// program: `PROGRAM_DENIED`); the program is the key's own or is named, exists, and is active. An inactive program
    /// is still open to the scopes of programs themselves, or nobody could wake it.
    pub async fn authenticate(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let scope = method
            .scope
            .ok_or_else(|| ApiError::internal_message("a method without a scope is served"))?;
        let key = self.verify_key(headers).await?;
        if !key.record.scopes.contains(&scope) {
            return Err(ApiError::scope_missing(scope));
        }
        if method.suite_wide && key.record.program_id.is_some() {
            return Err(ApiError::suite_key_required());
        }
        let program = match program_of_call(&key.record, *method, headers)? {
            Some(program_id) => Some(self.open_program(program_id, scope).await?),
            None => None,
        };
        Ok(Caller::of(Arc::clone(&key.caller), program))
    }

    async fn verify_key(&self, headers: &HeaderMap) -> Result<Arc<KnownKey>, ApiError> {
        let secret = key_of(headers)?;
        let known = self.find_key(&secret).await?.ok_or_else(ApiError::key_invalid)?;
        if !secret.matches(&known.record.secret_sha256) {
            return Err(ApiError::key_invalid());
        }
        let now = self.clock.now();
        let ended = |time: Option<_>| time.is_some_and(|time| time <= now);
        if ended(known.record.revoke_time) || ended(known.record.expire_time) {
            return Err(ApiError::key_revoked());
        }
        match known.record.staff {
            Some(staff) if !staff.active => Err(ApiError::staff_inactive(staff.staff_id)),
            _ => Ok(known),
        }
    }

    async fn find_key(&self, secret: &ApiKeySecret) -> Result<Option<Arc<KnownKey>>, ApiError> {
        let short_id = secret.short_id();
        let cached_as: ShortId = short_id
            .as_bytes()
            .try_into()
            .map_err(|_| ApiError::key_invalid())?;
        let keep = |record: KeyRecord| KnownKey {
            caller: Arc::new(CallerKey {
                api_key_id: record.api_key_id,
                short_id: short_id.to_owned(),
                program_id: record.program_id,
                staff_id: record.staff.map(|staff| staff.staff_id),
                scopes: record.scopes.clone(),
            }),
            record,
        };
        self.keys
            .find(cached_as, &self.nudge, || self.records.find_key(short_id), keep)
            .await
    }

    async fn open_program(&self, program_id: ProgramId, scope: Scope) -> Result<ProgramContext, ApiError> {
        let look_up = || self.records.find_program(program_id);
        let program = self
            .programs
            .find(program_id, &self.nudge, look_up, |record| record)
            .await?
            .ok_or_else(ApiError::program_denied)?;
        let speaks_of_programs = matches!(scope, Scope::ProgramsRead | Scope::ProgramsWrite);
        if !program.active && !speaks_of_programs {
            return Err(ApiError::program_inactive(program_id));
        }
        Ok(ProgramContext {
            program_id,
            time_zone: program.time_zone,
            currency: program.currency,
        })
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("nudge", &self.nudge)
            .finish_non_exhaustive()
    }
}

/// The key in `authorization: Bearer KEY`; the scheme's case does not matter.
fn key_of(headers: &HeaderMap) -> Result<ApiKeySecret, ApiError> {
    let value = headers
        .get(http::header::AUTHORIZATION)
        .ok_or_else(ApiError::key_missing)?;
    let text = value.to_str().map_err(|_| ApiError::key_invalid())?;
    let scheme = text.get(..BEARER.len()).ok_or_else(ApiError::key_missing)?;
    if !scheme.eq_ignore_ascii_case(BEARER) {
        return Err(ApiError::key_missing());
    }
    ApiKeySecret::parse(text[BEARER.len()..].trim()).map_err(|_| ApiError::key_invalid())
}

/// The program that the call is about, if it is about one.
fn program_of_call(
    key: &KeyRecord,
    method: Method,
    headers: &HeaderMap,
) -> Result<Option<ProgramId>, ApiError> {
    let named = program_header(headers)?;
    match (key.program_id, named) {
        (Some(own), Some(named)) if own != named => Err(ApiError::program_denied()),
        (Some(own), _) => Ok(Some(own)),
        (None, Some(named)) => Ok(Some(named)),
        (None, None) if method.suite_wide || method.program_optional => Ok(None),
        (None, None) => Err(ApiError::program_required()),
    }
}

fn program_header(headers: &HeaderMap) -> Result<Option<ProgramId>, ApiError> {
    let Some(value) = headers.get(PROGRAM_HEADER) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| ApiError::program_required())?;
    text.parse().map(Some).map_err(|_| ApiError::program_required())
}
