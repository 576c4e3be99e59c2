//! Messages as commands, everything that is wrong with them named at once.

mod duplicates;
mod lists;
mod party;
mod standing;
mod verified;

use std::mem;

use chrono::{DateTime, NaiveDate, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::types::v1::Date;
use fealty_rpc::access::{Caller, ProgramContext};
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::etag::Etag;
use fealty_rpc::fields::{self, FieldMask, TimeRange};
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::{IdentifierId, MemberId, ProgramId};
use fealty_vault::Personal;

use crate::people::Update;
use crate::people::domain::{
    BirthDate, Change, GivenAcceptance, IDENTIFIERS_MAX, IdentifierKind, IdentifierValue, NewMember,
    PROFILE_TEXT_LENGTH_MAX, Profile, ProfileChange,
};
use crate::policies::domain::PolicyVersion;
use crate::referrals;

pub(super) use duplicates::{DuplicatesCursor, duplicates};
pub(super) use lists::{batch_get, wanted};
pub(super) use standing::{merge, set_status, set_tier};
pub(super) use verified::{history, verified};

const ENROL: &str = "/fealty.members.v1.MemberService/EnrolMember";
const ADD_IDENTIFIER: &str = "/fealty.members.v1.MemberService/AddIdentifier";

/// Longest channel of a consent, in characters.
const CHANNEL_LENGTH_MAX: usize = 100;

/// Where a list goes on: after whoever was enrolled then, with that id.
pub(super) type ListCursor = (DateTime<Utc>, MemberId);

/// What an update may name.
const UPDATABLE: [&str; 10] = [
    "profile",
    "profile.given_name",
    "profile.family_name",
    "profile.display_name",
    "profile.birth_date",
    "profile.language_code",
    "profile.place",
    "profile.party_kind",
    "profile.registration_number",
    "guardian_member_id",
];

pub(super) fn enrol(
    caller: &Caller,
    now: DateTime<Utc>,
    mut message: pb::EnrolMemberRequest,
) -> Result<(Attempt, NewMember), ApiError> {
    let program = caller.program()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(ENROL, &message);
    let today = today(program, now);
    let profile = message.profile.unwrap_or_default();
    let profile = v.within("profile", |v| {
        let parsed = parse_profile(v, &profile, today);
        party::check(v, &profile);
        parsed
    });
    // One more than there may be is enough to see that there are too many.
    let identifiers = message.identifiers.into_iter().take(IDENTIFIERS_MAX + 1);
    let mut parsed = Vec::new();
    v.each("identifiers", identifiers, |v, identifier| {
        parsed.push(parse_value(v, &identifier));
        Some(())
    });
    check_repeated(&mut v, &parsed);
    let identifiers: Option<Vec<IdentifierValue>> = parsed.into_iter().collect();
    let acceptance = parse_acceptance(&mut v, message.policy_acceptance, now);
    let guardian_member_id = v.check(
        "guardian_member_id",
        fields::optional(&message.guardian_member_id),
    );
    let referral = message
        .referral
        .as_ref()
        .map(|given| v.within("referral", |v| referrals::grpc::parse::enrolment(v, given)));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program.program_id, request_id?, ENROL, command_hash);
        let new = NewMember {
            profile: profile?.tidied(),
            identifiers: identifiers?,
            acceptance: acceptance?,
            guardian_member_id: guardian_member_id?,
            // Given and wrong is noted already.
            referral: referral.map(|referral| referral.ok_or(())).transpose().ok()?,
            actor: caller.actor(),
        };
        Some((attempt, new))
    })
}

pub(super) fn member_id(text: &str) -> Result<MemberId, ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(text));
    v.finish_with(|| member_id)
}

pub(super) fn lookup(message: pb::LookupMemberRequest) -> Result<IdentifierValue, ApiError> {
    let mut v = Violations::default();
    let value = v.message("identifier", message.identifier, |v, identifier| {
        parse_value(v, &identifier)
    });
    v.finish_with(|| value)
}

pub(super) fn update(
    program: &ProgramContext,
    now: DateTime<Utc>,
    message: pb::UpdateMemberRequest,
) -> Result<Update, ApiError> {
    let mut v = Violations::default();
    let mask = fields::field_mask(&mut v, message.update_mask.as_ref(), &UPDATABLE);
    let today = today(program, now);
    let update = v.message("member", message.member, |v, member| {
        let member_id = v.check("member_id", fields::parse(&member.member_id));
        let etag = v.check("etag", fields::optional::<Etag>(&member.etag));
        let guardian = parse_guardian(v, &member.guardian_member_id, &mask);
        let profile = only_named(member.profile.unwrap_or_default(), &mask);
        let profile = v.within("profile", |v| parse_profile(v, &profile, today));
        Some(Update {
            member_id: member_id?,
            meant_for: etag?.map(Etag::version),
            change: change_of(profile?, &mask),
            guardian: guardian?,
        })
    });
    v.finish_with(|| update)
}

pub(super) fn add_identifier(
    program_id: ProgramId,
    mut message: pb::AddIdentifierRequest,
) -> Result<(Attempt, MemberId, IdentifierValue), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(ADD_IDENTIFIER, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let value = v.message("identifier", message.identifier, |v, identifier| {
        parse_value(v, &identifier)
    });
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, ADD_IDENTIFIER, command_hash);
        Some((attempt, member_id?, value?))
    })
}

pub(super) fn remove_identifier(
    message: &pb::RemoveIdentifierRequest,
) -> Result<(MemberId, IdentifierId), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let identifier_id = v.check("identifier_id", fields::parse(&message.identifier_id));
    v.finish_with(|| Some((member_id?, identifier_id?)))
}

fn today(program: &ProgramContext, now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&program.time_zone).date_naive()
}

fn parse_value(v: &mut Violations, identifier: &pb::Identifier) -> Option<IdentifierValue> {
    let (kind, text) = match identifier.value.as_ref() {
        Some(Value::ExternalId(text)) => (IdentifierKind::ExternalId, text),
        Some(Value::CardNumber(text)) => (IdentifierKind::CardNumber, text),
        Some(Value::PhoneNumber(text)) => (IdentifierKind::PhoneNumber, text),
        Some(Value::EmailAddress(text)) => (IdentifierKind::EmailAddress, text),
        None => {
            v.add(
                "value",
                "is required: one of external_id, card_number, phone_number, email_address",
            );
            return None;
        }
    };
    if text.is_empty() {
        return v.check(kind.field(), Err(Problem::required()));
    }
    v.check(kind.field(), IdentifierValue::parse(kind, text))
}

/// The same value twice in one request is a mistake of its own, not somebody else's identifier.
fn check_repeated(v: &mut Violations, values: &[Option<IdentifierValue>]) {
    for (index, value) in values.iter().enumerate() {
        let same = |other: &Option<IdentifierValue>| other == value;
        if let (Some(value), Some(first)) = (value, values[..index].iter().position(same)) {
            v.within_item("identifiers", index, |v| {
                v.add(
                    value.kind().field(),
                    format!("is the same as identifiers[{first}]"),
                );
            });
        }
    }
}

/// No acceptance, or one of no version, is no consent: the use case says what to accept.
#[expect(
    clippy::option_option,
    reason = "what failed to parse is another thing than what was not given"
)]
fn parse_acceptance(
    v: &mut Violations,
    acceptance: Option<pb::PolicyAcceptance>,
    now: DateTime<Utc>,
) -> Option<Option<GivenAcceptance>> {
    let Some(acceptance) = acceptance.filter(|acceptance| acceptance.policy_version != 0) else {
        return Some(None);
    };
    v.within("policy_acceptance", |v| {
        let version = v.check(
            "policy_version",
            PolicyVersion::try_new(acceptance.policy_version),
        );
        let channel = v.check(
            "channel",
            fields::text(&acceptance.channel, 1..=CHANNEL_LENGTH_MAX),
        );
        let accept_time = v.check(
            "accept_time",
            fields::optional_timestamp(acceptance.accept_time.as_ref(), TimeRange::past(now)),
        );
        Some(Some(GivenAcceptance {
            version: version?,
            channel: channel?,
            accept_time: accept_time?,
        }))
    })
}

fn parse_profile(v: &mut Violations, profile: &pb::Profile, today: NaiveDate) -> Option<Profile> {
    let mut text = |field: &str, text: &str| {
        let parsed = v.check(field, fields::optional_text(text, PROFILE_TEXT_LENGTH_MAX));
        parsed.map(|text| text.map(Personal::new))
    };
    let given_name = text("given_name", &profile.given_name);
    let family_name = text("family_name", &profile.family_name);
    let display_name = text("display_name", &profile.display_name);
    let place = text("place", &profile.place);
    let parse_date = |date: &Date| BirthDate::try_new(date.year, date.month, date.day, today);
    let birth_date = v.check(
        "birth_date",
        profile.birth_date.as_ref().map(parse_date).transpose(),
    );
    let language = v.check("language_code", fields::optional(&profile.language_code));
    let party_kind = v.check("party_kind", party::parse_given(profile.party_kind));
    let registration_number = v.check(
        "registration_number",
        fields::optional(profile.registration_number.trim()),
    );
    Some(Profile {
        party_kind: party_kind?,
        registration_number: registration_number?,
        given_name: given_name?,
        family_name: family_name?,
        display_name: display_name?,
        birth_date: birth_date?,
        language: language?,
        place: place?,
    })
}

/// Without the fields that the mask does not name: nobody asked what is in them.
fn only_named(mut profile: pb::Profile, mask: &FieldMask) -> pb::Profile {
    let keep = |path: &str, text: &mut String| {
        if !mask.names(path) {
            text.clear();
        }
    };
    keep("profile.given_name", &mut profile.given_name);
    keep("profile.family_name", &mut profile.family_name);
    keep("profile.display_name", &mut profile.display_name);
    keep("profile.language_code", &mut profile.language_code);
    keep("profile.place", &mut profile.place);
    keep("profile.registration_number", &mut profile.registration_number);
    if !mask.names("profile.party_kind") {
        profile.party_kind = pb::PartyKind::Unspecified.into();
    }
    profile.birth_date.take_if(|_| !mask.names("profile.birth_date"));
    profile
}

fn parse_guardian(v: &mut Violations, text: &str, mask: &FieldMask) -> Option<Change<MemberId>> {
    if !mask.names("guardian_member_id") {
        return Some(Change::Keep);
    }
    v.check("guardian_member_id", fields::optional(text))
        .map(Change::Set)
}

fn change_of(profile: Profile, mask: &FieldMask) -> ProfileChange {
    fn change<T>(mask: &FieldMask, path: &str, value: Option<T>) -> Change<T> {
        if mask.names(path) {
            Change::Set(value)
        } else {
            Change::Keep
        }
    }
    ProfileChange {
        party_kind: change(mask, "profile.party_kind", Some(profile.party_kind)),
        registration_number: change(mask, "profile.registration_number", profile.registration_number),
        given_name: change(mask, "profile.given_name", profile.given_name),
        family_name: change(mask, "profile.family_name", profile.family_name),
        display_name: change(mask, "profile.display_name", profile.display_name),
        birth_date: change(mask, "profile.birth_date", profile.birth_date),
        language: change(mask, "profile.language_code", profile.language),
        place: change(mask, "profile.place", profile.place),
    }
}
