//! Who calls, for which program, with which rights.

use std::sync::Arc;

use chrono_tz::Tz;
use fealty_proto::access::v1::Scope;
use fealty_types::{ApiKeyId, CurrencyCode, MemberId, ProgramId, StaffId};

use super::member_token::MemberGrant;
use crate::errors::ApiError;

/// The verified caller of a call. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller {
    key: Arc<CallerKey>,
    program: Option<ProgramContext>,
    /// What the member token says that was shown in place of the key.
    grant: Option<Arc<MemberGrant>>,
}

/// The key that a caller showed, or that signed their member token.
#[derive(Debug, PartialEq, Eq)]
pub struct CallerKey {
    /// The key.
    pub api_key_id: ApiKeyId,
    /// Its public part.
    pub short_id: String,
    /// The program that it is bound to; None for a key of the whole suite.
    pub program_id: Option<ProgramId>,
    /// Who holds it; None for a machine's key.
    pub staff_id: Option<StaffId>,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// The program that a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramContext {
    /// The program.
    pub program_id: ProgramId,
    /// Its "today" and "month end".
    pub time_zone: Tz,
    /// The money it counts in.
    pub currency: CurrencyCode,
}

impl Caller {
    /// A caller. Services get theirs from [`Caller::from_request`]; this is for what runs without a call, and for
    /// tests.
    #[must_use]
    pub fn new(key: CallerKey, program: Option<ProgramContext>) -> Self {
        Self {
            key: Arc::new(key),
            program,
            grant: None,
        }
    }

    pub(crate) fn of(
        key: Arc<CallerKey>,
        program: Option<ProgramContext>,
        grant: Option<MemberGrant>,
    ) -> Self {
        Self {
            key,
            program,
            grant: grant.map(Arc::new),
        }
    }

    /// The caller of a request that came through the access layer. A request without one means that the layer is
    /// missing, which is a fault of the server.
    pub fn from_request<T>(request: &tonic::Request<T>) -> Result<&Self, ApiError> {
        request
            .extensions()
            .get::<Self>()
            .ok_or_else(|| ApiError::internal_message("the request came past the access layer"))
    }

    /// The program that the call is about. Only methods of the whole suite, and those that may be about all programs,
    /// can lack one.
    pub fn program(&self) -> Result<&ProgramContext, ApiError> {
        self.program.as_ref().ok_or_else(ApiError::program_required)
    }

    /// The id of [`Caller::program`].
    pub fn program_id(&self) -> Result<ProgramId, ApiError> {
        self.program().map(|program| program.program_id)
    }

    /// The program, if the call is about one.
    #[must_use]
    pub fn find_program(&self) -> Option<&ProgramContext> {
        self.program.as_ref()
    }

    /// The key that the caller showed.
    #[must_use]
    pub fn key(&self) -> &CallerKey {
        &self.key
    }

    /// Whether the key is bound to no program.
    #[must_use]
    pub fn is_suite(&self) -> bool {
        self.key.program_id.is_none()
    }

    /// The member for whom the caller speaks, if they showed a member token: all that the call is about.
    #[must_use]
    pub fn member_id(&self) -> Option<MemberId> {
        self.grant.as_ref().map(|grant| grant.member_id)
    }

    /// Whether the key carries the scope, and the member token, if one was shown.
    #[must_use]
    pub fn has_scope(&self, scope: Scope) -> bool {
        let granted = self
            .grant
            .as_ref()
            .is_none_or(|grant| grant.scopes.contains(&scope));
        granted && self.key.scopes.contains(&scope)
    }

    /// Who acted, for records: the member or the person where one holds the token or the key, else the key.
    #[must_use]
    pub fn actor(&self) -> String {
        match (self.member_id(), self.key.staff_id) {
            (Some(member_id), _) => format!("member:{member_id}"),
            (None, Some(staff_id)) => format!("staff:{staff_id}"),
            (None, None) => format!("key:{}", self.key.api_key_id),
        }
    }
}
