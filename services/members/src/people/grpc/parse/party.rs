//! Kinds of party.

use fealty_proto::members::v1 as pb;
use fealty_rpc::fields;
use fealty_rpc::violations::{Problem, Violations};

use crate::people::domain::{PartyKind, Profile, party_problems};

/// The kind that is named; None where none is.
pub(super) fn parse_named(number: i32) -> Result<Option<PartyKind>, Problem> {
    if number == i32::from(pb::PartyKind::Unspecified) {
        return Ok(None);
    }
    Ok(match fields::enumeration(number)? {
        pb::PartyKind::Unspecified => None,
        pb::PartyKind::NaturalPerson => Some(PartyKind::NaturalPerson),
        pb::PartyKind::LegalEntity => Some(PartyKind::LegalEntity),
        pb::PartyKind::SoleProprietor => Some(PartyKind::SoleProprietor),
    })
}

/// The kind of a profile: a person, where nothing else is said.
pub(super) fn parse_given(number: i32) -> Result<PartyKind, Problem> {
    parse_named(number).map(Option::unwrap_or_default)
}

/// Names what does not go with the kind of party.
pub(super) fn check(v: &mut Violations, profile: &Profile) {
    for problem in party_problems(profile) {
        v.add(problem.field, problem.description);
    }
}
