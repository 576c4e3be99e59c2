//! Decides who calls and what they may do. All rules of access are here, in the order in which they are applied.

use std::fmt;
use std::sync::Arc;

use fealty_proto::access::v1::Scope;
use fealty_proto::{MemberAccess, Method};
use fealty_types::{ProgramId, SharedClock};
use http::HeaderMap;

use super::cache::RecordCache;
use super::caller::{Caller, CallerKey, ProgramContext};
use super::key::{ApiKeySecret, SHORT_ID_LENGTH};
use super::member_token::{MemberGrant, ShownToken, TOKEN_PREFIX};
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
    ///
    /// A member token is judged likewise: signed by a key that may issue tokens and is still valid itself, for that key's
    /// program, not past its end; the method takes member tokens; both it and its key carry the scope. That the request is
    /// about its member is not seen here.
    pub async fn authenticate(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let scope = method
            .scope
            .ok_or_else(|| ApiError::internal_message("a method without a scope is served"))?;
        let (key, grant) = match shown_in(headers)? {
            Shown::Key(secret) => (self.verify_key(&secret).await?, None),
            Shown::Token(token) => {
                let (key, grant) = self.verify_token(&token).await?;
                (key, Some(grant))
            }
        };
        if grant.is_some() && method.member_access == MemberAccess::Denied {
            return Err(ApiError::member_token_denied(
                "The method takes no member tokens.",
            ));
        }
        let is_granted = |grant: &MemberGrant| grant.scopes.contains(&scope);
        if !key.record.scopes.contains(&scope) || !grant.as_ref().is_none_or(is_granted) {
            return Err(ApiError::scope_missing(scope));
        }
        if method.suite_wide && key.record.program_id.is_some() {
            return Err(ApiError::suite_key_required());
        }
        let program = match program_of_call(&key.record, *method, headers)? {
            Some(program_id) => Some(self.open_program(program_id, scope).await?),
            None => None,
        };
        Ok(Caller::of(Arc::clone(&key.caller), program, grant))
    }

    async fn verify_key(&self, secret: &ApiKeySecret) -> Result<Arc<KnownKey>, ApiError> {
        let known = self.find_key(secret.short_id()).await?;
        if !secret.matches(&known.record.secret_sha256) {
            return Err(ApiError::key_invalid());
        }
        self.check_valid(&known.record)?;
        Ok(known)
    }

    async fn verify_token(&self, token: &ShownToken) -> Result<(Arc<KnownKey>, MemberGrant), ApiError> {
        let short_id = token.short_id();
        let short_id = std::str::from_utf8(&short_id).map_err(|_| ApiError::key_invalid())?;
        let known = self.find_key(short_id).await?;
        let public_key = known.record.token_public_key;
        let public_key = public_key.ok_or_else(ApiError::key_invalid)?;
        let grant = token.verify(&public_key).map_err(|_| ApiError::key_invalid())?;
        let may_sign = known.record.scopes.contains(&Scope::MemberTokensWrite);
        let now = self.clock.now();
        if !may_sign || !grant.is_sound(now) || known.record.program_id != Some(grant.program_id) {
            return Err(ApiError::key_invalid());
        }
        self.check_valid(&known.record)?;
        if grant.expire_time <= now {
            return Err(ApiError::member_token_expired());
        }
        Ok((known, grant))
    }

    fn check_valid(&self, key: &KeyRecord) -> Result<(), ApiError> {
        let now = self.clock.now();
        let ended = |time: Option<_>| time.is_some_and(|time| time <= now);
        if ended(key.revoke_time) || ended(key.expire_time) {
            return Err(ApiError::key_revoked());
        }
        match key.staff {
            Some(staff) if !staff.active => Err(ApiError::staff_inactive(staff.staff_id)),
            _ => Ok(()),
        }
    }

    async fn find_key(&self, short_id: &str) -> Result<Arc<KnownKey>, ApiError> {
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
        let found = self
            .keys
            .find(cached_as, &self.nudge, || self.records.find_key(short_id), keep);
        found.await?.ok_or_else(ApiError::key_invalid)
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

/// What a caller shows.
enum Shown {
    Key(ApiKeySecret),
    Token(Box<ShownToken>),
}

fn shown_in(headers: &HeaderMap) -> Result<Shown, ApiError> {
    let text = bearer_in(headers)?;
    if text.starts_with(TOKEN_PREFIX) {
        let token = ShownToken::parse(text).map_err(|_| ApiError::key_invalid())?;
        return Ok(Shown::Token(Box::new(token)));
    }
    let secret = ApiKeySecret::parse(text).map_err(|_| ApiError::key_invalid())?;
    Ok(Shown::Key(secret))
}

/// The key that a caller showed, for the one call that signs by it. None for a member token.
#[must_use]
pub fn key_of<T>(request: &tonic::Request<T>) -> Option<ApiKeySecret> {
    let value = request.metadata().get(http::header::AUTHORIZATION.as_str())?;
    ApiKeySecret::parse(key_text(value.to_str().ok()?)?).ok()
}

/// What stands in `authorization: Bearer KEY`.
fn bearer_in(headers: &HeaderMap) -> Result<&str, ApiError> {
    let value = headers
        .get(http::header::AUTHORIZATION)
        .ok_or_else(ApiError::key_missing)?;
    let text = value.to_str().map_err(|_| ApiError::key_invalid())?;
    key_text(text).ok_or_else(ApiError::key_missing)
}

/// What follows the scheme, whose case does not matter.
fn key_text(header: &str) -> Option<&str> {
    let scheme = header.get(..BEARER.len())?;
    scheme
        .eq_ignore_ascii_case(BEARER)
        .then(|| header[BEARER.len()..].trim())
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
