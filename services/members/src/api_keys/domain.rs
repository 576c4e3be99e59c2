//! What a key is and what it may be given. Pure.

use chrono::{DateTime, Utc};
use fealty_proto::access::v1::Scope;
use fealty_types::{ApiKeyId, ProgramId, StaffId};

use crate::display_name::DisplayName;
use crate::refusal::Refusal;

/// Scopes that speak about more than one program: a key that is bound to one must not hold them.
pub const SUITE_ONLY_SCOPES: [Scope; 3] = [Scope::ProgramsWrite, Scope::AccessFeed, Scope::ErasuresConfirm];

/// A caller's key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub api_key_id: ApiKeyId,
    /// The program that it is bound to; None for a key of the whole suite.
    pub program_id: Option<ProgramId>,
    /// What it is for.
    pub display_name: DisplayName,
    /// The public part of its text, by which it is found.
    pub short_id: String,
    /// What is stored of its secret.
    pub secret_sha256: [u8; 32],
    /// By what member tokens are verified that it signed; None for one that was made before there were any.
    pub token_public_key: Option<[u8; 32]>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Who holds it; None for a machine's key.
    pub staff_id: Option<StaffId>,
    /// When it ends by itself; None for never.
    pub expire_time: Option<DateTime<Utc>>,
    /// None while it has not been revoked.
    pub revoke_time: Option<DateTime<Utc>>,
    /// When it was made.
    pub create_time: DateTime<Utc>,
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiKey {
    /// What it is for.
    pub display_name: DisplayName,
    /// What it may do.
    pub scopes: KeyScopes,
    /// Who is to hold it; None for a machine's key.
    pub staff_id: Option<StaffId>,
    /// When it ends by itself; None for never.
    pub expire_time: Option<DateTime<Utc>>,
}

/// The scopes of one key: at least one, each once, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyScopes(Vec<Scope>);

/// The scopes are none that a key can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopesError {
    /// A key that may do nothing is of no use.
    #[error("must name at least one scope")]
    Empty,
    /// One of them is named twice.
    #[error("must name {} only once", .0.as_str_name())]
    Repeated(Scope),
    /// The zero of the enum.
    #[error("must be a scope, not SCOPE_UNSPECIFIED")]
    Unspecified,
    /// The key is bound to a program.
    #[error("must not be {}: only a key of the whole suite can hold it", .0.as_str_name())]
    SuiteOnly(Scope),
}

/// Whether a key that is bound to a program may hold the scope.
pub fn program_scope(scope: Scope) -> Result<Scope, ScopesError> {
    if SUITE_ONLY_SCOPES.contains(&scope) {
        Err(ScopesError::SuiteOnly(scope))
    } else {
        suite_scope(scope)
    }
}

fn suite_scope(scope: Scope) -> Result<Scope, ScopesError> {
    if scope == Scope::Unspecified {
        Err(ScopesError::Unspecified)
    } else {
        Ok(scope)
    }
}

impl KeyScopes {
    /// The scopes of a key that is bound to a program.
    pub fn of_program(scopes: Vec<Scope>) -> Result<Self, ScopesError> {
        Self::try_new(scopes, program_scope)
    }

    /// The scopes of a key of the whole suite.
    pub fn of_suite(scopes: Vec<Scope>) -> Result<Self, ScopesError> {
        Self::try_new(scopes, suite_scope)
    }

    fn try_new(
        mut scopes: Vec<Scope>,
        allowed: impl Fn(Scope) -> Result<Scope, ScopesError>,
    ) -> Result<Self, ScopesError> {
        scopes.sort_unstable();
        if scopes.is_empty() {
            return Err(ScopesError::Empty);
        }
        if let Some(pair) = scopes.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ScopesError::Repeated(pair[0]));
        }
        scopes
            .into_iter()
            .map(allowed)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The scopes.
    #[must_use]
    pub fn as_slice(&self) -> &[Scope] {
        &self.0
    }
}

/// Nobody hands out a right that they lack.
pub fn check_hand_out(wanted: &KeyScopes, own: &[Scope]) -> Result<(), Refusal> {
    match wanted.0.iter().find(|scope| !own.contains(scope)) {
        Some(lacking) => Err(Refusal::ScopeMissing(*lacking)),
        None => Ok(()),
    }
}

impl NewApiKey {
    /// The key as it starts.
    #[must_use]
    pub fn start(self, identity: KeyIdentity, now: DateTime<Utc>) -> ApiKey {
        ApiKey {
            api_key_id: identity.api_key_id,
            program_id: identity.program_id,
            display_name: self.display_name,
            short_id: identity.short_id,
            secret_sha256: identity.secret_sha256,
            token_public_key: Some(identity.token_public_key),
            scopes: self.scopes.0,
            staff_id: self.staff_id,
            expire_time: self.expire_time,
            revoke_time: None,
            create_time: now,
        }
    }

    /// Whether it could be used at all: an end that has passed is a mistake.
    pub fn check_end(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        match self.expire_time {
            Some(expire_time) if expire_time <= now => Err(Refusal::FieldInvalid {
                field: "api_key.expire_time",
                description: "must lie in the future",
            }),
            _ => Ok(()),
        }
    }
}

/// What the service gives a new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIdentity {
    /// Its id.
    pub api_key_id: ApiKeyId,
    /// The program that it is bound to; None for a key of the whole suite.
    pub program_id: Option<ProgramId>,
    /// The public part of its text.
    pub short_id: String,
    /// What is stored of its secret.
    pub secret_sha256: [u8; 32],
    /// By what member tokens are verified that it signs.
    pub token_public_key: [u8; 32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_holds_each_scope_once_and_at_least_one() {
        assert_eq!(KeyScopes::of_suite(vec![]), Err(ScopesError::Empty));
        assert_eq!(
            KeyScopes::of_program(vec![Scope::LedgerRead, Scope::UnitsRead, Scope::LedgerRead]),
            Err(ScopesError::Repeated(Scope::LedgerRead))
        );
        assert_eq!(
            KeyScopes::of_suite(vec![Scope::Unspecified]),
            Err(ScopesError::Unspecified)
        );
    }

    #[test]
    fn only_a_suite_key_speaks_about_all_programs() {
        for scope in SUITE_ONLY_SCOPES {
            assert_eq!(
                KeyScopes::of_program(vec![scope]),
                Err(ScopesError::SuiteOnly(scope))
            );
            assert!(KeyScopes::of_suite(vec![scope]).is_ok());
        }
    }

    #[test]
    fn nobody_hands_out_what_they_lack() {
        let wanted = KeyScopes::of_program(vec![Scope::MembersRead, Scope::LedgerWrite]).unwrap();
        let own = [Scope::AccessWrite, Scope::MembersRead];
        assert_eq!(
            check_hand_out(&wanted, &own),
            Err(Refusal::ScopeMissing(Scope::LedgerWrite))
        );
        assert_eq!(
            check_hand_out(&wanted, &[Scope::LedgerWrite, Scope::MembersRead]),
            Ok(())
        );
    }
}
