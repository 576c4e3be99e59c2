//! Scopes as people write them: `members-read` for `SCOPE_MEMBERS_READ`.

use std::str::FromStr;

use fealty_members::api_keys::domain::{KeyScopes, ScopesError, program_scope};
use fealty_proto::access::v1::Scope;

/// Above every number that a scope has.
const SCOPE_NUMBERS_END: i32 = 1_000;

const PREFIX: &str = "SCOPE_";

/// One of the list on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopeArg {
    /// Everything that such a key can hold.
    All,
    /// This one.
    One(Scope),
}

impl FromStr for ScopeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("all") {
            return Ok(Self::All);
        }
        let name = text.to_ascii_uppercase().replace(['-', '.', ':'], "_");
        let name = name.strip_prefix(PREFIX).unwrap_or(&name);
        known()
            .find(|scope| scope.as_str_name().strip_prefix(PREFIX) == Some(name))
            .map(Self::One)
            .ok_or_else(|| format!("there is no such scope; there are {}", names(known())))
    }
}

/// Everything that can be held.
fn known() -> impl Iterator<Item = Scope> {
    (1..SCOPE_NUMBERS_END).filter_map(|number| Scope::try_from(number).ok())
}

fn name(scope: Scope) -> String {
    let name = scope.as_str_name();
    name.strip_prefix(PREFIX)
        .unwrap_or(name)
        .to_ascii_lowercase()
        .replace('_', "-")
}

pub(super) fn names(scopes: impl IntoIterator<Item = Scope>) -> String {
    scopes.into_iter().map(name).collect::<Vec<_>>().join(", ")
}

pub(super) fn long_help() -> String {
    format!(
        "What the key may do, separated by commas; \"all\" for everything that such a key can hold.\n\n\
         Scopes: {}.\nOnly keys of the whole suite: {}.",
        names(known().filter(|scope| program_scope(*scope).is_ok())),
        names(known().filter(|scope| program_scope(*scope).is_err())),
    )
}

/// All that a key of one program can hold.
pub(crate) fn all_of_program() -> Vec<Scope> {
    known().filter(|scope| program_scope(*scope).is_ok()).collect()
}

/// What the list means for a key of a program or of the whole suite.
pub(super) fn resolve(args: &[ScopeArg], suite: bool) -> Result<KeyScopes, ScopesError> {
    let mut scopes = Vec::new();
    for arg in args {
        match arg {
            ScopeArg::One(scope) => scopes.push(*scope),
            ScopeArg::All if suite => scopes.extend(known()),
            ScopeArg::All => scopes.extend(all_of_program()),
        }
    }
    if suite {
        KeyScopes::of_suite(scopes)
    } else {
        KeyScopes::of_program(scopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_known_in_every_spelling_that_people_use() {
        for text in [
            "members-read",
            "MEMBERS_READ",
            "SCOPE_MEMBERS_READ",
            "members.read",
            "members:read",
        ] {
            assert_eq!(text.parse(), Ok(ScopeArg::One(Scope::MembersRead)), "{text}");
        }
        assert_eq!("all".parse(), Ok(ScopeArg::All));
    }

    #[test]
    fn an_unknown_scope_is_answered_with_the_known_ones() {
        let refused = "members-eat".parse::<ScopeArg>().expect_err("no such scope");
        assert!(refused.contains("members-write"), "{refused}");
        assert!("unspecified".parse::<ScopeArg>().is_err());
    }

    #[test]
    fn all_is_what_such_a_key_can_hold() {
        let program = resolve(&[ScopeArg::All], false).expect("scopes");
        assert!(!program.as_slice().contains(&Scope::AccessFeed));
        let suite = resolve(&[ScopeArg::All], true).expect("scopes");
        assert!(suite.as_slice().contains(&Scope::AccessFeed));
        assert!(resolve(&[ScopeArg::One(Scope::AccessFeed)], false).is_err());
    }
}
