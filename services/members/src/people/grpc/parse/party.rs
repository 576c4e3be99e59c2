//! Kinds of party.

use fealty_proto::members::v1 as pb;
use fealty_rpc::fields;
use fealty_rpc::violations::{Problem, Violations};

use crate::people::domain::{PartyKind, party_problems_of};

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

/// Names what does not go with the kind of party, also of fields whose values are not right either.
pub(super) fn check(v: &mut Violations, profile: &pb::Profile) {
    // Of no known kind nothing is known to be missing or too much.
    let Ok(party_kind) = parse_given(profile.party_kind) else {
        return;
    };
    let fields = [
        ("given_name", !profile.given_name.is_empty()),
        ("family_name", !profile.family_name.is_empty()),
        ("birth_date", profile.birth_date.is_some()),
        (
            "registration_number",
            !profile.registration_number.trim().is_empty(),
        ),
    ];
    for problem in party_problems_of(party_kind, fields) {
        v.add(problem.field, problem.description);
    }
}
